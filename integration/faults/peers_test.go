//go:build faults

package faults

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// million is how many records the rows are named after; with -short they have fewer.
func million() int { return scaled(1_000_000, 400_000) }

const (
	// The sizes of batches and requests that a configuration without them has.
	defaultShape = "    shards: 4"
	// The most that an instance of the default shape has in flight, in four batches of four
	// requests, and has landed within a commit interval.
	defaultInFlight = 4*4*10_000 + 100_000
	// How many records of each partition are produced at a time.
	bulkSize = 5000
)

// backlog produces so many records before anybody reads them.
func (tr *trial) backlog(records int) {
	tr.Helper()
	times := records / bulkSize / int(tr.plan.partitions)
	tr.bulk(times, func() []*kgo.Record { return tr.stream.Next(bulkSize) })
}

// Kill -9 with a million records to go, and a receiver so far away that much is on
// the wire.
func TestAMillionKilled(t *testing.T) {
	kills := scaled(3, 1)
	f := func(name, remote string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: name, injured: fmt.Sprintf("kill -9, %d times, each request takes 200 ms", kills), outOfOrder: time.Hour, remote: remote,
				shape: defaultShape, duplicates: kills * defaultInFlight, catchUp: time.Minute,
			})
			tr.proxy.Set(func() Fault { return Fault{Delay: 200 * time.Millisecond} })
			tr.backlog(million())
			program := tr.start(`instance_id: one`)
			for range kills {
				tr.awaitCommitted(tr.committed() + 20_000)
				time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
				require.NoError(t, program.Kill())
				require.Less(t, tr.committed(), int64(million()), "it was killed in the middle")
				require.NoError(t, program.Start())
			}
			tr.finish()
		})
	}
	f("a million, killed, 2.0", ", protocol: '2.0'")
	f("a million, killed, 1.0", ", protocol: '1.0'")
}

// An outage of 20 s with a million records to go, which stay in the log and do not pile
// up in memory.
func TestAMillionInAnOutage(t *testing.T) {
	lasting := scaled(20*time.Second, 5*time.Second)
	tr := begin(t, plan{
		name: "a million, outage", injured: fmt.Sprintf("nothing but 500 for %s", lasting), outOfOrder: time.Hour,
		shape: defaultShape, catchUp: time.Minute,
	})
	tr.backlog(million())
	tr.start()
	tr.awaitCommitted(0)
	tr.proxy.Set(func() Fault { return Fault{Status: 500} })
	time.Sleep(lasting)
	require.Less(t, tr.committed(), int64(million()), "the outage came in the middle")
	tr.proxy.Set(nil)
	tr.finish()
}

// One record in a hundred is of a series that the receiver always refuses. Its batch
// mates are stored, and exactly its records become dead letters.
func TestAMillionWithOneSeriesRefused(t *testing.T) {
	f := func(name, remote string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: name, injured: "one series in each request is hours ahead of the clock", outOfOrder: time.Hour, remote: remote,
				shape: defaultShape, catchUp: time.Minute,
			})
			ahead := time.Now().Add(2 * time.Hour).UnixMilli()
			tr.bulk(million()/bulkSize/int(tr.plan.partitions), func() (records []*kgo.Record) {
				for range bulkSize / 100 {
					records = append(records, tr.stream.Next(99)...)
					for p := range tr.plan.partitions {
						records = append(records, tr.stream.Sample(p, "refused", ahead, buried))
						ahead++
					}
				}
				return records
			})
			tr.start()
			tr.finish()
			require.Equal(t, million()/100, tr.result.Letters)
		})
	}
	f("a million, one series refused, 2.0", ", protocol: '2.0'")
	f("a million, one series refused, 1.0", ", protocol: '1.0'")
}

// What may be in memory is far less than what the receiver is behind.
func TestAMillionThroughALittleBuffer(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "64MiB")
	tr := begin(t, plan{
		name: "a million, little buffer", injured: "batches of 512 KiB, two of them; each request takes 50 ms", outOfOrder: time.Hour,
		shape: "    batch: {max_samples: 1000, max_age: 200ms, in_flight: 2, max_bytes: 512KiB}\n    shards: 4", memory: 100 << 20, catchUp: time.Minute,
	})
	tr.proxy.Set(func() Fault { return Fault{Delay: 50 * time.Millisecond} })
	tr.backlog(million())
	tr.start()
	tr.finish()
}

// Five million records to go, and a receiver that fails now and then.
func TestABacklogOfFiveMillion(t *testing.T) {
	tr := begin(t, plan{
		name: "five million", injured: "10 % of 500, 503, 429 and resets", outOfOrder: time.Hour,
		shape: defaultShape, catchUp: 2 * time.Minute,
	})
	tr.proxy.Set(mixed(0.1, Fault{Status: 500}, Fault{Status: 503}, Fault{Status: 429}, Fault{Reset: true}))
	tr.backlog(5 * million())
	tr.start()
	tr.finish()
}
