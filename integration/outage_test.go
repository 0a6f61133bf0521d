//go:build integration

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

const outagePartitions = 2

const outagePipeline = `
pipelines:
  - name: %[1]s
    topics: [%[2]s]
    samples:
      - {name: outage, value: v, timestamp: t, labels: {series: s}}
    retry: {max_backoff: 1s}
    remote_write: {url: %[3]q}
`

// outage produces numbered samples and keeps their ledger.
type outage struct {
	topic    string
	begin    int64
	count    int64
	produced harness.Ledger
}

// next makes n records, alternately of two series in two partitions.
func (o *outage) next(n int) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		series := int32(o.count % outagePartitions)
		at := o.begin + o.count
		o.produced.Add(map[string]string{"__name__": "outage", "series": fmt.Sprint("s", series)}, at, float64(o.count))
		records[i] = &kgo.Record{
			Topic: o.topic, Partition: series,
			Value: fmt.Appendf(nil, `{"s":"s%d","t":%d,"v":%d}`, series, at, o.count),
		}
		o.count++
	}
	return records
}

func newOutage(t *testing.T, name string) *outage {
	t.Helper()
	return &outage{topic: lab.Topic(t, name, outagePartitions), begin: time.Now().Add(-30 * time.Minute).UnixMilli()}
}

func TestNothingIsMissingAfterTheReceiverWasDown(t *testing.T) {
	prometheus := lab.Receiver(t, servers.ReceiverOptions{OutOfOrder: time.Hour})
	o := newOutage(t, "receiver-down")
	const group = "kafka2prom-receiver-down"
	program := lab.Run(t, fmt.Sprintf(outagePipeline, "receiver-down", o.topic, prometheus.WriteURL()))
	lab.Produce(t, o.next(1000)...)
	lab.AwaitNoLag(t, group, o.topic, program)

	require.NoError(t, prometheus.Stop())
	lab.Produce(t, o.next(2000)...)
	time.Sleep(20 * time.Second) // The outage itself.
	require.True(t, program.Running(), "it waits for the receiver")
	lab.RequireCommitted(t, group, o.topic, harness.Offsets{0: 500, 1: 500})
	require.NoError(t, prometheus.Start())
	lab.AwaitNoLag(t, group, o.topic, program)
	harness.RequireStored(t, prometheus, &o.produced)

	lab.Produce(t, o.next(2000)...)
	require.NoError(t, prometheus.Kill())
	lab.Produce(t, o.next(2000)...)
	require.NoError(t, prometheus.Start())
	lab.AwaitNoLag(t, group, o.topic, program)
	harness.RequireStored(t, prometheus, &o.produced)
	program.Terminate(t)
}

func TestNothingIsMissingAfterTheBrokerWasKilled(t *testing.T) {
	prometheus := lab.Receiver(t, servers.ReceiverOptions{OutOfOrder: time.Hour})
	o := newOutage(t, "broker-killed")
	const group = "kafka2prom-broker-killed"
	program := lab.Run(t, fmt.Sprintf(outagePipeline, "broker-killed", o.topic, prometheus.WriteURL()))
	lab.Produce(t, o.next(5000)...)
	awaitCommitted(t, group, o.topic, 1)

	// What is produced meanwhile arrives when the broker is back.
	var producing errgroup.Group
	ctx := t.Context()
	records := o.next(20_000)
	producing.Go(func() error { return lab.TryProduce(ctx, records...) })
	require.NoError(t, lab.Kafka.Kill())
	require.NoError(t, lab.Kafka.Start())
	require.NoError(t, producing.Wait())
	lab.AwaitNoLag(t, group, o.topic, program)
	harness.RequireStored(t, prometheus, &o.produced)

	lab.Produce(t, o.next(1000)...)
	lab.AwaitNoLag(t, group, o.topic, program)
	harness.RequireStored(t, prometheus, &o.produced)
	program.Terminate(t)
}
