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

// The example that this program was first asked for: a map of labels, a double and a
// time without a zone; and the same with the double as text.
func TestLabelMapDoubleAndTimestampBecomeASample(t *testing.T) {
	prometheus := lab.Receiver(t, servers.ReceiverOptions{})
	topic := lab.Topic(t, "seed", 1)
	program := lab.Run(t, fmt.Sprintf(`
pipelines:
  - name: seed
    topics: [%s]
    samples:
      - {labels_from: c_map, value: c_double, timestamp: c_timestamp}
    remote_write: {url: %q}
`, topic, prometheus.WriteURL()))

	lab.Produce(t,
		&kgo.Record{Topic: topic, Value: []byte(`{"c_map":{"__name__":"test1"},"c_double":1.23,"c_timestamp":"2024-08-15T17:00:00"}`)},
		&kgo.Record{Topic: topic, Value: []byte(`{"c_map":{"__name__":"test2"},"c_double":"1.23","c_timestamp":"2024-08-15T17:00:00"}`)},
	)
	lab.AwaitNoLag(t, "kafka2prom-seed", topic, program)

	var produced harness.Ledger
	at := time.Date(2024, time.August, 15, 17, 0, 0, 0, time.UTC).UnixMilli()
	produced.Add(map[string]string{"__name__": "test1"}, at, 1.23)
	produced.Add(map[string]string{"__name__": "test2"}, at, 1.23)
	harness.RequireStored(t, prometheus, &produced)

	for name, want := range map[string]float64{
		"kafka2prom_records_consumed_total": 2, "kafka2prom_records_total": 2, "kafka2prom_records_in_flight": 0,
	} {
		require.InDelta(t, want, program.Metric(t, name, nil), 0, name)
	}
	require.InDelta(t, 2, program.Metric(t, "kafka2prom_records_total", map[string]string{"outcome": "written"}), 0)
	program.Terminate(t)
}
