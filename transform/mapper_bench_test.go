package transform

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

// benchmarkMapper maps the records over and over, as batches that land at once.
func benchmarkMapper(b *testing.B, cfg Config, records []*kgo.Record) {
	b.Helper()
	m, err := NewMapper(cfg, Options{})
	require.NoError(b, err)
	var out Output
	apply := func(i int) {
		if v, err := m.Apply(records[i%len(records)], 1, &out); v != Mapped || err != nil {
			b.Fatal(v, err, out.Refused)
		}
		if len(out.Samples) >= 10000 {
			out.Reset()
		}
	}
	for i := range records {
		apply(i)
	}
	b.SetBytes(int64(len(records[0].Value)))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		apply(i)
	}
}

func benchmarkRecords(format string, n int) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Topic: "t", Value: fmt.Appendf(nil, format, i)}
	}
	return records
}

func mapLabelsConfig() Config {
	return Config{Samples: []Rule{{
		Value: "value", LabelsFrom: units.StringList{"labels"}, Timestamp: TimestampSpec{Path: "ts"},
	}}}
}

const mapLabelsRecord = `{"labels":{"__name__":"room_temperature","site":"oslo","building":"north","floor":"3","room":"314","device":"dev-%06d"},` +
	`"value":1.5,"ts":1700000000000}`

func BenchmarkMapLabels(b *testing.B) {
	benchmarkMapper(b, mapLabelsConfig(), benchmarkRecords(mapLabelsRecord, 10000))
}

func BenchmarkMapLabelsMillion(b *testing.B) {
	cfg := mapLabelsConfig()
	cfg.Limits.SeriesCache = 1000000
	benchmarkMapper(b, cfg, benchmarkRecords(mapLabelsRecord, 1000000))
}

// wideRecord has 40 fields that nothing wants.
func wideRecord() string {
	var b strings.Builder
	b.WriteString(`{"device":{"id":"dev-%06d","info":{"model":"tx-9"}},"region":"eu-north-1","host":"node-17.example.com",`)
	for i := range 40 {
		fmt.Fprintf(&b, `"noise_field_%02d":"value number %02d",`, i, i)
	}
	b.WriteString(`"service":"billing","env":"production","reading":{"temp":21.75},"at":1700000000000}`)
	return b.String()
}

func wideConfig() Config {
	path := func(s string) LabelSpec { return LabelSpec{Path: s} }
	return Config{Samples: []Rule{{
		Name: "temperature", Value: "reading.temp", Timestamp: TimestampSpec{Path: "at"},
		Labels: map[string]LabelSpec{
			"device": path("device.id"), "model": path("device.info.model"), "region": path("region"),
			"host": path("host"), "service": path("service"), "env": path("env"),
		},
	}}}
}

func BenchmarkWide(b *testing.B) {
	benchmarkMapper(b, wideConfig(), benchmarkRecords(wideRecord(), 10000))
}

func BenchmarkNewSeries(b *testing.B) {
	m, err := NewMapper(mapLabelsConfig(), Options{})
	require.NoError(b, err)
	var out Output
	records := benchmarkRecords(mapLabelsRecord, 200000)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i%len(records) == 0 {
			b.StopTimer()
			m, err = NewMapper(mapLabelsConfig(), Options{})
			require.NoError(b, err)
			b.StartTimer()
		}
		if v, err := m.Apply(records[i%len(records)], 1, &out); v != Mapped || err != nil {
			b.Fatal(v, err)
		}
		if len(out.Samples) >= 10000 {
			out.Reset()
		}
	}
}

func BenchmarkValuesFrom(b *testing.B) {
	cfg := Config{Samples: []Rule{{
		Name: "${name}_${field}", ValuesFrom: "fields", LabelsFrom: units.StringList{"tags"}, Timestamp: TimestampSpec{Path: "timestamp", Format: "s"},
	}}}
	benchmarkMapper(b, cfg, benchmarkRecords(`{"fields":{"usage_guest":0,"usage_idle":97.5,"usage_iowait":0.25,"usage_system":1.5,"usage_user":0.75},`+
		`"name":"cpu","tags":{"cpu":"cpu0","host":"node-%06d"},"timestamp":1700000000}`, 10000))
}

func BenchmarkEach(b *testing.B) {
	cfg := Config{Samples: []Rule{{
		Name: "m", Each: "points", Value: "v", Timestamp: TimestampSpec{Path: "t"}, Labels: map[string]LabelSpec{"p": {Path: "p"}, "host": {Path: "$record.host"}},
	}}}
	benchmarkMapper(b, cfg, benchmarkRecords(`{"host":"node-%06d","points":[{"p":"a","v":1.5,"t":1700000000000},{"p":"b","v":2.5,"t":1700000000000},`+
		`{"p":"c","v":3.5,"t":1700000000000}]}`, 10000))
}

func BenchmarkTextTimestamp(b *testing.B) {
	cfg := mapLabelsConfig()
	benchmarkMapper(b, cfg, benchmarkRecords(strings.Replace(mapLabelsRecord, "1700000000000", `"2024-08-15T17:00:00.123Z"`, 1), 10000))
}
