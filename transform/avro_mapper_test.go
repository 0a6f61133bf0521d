package transform

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

const avroRules = `
format: avro
schema_registry: {url: "http://any"}
samples:
  - {value: value, timestamp: ts, labels_from: labels}`

// avroMapper maps records whose schemas a registry has.
func avroMapper(tb testing.TB, reg *fakeRegistry, rules string) *Mapper {
	tb.Helper()
	cfg := parseConfig(tb, rules)
	cfg.SchemaRegistry.URL = []string{reg.URL()}
	m, err := NewMapper(cfg, Options{Schemas: newTestSchemas(tb, *cfg.SchemaRegistry)})
	require.NoError(tb, err)
	return m
}

func avroRecord(value []byte) *kgo.Record {
	return &kgo.Record{Topic: "plant", Value: value, Timestamp: time.UnixMilli(recordTime)}
}

func TestMapperTakesAvro(t *testing.T) {
	reg := newFakeRegistry(t)
	reg.seed(1, sampleSchema)
	m := avroMapper(t, reg, avroRules)
	var out Output
	for range 2 {
		verdict, err := m.Apply(avroRecord(framed(1, encodeSample(t, 1.5))), 1, &out)
		require.NoError(t, err)
		require.Equal(t, Mapped, verdict)
	}
	require.Len(t, out.Samples, 2)
	require.Equal(t, 1.5, out.Samples[0].Value) //nolint:testifylint // The very value.
	require.EqualValues(t, 1700000000000, out.Samples[0].Timestamp)
	require.Equal(t, `up{job="a"}`, out.Samples[0].Series.String())
	require.Same(t, out.Samples[0].Series, out.Samples[1].Series)
}

func TestMapperRefusesAvroOfAnUnknownSchema(t *testing.T) {
	m := avroMapper(t, newFakeRegistry(t), avroRules)
	var out Output
	verdict, err := m.Apply(avroRecord(framed(1, nil)), 1, &out)
	require.NoError(t, err)
	require.Equal(t, Refused, verdict)
	require.Len(t, out.Refused, 1)
	require.Equal(t, StageDecode, out.Refused[0].Stage)
	require.Equal(t, ReasonUnknownSchema, out.Refused[0].Reason)
}

func TestMapperLeavesARecordForLaterWhileTheRegistryIsDown(t *testing.T) {
	reg := newFakeRegistry(t)
	reg.seed(1, sampleSchema)
	reg.answer("/", http.StatusServiceUnavailable, "")
	m := avroMapper(t, reg, avroRules)
	var out Output
	record := avroRecord(framed(1, encodeSample(t, 1.5)))
	_, err := m.Apply(record, 1, &out)
	after := requireRetry(t, err, "answers 503")
	require.Empty(t, out.Samples)
	require.Empty(t, out.Refused)

	reg.ClearInterceptors()
	time.Sleep(after)
	verdict, err := m.Apply(record, 1, &out)
	require.NoError(t, err)
	require.Equal(t, Mapped, verdict)
}

// TestMapperReadsAvroTimes holds one instant in each of the forms that Avro has for
// it. Local timestamps are of the rule's zone, an hour ahead of UTC in November.
func TestMapperReadsAvroTimes(t *testing.T) {
	at := time.Date(2026, 11, 22, 16, 58, 51, 123000000, time.UTC)
	f := func(logical string, in, want time.Time) {
		t.Helper()
		schema := `{"type": "record", "name": "R", "fields": [{"name": "v", "type": "int"}, {"name": "at", "type": {"type": "long", "logicalType": "` + logical + `"}}]}`
		cfg := parseConfig(t, `
format: avro
zone: Europe/Oslo
samples: [{name: x, value: v, timestamp: at}]`)
		cfg.Avro.Schema = schema
		m, err := NewMapper(cfg, Options{})
		require.NoError(t, err)
		var out Output
		_, err = m.Apply(avroRecord(encode(t, schema, map[string]any{"v": 1, "at": in})), 1, &out)
		require.NoError(t, err)
		require.Empty(t, out.Refused)
		require.Equal(t, want.UnixMilli(), out.Samples[0].Timestamp, logical)
	}
	f("timestamp-millis", at, at)
	f("timestamp-micros", at, at)
	f("timestamp-nanos", at, at)
	f("local-timestamp-millis", at, at.Add(-time.Hour))
	f("local-timestamp-micros", at, at.Add(-time.Hour))
	f("local-timestamp-nanos", at, at.Add(-time.Hour))
}

func BenchmarkAvroApply(b *testing.B) {
	reg := newFakeRegistry(b)
	reg.seed(1, sampleSchema)
	m := avroMapper(b, reg, avroRules)
	record := avroRecord(framed(1, encode(b, sampleSchema, map[string]any{
		"labels": map[string]string{
			"__name__": "room_temperature_celsius", "device": "sensor-0001", "site": "plant-17",
			"room": "b-204", "unit": "celsius", "floor": "2",
		},
		"value": 21.5, "ts": int64(1700000000000),
	})))
	var out Output
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if _, err := m.Apply(record, 1, &out); err != nil {
			b.Fatal(err)
		}
	}
	require.Len(b, out.Samples, 1)
}
