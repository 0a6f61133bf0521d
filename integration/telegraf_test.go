//go:build integration

package integration

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// telegrafCapture is what an agent wrote in a minute: one JSON object a line.
//
//go:embed testdata/telegraf.jsonl
var telegrafCapture []byte

const telegrafPipeline = `
pipelines:
  - name: %[1]s
    topics: [%[2]s]
    samples:
      - {name: "${name}_${$field}", values_from: fields, labels_from: tags, timestamp: timestamp}
    remote_write: {url: %[3]q}
`

// enterTelegraf enters every field of one metric in a ledger.
func enterTelegraf(t *testing.T, produced *harness.Ledger, line []byte) {
	t.Helper()
	var metric struct {
		Name      string
		Tags      map[string]string
		Fields    map[string]float64
		Timestamp int64
	}
	require.NoError(t, json.Unmarshal(line, &metric))
	for field, value := range metric.Fields {
		labels := map[string]string{"__name__": metric.Name + "_" + field}
		maps.Copy(labels, metric.Tags)
		produced.Add(labels, metric.Timestamp, value)
	}
}

func TestEveryFieldOfATelegrafCaptureArrivesWithItsTags(t *testing.T) {
	prometheus := lab.Receiver(t, servers.ReceiverOptions{})
	topic := lab.Topic(t, "telegraf", 1)
	var produced harness.Ledger
	for line := range bytes.Lines(telegrafCapture) {
		enterTelegraf(t, &produced, line)
		lab.Produce(t, &kgo.Record{Topic: topic, Value: bytes.TrimSpace(line)})
	}
	require.Greater(t, produced.Len(), 4000, "samples in the capture")

	program := lab.Run(t, fmt.Sprintf(telegrafPipeline, "telegraf", topic, prometheus.WriteURL()), "--until-end")

	program.RequireExit(t, 0, harness.CatchUp)
	harness.RequireStored(t, prometheus, &produced)
}
