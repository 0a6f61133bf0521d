//go:build integration

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// Two of the three receivers answer 204 to remote write 2.0 and store nothing;
// protocol auto has to find out.
func TestEverySampleIsInEachReceiverUnderProtocolAuto(t *testing.T) {
	for _, kind := range servers.Kinds() {
		if kind.Present() != nil {
			continue // TestMain names it, and fails in CI.
		}
		t.Run(string(kind), func(t *testing.T) {
			receiver := lab.Receiver(t, servers.ReceiverOptions{Kind: kind})
			name := "auto-" + string(kind)
			topic := lab.Topic(t, name, 2)
			program := lab.Run(t, fmt.Sprintf(`
pipelines:
  - name: %s
    topics: [%s]
    samples:
      - {name: auto, value: v, timestamp: t, labels: {series: s}}
    remote_write: {url: %q, protocol: auto}
`, name, topic, receiver.WriteURL()))

			var produced harness.Ledger
			start := time.Now().Add(-10 * time.Minute).UnixMilli()
			for i := range int64(100) {
				var records []*kgo.Record
				for s := range int32(50) {
					value := float64(i*50+int64(s)) / 4
					produced.Add(map[string]string{"__name__": "auto", "series": fmt.Sprint(s)}, start+i*1000, value)
					records = append(records, &kgo.Record{
						Topic: topic, Partition: s % 2,
						Value: fmt.Appendf(nil, `{"s":"%d","t":%d,"v":%g}`, s, start+i*1000, value),
					})
				}
				lab.Produce(t, records...)
			}
			lab.AwaitNoLag(t, "kafka2prom-"+name, topic, program)
			harness.RequireStored(t, receiver, &produced)
			program.Terminate(t)
		})
	}
}
