package transform

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/relabel"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v3"
)

// recordTime is the timestamp of the records of testRecord.
const recordTime = 1700000000000

// testRecord is a record with everything that a path can reach.
func testRecord(value string) *kgo.Record {
	return &kgo.Record{
		Topic: "plant", Partition: 3, Offset: 42,
		Key:       []byte("dev-1"),
		Value:     []byte(value),
		Timestamp: time.UnixMilli(recordTime),
		Headers:   []kgo.RecordHeader{{Key: "site", Value: []byte("bergen")}, {Key: "site", Value: []byte("oslo")}, {Key: "x-y.z", Value: []byte("1.5")}},
	}
}

// parseConfig reads a configuration as the file of a pipeline has it.
func parseConfig(t testing.TB, text string) Config {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	var cfg Config
	require.NoError(t, decoder.Decode(&cfg))
	return cfg
}

func newTestMapper(t testing.TB, text string) *Mapper {
	t.Helper()
	m, err := NewMapper(parseConfig(t, text), Options{})
	require.NoError(t, err)
	return m
}

// outcome writes what a record became: samples as "series value timestamp", with
// the record's own timestamp left out, then refusals as "reason: text", then
// what was filtered.
func outcome(v Verdict, out *Output) string {
	var b strings.Builder
	for _, s := range out.Samples {
		fmt.Fprintf(&b, "%s %v", s.Series, s.Value)
		if s.Timestamp != recordTime {
			fmt.Fprintf(&b, " %s", formatMillis(s.Timestamp))
		}
		b.WriteString("\n")
	}
	for _, r := range out.Refused {
		fmt.Fprintf(&b, "%s: %s\n", r.Reason, r.Text)
	}
	if v == Filtered {
		fmt.Fprintf(&b, "filtered: %s\n", out.Filtered)
	}
	if out.Skipped > 0 {
		fmt.Fprintf(&b, "skipped: %d\n", out.Skipped)
	}
	if out.Dropped > 0 {
		fmt.Fprintf(&b, "dropped: %d\n", out.Dropped)
	}
	return b.String()
}

func apply(t testing.TB, m *Mapper, rec *kgo.Record) (Verdict, *Output) {
	t.Helper()
	var out Output
	v, err := m.Apply(rec, 1, &out)
	require.NoError(t, err)
	switch {
	case len(out.Refused) > 0:
		require.Equal(t, Refused, v)
	case len(out.Samples) > 0:
		require.Equal(t, Mapped, v)
	default:
		require.Equal(t, Filtered, v)
	}
	return v, &out
}

// mapped maps a JSON value and returns its outcome, which must be the same when
// the series are known.
func mapped(t testing.TB, config, value string) string {
	t.Helper()
	m := newTestMapper(t, config)
	v, out := apply(t, m, testRecord(value))
	cold := outcome(v, out)
	v, out = apply(t, m, testRecord(value))
	require.Equal(t, cold, outcome(v, out), "the second record differs from the first")
	return cold
}

func lines(s ...string) string { return strings.Join(s, "\n") + "\n" }

// parseRelabel reads write_relabel_configs.
func parseRelabel(t testing.TB, text string) []*relabel.Config {
	t.Helper()
	var cfgs []*relabel.Config
	require.NoError(t, yaml.Unmarshal([]byte(text), &cfgs))
	return cfgs
}
