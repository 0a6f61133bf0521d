//go:build integration

package integration

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// The second version moves the fields about and adds one, so that a datum of one can
// only be read with its own schema.
const (
	readingV1 = `{"type": "record", "name": "Reading", "fields": [
		{"name": "device", "type": "string"},
		{"name": "celsius", "type": "double"},
		{"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}`
	readingV2 = `{"type": "record", "name": "Reading", "fields": [
		{"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
		{"name": "site", "type": ["null", "string"], "default": null},
		{"name": "celsius", "type": "double"},
		{"name": "device", "type": "string"}]}`
	// No registry of ours has a schema with this id.
	strayID = 424242
)

const avroPipeline = `
pipelines:
  - name: avro
    topics: [%[1]s]
    format: avro
    schema_registry: {url: %[2]q}
    samples:
      - {name: celsius, value: celsius, timestamp: at, labels: {device: device, site: site}}
    dead_letter: {topic: %[1]s.dead, create: true, partitions: 1}
    remote_write: {url: %[3]q}
`

// writer encodes data of one version with the framing of Confluent.
type writer struct {
	schema *avro.Schema
	id     int
}

func newWriter(t *testing.T, registry *sr.Client, subject, schema string) writer {
	t.Helper()
	stored, err := registry.CreateSchema(t.Context(), subject, sr.Schema{Schema: schema, Type: sr.TypeAvro})
	require.NoError(t, err)
	parsed, err := avro.Parse(schema)
	require.NoError(t, err)
	return writer{parsed, stored.ID}
}

func (w writer) record(t *testing.T, topic string, datum map[string]any) *kgo.Record {
	t.Helper()
	body, err := w.schema.Encode(datum)
	require.NoError(t, err)
	return &kgo.Record{Topic: topic, Value: append(frame(w.id), body...)}
}

func frame(id int) []byte { return binary.BigEndian.AppendUint32([]byte{0}, uint32(id)) }

func TestAvroIsReadWithTheSchemaThatWroteIt(t *testing.T) {
	registry, err := servers.StartRegistry(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, registry.Kill()) })
	client, err := sr.NewClient(sr.URLs(registry.URL))
	require.NoError(t, err)
	prometheus := lab.Receiver(t, servers.ReceiverOptions{})
	topic := lab.Topic(t, "avro", 1)
	program := lab.Run(t, fmt.Sprintf(avroPipeline, topic, registry.URL, prometheus.WriteURL()))

	var produced harness.Ledger
	start := time.Now().Add(-time.Minute).UnixMilli()
	v1 := newWriter(t, client, topic+"-value", readingV1)
	for i := range int64(10) {
		lab.Produce(t, v1.record(t, topic, map[string]any{"device": "d1", "celsius": float64(i) / 8, "at": start + i}))
		produced.Add(map[string]string{"__name__": "celsius", "device": "d1"}, start+i, float64(i)/8)
	}
	lab.AwaitNoLag(t, "kafka2prom-avro", topic, program)

	stray := append(frame(strayID), "never seen"...)
	lab.Produce(t, &kgo.Record{Topic: topic, Value: stray})

	v2 := newWriter(t, client, topic+"-value", readingV2)
	require.NotEqual(t, v1.id, v2.id)
	for i := int64(10); i < 20; i++ {
		lab.Produce(t, v2.record(t, topic, map[string]any{"device": "d1", "celsius": float64(i) / 8, "at": start + i, "site": "oslo"}))
		lab.Produce(t, v1.record(t, topic, map[string]any{"device": "d1", "celsius": float64(i) / 8, "at": start + i}))
		produced.Add(map[string]string{"__name__": "celsius", "device": "d1", "site": "oslo"}, start+i, float64(i)/8)
		produced.Add(map[string]string{"__name__": "celsius", "device": "d1"}, start+i, float64(i)/8)
	}
	lab.AwaitNoLag(t, "kafka2prom-avro", topic, program)

	harness.RequireStored(t, prometheus, &produced)
	letters := lab.DeadLetters(t, topic+".dead")
	require.Len(t, letters, 1)
	require.Equal(t, string(stray), letters[0].Value)
	require.Equal(t, "unknown_schema", letters[0].Headers["kafka2prom.reason"])
	require.Equal(t, "10", letters[0].Headers["kafka2prom.offset"])
	require.Contains(t, letters[0].Headers["kafka2prom.error"], "424242")
	program.Terminate(t)
}
