//go:build faults

package faults

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A partition cannot be fetched for a while. The others go on, and so does it
// afterwards, where it was.
func TestFetchesFail(t *testing.T) {
	broker := pretend(t)
	tr := begin(t, plan{
		name: "fetches refused", injured: "one partition cannot be fetched for 1 s, for 10 reasons in turn", lab: broker.lab, outOfOrder: time.Hour,
	})
	tr.flow(1000)
	tr.start()
	tr.awaitCommitted(1000)
	for _, kind := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.OffsetNotAvailable, kerr.KafkaStorageError,
		kerr.CorruptMessage, kerr.UnknownTopicOrPartition, kerr.ReplicaNotAvailable, kerr.TopicAuthorizationFailed, kerr.UnknownServerError,
	} {
		fault := broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Partitions: []int32{0}, Err: kind, Count: -1})
		require.Eventually(t, func() bool { return fault.Hits() > 0 }, 10*time.Second, 10*time.Millisecond, "%v", kind)
		tr.awaitCommitted(tr.committed() + 3000) // Of three partitions, in a second.
		fault.Remove()
		tr.awaitCommitted(tr.committed() + 1000)
	}
	tr.calm()
	tr.finish()
}

// Answers to fetches that no broker should give.
func TestFetchesSpoilt(t *testing.T) {
	broker := pretend(t)
	tr := begin(t, plan{
		name:    "fetches spoilt",
		injured: "records beside an error, a wrong CRC, batches and answers that are cut off, answers that are lost, 5 times each; others go through in between",
		lab:     broker.lab, outOfOrder: time.Hour,
	})
	tr.flow(1000)
	program := tr.start()
	tr.awaitCommitted(1000)
	for _, spoil := range []Spoiler{
		spoilRecords(func(p *kmsg.FetchResponseTopicPartition) { p.ErrorCode = kerr.UnknownServerError.Code }),
		spoilRecords(func(p *kmsg.FetchResponseTopicPartition) { p.ErrorCode = kerr.NotLeaderForPartition.Code }),
		spoilRecords(func(p *kmsg.FetchResponseTopicPartition) { p.RecordBatches[len(p.RecordBatches)-1] ^= 1 }),
		spoilRecords(func(p *kmsg.FetchResponseTopicPartition) { p.RecordBatches = p.RecordBatches[:len(p.RecordBatches)-7] }),
		func(a Answer) ([]byte, bool) { return a.Frame[:len(a.Frame)/2], true },
		func(Answer) ([]byte, bool) { return nil, true },
	} {
		var fetches, spoilt atomic.Int64
		broker.wire.Set(func(a Answer) ([]byte, bool) {
			if a.Key != kmsg.Fetch || len(a.Frame) < 1000 || fetches.Add(1)%2 == 0 || spoilt.Add(1) > 5 {
				return a.Frame, false
			}
			return spoil(a)
		})
		require.Eventually(t, func() bool { return spoilt.Load() > 5 }, 20*time.Second, 10*time.Millisecond)
		broker.wire.Set(nil)
		tr.awaitCommitted(tr.committed() + 2000)
	}
	require.Positive(t, tr.metric(program, "kafka2prom_fetch_errors_total"), "what the client does not mend by itself is counted")
	require.Zero(t, tr.metric(program, "kafka2prom_partitions_failed"))
	tr.calm()
	tr.finish()
}

// spoilRecords changes the first partition of an answer that has records.
func spoilRecords(change func(*kmsg.FetchResponseTopicPartition)) Spoiler {
	return func(a Answer) ([]byte, bool) {
		frame, err := editFetch(a, func(resp *kmsg.FetchResponse) {
			for _, topic := range resp.Topics {
				for i := range topic.Partitions {
					if p := &topic.Partitions[i]; len(p.RecordBatches) > 0 {
						p.RecordBatches = slices.Clone(p.RecordBatches) // The broker may keep them.
						change(p)
						return
					}
				}
			}
		})
		return frame, err != nil
	}
}

// The leaders of the partitions, and the coordinator, move about. The broker takes some
// moves for a truncation, and sends the reader back to the start: what it reads again is
// known to be stored, and no commit goes back with it.
func TestLeadersMove(t *testing.T) {
	const moves, partitions = 30, 8
	broker := pretend(t)
	tr := begin(t, plan{
		name: "leaders move", injured: "every 300 ms all partitions have other leaders, and the group another coordinator", lab: broker.lab,
		partitions: partitions, outOfOrder: time.Hour, duplicates: math.MaxInt, // The broker decides how often it sends the reader back.
	})
	tr.flow(500)
	tr.start()
	tr.awaitCommitted(1000)
	for range moves {
		for p := range int32(partitions) {
			require.NoError(t, broker.MoveTopicPartition(tr.topic, p, rand.Int32N(3)))
		}
		broker.RehashCoordinators()
		time.Sleep(300 * time.Millisecond)
	}
	tr.calm()
	tr.finish()
}

func TestConnectionsCut(t *testing.T) {
	broker := pretend(t)
	tr := begin(t, plan{
		name: "connections cut", injured: "every connection to Kafka is cut each second, 10 times", lab: broker.lab, outOfOrder: time.Hour,
		duplicates: inFlight,
	})
	tr.flow(1000)
	tr.start()
	tr.awaitCommitted(1000)
	for range 10 {
		time.Sleep(time.Second)
		broker.wire.Cut()
	}
	tr.awaitCommitted(tr.committed() + 2000)
	tr.calm()
	tr.finish()
}
