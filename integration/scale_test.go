//go:build integration

package integration

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

const (
	scalePartitions = 4
	scaleSeries     = 2000
	scalePoints     = 500 // A million records.
)

// Instances join and leave, one of them by force, and one stands still until the
// others have taken its partitions, while a million records flow. Every sample is
// there in the end, nothing else is, and no commit ever goes back.
func TestInstancesJoinAndLeaveWhileAMillionRecordsFlow(t *testing.T) {
	prometheus := lab.Receiver(t, servers.ReceiverOptions{OutOfOrder: time.Hour})
	topic := lab.Topic(t, "scale", scalePartitions)
	pipeline := fmt.Sprintf(`
pipelines:
  - name: scale
    topics: [%s]
    session_timeout: 6s
    heartbeat_interval: 1s
    samples:
      - {name: scale, value: v, timestamp: t, labels: {series: s}}
    batch: {max_samples: 2000, max_age: 200ms}
    remote_write: {url: %q}
`, topic, prometheus.WriteURL())

	lab.WatchCommits(t, "kafka2prom-scale", topic)
	var produced harness.Ledger
	group, ctx := errgroup.WithContext(t.Context())
	group.Go(func() error { return produceScale(ctx, topic, &produced) })
	start := func() *harness.Program { return lab.Run(t, pipeline) }
	flowed := func(records int64) { awaitCommitted(t, "kafka2prom-scale", topic, records) }

	first := start()
	flowed(100_000)
	second := start()
	flowed(250_000)
	third := start()
	flowed(400_000)
	first.Terminate(t)
	flowed(550_000)
	fourth := start()
	flowed(700_000)
	require.NoError(t, second.Kill())
	fifth := start()
	flowed(800_000)
	third.Terminate(t)
	require.NoError(t, fourth.Pause())
	require.NoError(t, group.Wait())
	flowed(scaleSeries * scalePoints)
	require.NoError(t, fourth.Resume())

	lab.AwaitNoLag(t, "kafka2prom-scale", topic, fourth, fifth)
	lab.RequireCommitted(t, "kafka2prom-scale", topic, scaleEnds())
	require.Equal(t, scaleSeries*scalePoints, produced.Len())
	harness.RequireStored(t, prometheus, &produced)
	fourth.Terminate(t)
	fifth.Terminate(t)
}

func scaleEnds() harness.Offsets {
	ends := harness.Offsets{}
	for p := range int32(scalePartitions) {
		ends[p] = scaleSeries * scalePoints / scalePartitions
	}
	return ends
}

// produceScale writes each series to one partition, in order, at a pace that leaves
// time for instances to come and go.
func produceScale(ctx context.Context, topic string, produced *harness.Ledger) error {
	begin := time.Now().Add(-30 * time.Minute).UnixMilli()
	names := make([]string, scaleSeries)
	for s := range names {
		names[s] = harness.Name(map[string]string{"__name__": "scale", "series": strconv.Itoa(s)})
	}
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for i := range scalePoints {
		records := make([]*kgo.Record, scaleSeries)
		at := begin + int64(i)*1000
		for s := range records {
			value := i*scaleSeries + s
			produced.AddNamed(names[s], at, float64(value))
			records[s] = &kgo.Record{
				Topic: topic, Partition: int32(s % scalePartitions),
				Value: fmt.Appendf(nil, `{"s":"%d","t":%d,"v":%d}`, s, at, value),
			}
		}
		if err := lab.TryProduce(ctx, records...); err != nil {
			return err
		}
		<-pace.C
	}
	return nil
}

// awaitCommitted waits until a group has committed that many records of a topic.
func awaitCommitted(t *testing.T, group, topic string, records int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		committed, err := lab.Committed(t.Context(), group, topic)
		var sum int64
		for _, offset := range committed {
			sum += offset
		}
		return err == nil && sum >= records
	}, harness.CatchUp, 20*time.Millisecond, "%d records committed", records)
}
