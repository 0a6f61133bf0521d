//go:build integration

package integration

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// Prometheus can leave its samples in Kafka through prometheus-kafka-adapter, which
// writes values as text and times to the second. They come back as they were.
func TestSamplesOfThePrometheusKafkaAdapterComeBack(t *testing.T) {
	prometheus := lab.Receiver(t, servers.ReceiverOptions{})
	topic := lab.Topic(t, "adapter", 2)
	start := time.Now().Add(-10 * time.Minute).Truncate(time.Second)
	values := []struct {
		text  string
		value float64
	}{
		{"1", 1},
		{"0.1", 0.1},
		{"-2.5e-07", -2.5e-07},
		{"9.223372036854776e+18", 9.223372036854776e+18},
		{"9876543210", 9876543210},
		{"+Inf", math.Inf(1)},
		{"-Inf", math.Inf(-1)},
		{"NaN", math.NaN()},
		{"-0", math.Copysign(0, -1)},
	}
	var produced harness.Ledger
	for i, v := range values {
		for instance := range int32(2) {
			at := start.Add(time.Duration(i) * 15 * time.Second)
			labels := map[string]string{"__name__": "node_load1", "instance": fmt.Sprint("node-", instance), "job": `a "job"`}
			produced.Add(labels, at.UnixMilli(), v.value)
			lab.Produce(t, &kgo.Record{Topic: topic, Partition: instance, Value: fmt.Appendf(nil,
				`{"timestamp":%q,"value":%q,"name":"node_load1","labels":{"__name__":"node_load1","instance":"node-%d","job":"a \"job\""}}`,
				at.UTC().Format(time.RFC3339), v.text, instance)})
		}
	}

	program := lab.Run(t, fmt.Sprintf(`
pipelines:
  - name: adapter
    topics: [%s]
    samples:
      - {labels_from: labels, value: value, timestamp: timestamp}
    remote_write: {url: %q}
`, topic, prometheus.WriteURL()), "--until-end")

	program.RequireExit(t, 0, harness.CatchUp)
	harness.RequireStored(t, prometheus, &produced)
	lab.RequireCommitted(t, "kafka2prom-adapter", topic, harness.Offsets{0: int64(len(values)), 1: int64(len(values))})
}
