//go:build integration

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

const spanPipeline = `
pipelines:
  - name: span
    topics: [%s]
    samples:
      - {name: span, value: v, labels: {partition: $partition}}
    remote_write: {url: %q}
`

// A replay delivers exactly the records of a span of time, to another receiver
// perhaps, and the live group does not notice.
func TestReplayDeliversExactlyItsSpanAndLeavesTheGroupAlone(t *testing.T) {
	topic := lab.Topic(t, "span", 3)
	start := time.Now().Add(-2 * time.Hour).Truncate(time.Minute)
	from, to := start.Add(30*time.Minute), start.Add(60*time.Minute)
	var all, span harness.Ledger
	produce := func(minute int) {
		for p := range int32(3) {
			at := start.Add(time.Duration(minute) * time.Minute)
			lab.Produce(t, &kgo.Record{Topic: topic, Partition: p, Timestamp: at, Value: fmt.Appendf(nil, `{"v":%d}`, minute)})
			labels := map[string]string{"__name__": "span", "partition": fmt.Sprint(p)}
			all.Add(labels, at.UnixMilli(), float64(minute))
			if !at.Before(from) && at.Before(to) {
				span.Add(labels, at.UnixMilli(), float64(minute))
			}
		}
	}
	for minute := range 90 {
		produce(minute ^ 1) // Each pair the wrong way round, as it happens in real logs.
	}

	live := lab.Receiver(t, servers.ReceiverOptions{OutOfOrder: 3 * time.Hour})
	lab.Run(t, fmt.Sprintf(spanPipeline, topic, live.WriteURL()), "--until-end").RequireExit(t, 0, harness.CatchUp)
	harness.RequireStored(t, live, &all)
	committed := harness.Offsets{0: 90, 1: 90, 2: 90}
	lab.RequireCommitted(t, "kafka2prom-span", topic, committed)
	for minute := 90; minute < 100; minute++ {
		produce(minute)
	}

	other := lab.Receiver(t, servers.ReceiverOptions{OutOfOrder: 3 * time.Hour})
	replay := lab.Run(t, fmt.Sprintf(spanPipeline, topic, other.WriteURL()),
		"--from", from.Format(time.RFC3339), "--to", to.Format(time.RFC3339))
	replay.RequireExit(t, 0, harness.CatchUp)
	require.Equal(t, 90, span.Len())
	harness.RequireStored(t, other, &span)
	lab.RequireCommitted(t, "kafka2prom-span", topic, committed)
}
