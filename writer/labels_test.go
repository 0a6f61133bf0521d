package writer

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/kafka2prom/kafka2prom/transform"
)

func TestLabelsReadBackWhatPrompbHasEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ts prompb.TimeSeries
		for range rapid.IntRange(0, 8).Draw(t, "labels") {
			ts.Labels = append(ts.Labels, prompb.Label{Name: rapid.StringN(1, 200, -1).Draw(t, "name"), Value: rapid.String().Draw(t, "value")})
		}
		encoded, err := ts.Marshal()
		require.NoError(t, err)
		var got []prompb.Label
		var again []byte
		for name, value := range labelsOf(string(encoded)) {
			got = append(got, prompb.Label{Name: name, Value: value})
			again = appendLabel(again, name, value)
		}
		require.Equal(t, ts.Labels, got)
		require.Equal(t, string(encoded), string(again))
	})
}

func FuzzLabelsOfAnything(f *testing.F) {
	f.Add("\x0a\x06\x0a\x01a\x12\x01b")
	f.Add("\x0a\xff\xff\xff\xff\xff\xff")
	f.Fuzz(func(t *testing.T, encoded string) {
		n := 0
		for name, value := range labelsOf(encoded) {
			n += len(name) + len(value)
		}
		require.LessOrEqual(t, n, len(encoded))
	})
}

func TestSeriesAreWrittenAsPrometheusWritesThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := map[string]string{"__name__": rapid.StringMatching(`[a-z.é"]{1,5}`).Draw(t, "metric")}
		for range rapid.IntRange(0, 4).Draw(t, "labels") {
			all[rapid.StringMatching(`[a-z_][a-z0-9_.:]{0,5}`).Draw(t, "name")] = rapid.StringN(1, 8, -1).Draw(t, "value")
		}
		var list []transform.Label
		for name, value := range all {
			list = append(list, transform.Label{Name: name, Value: value})
		}
		encoded := encodeLabels(list)
		text := labels.FromMap(all).String()
		require.Equal(t, text, seriesText(encoded))
		series, said := seriesIn("out of order sample for series " + text)
		require.Equal(t, []string{encoded}, series, "and found again in an answer")
		require.Equal(t, "out of order sample for series ", said)
	})
}

func TestSeriesAreFoundInTheWordsOfReceivers(t *testing.T) {
	c := catalogue{}
	up := c.series("__name__", "up", "job", "x").Encoded
	down := c.series("__name__", "down").Encoded
	dotted := c.series("__name__", "a.b", "c.d", `e"}`).Encoded
	f := func(line, said string, want ...string) {
		t.Helper()
		series, rest := seriesIn(line)
		require.Equal(t, want, series)
		require.Equal(t, said, rest)
	}
	f(`out of order sample for series {__name__="up", job="x"}`, "out of order sample for series ", up)
	f(`duplicate sample for timestamp 1000; overrides not allowed: existing 1, new value 9 for series {__name__="down"}`,
		"duplicate sample for timestamp 1000; overrides not allowed: existing 1, new value 9 for series ", down)
	f(`invalid labels for series, labels {__name__="up", job="x"}, duplicated label job`, "invalid labels for series, labels , duplicated label job", up)
	f(`the affected sample has timestamp 2026-11-22T12:00:00Z and is from series up{job="x"}`,
		"the affected sample has timestamp 2026-11-22T12:00:00Z and is from series ", up)
	f(`series='down{}' and {__name__="up", job="x"}`, "series='' and ", down, up)
	f(`series {"c.d"="e\"}", __name__="a.b"}`, "series ", dotted)
	for _, none := range []string{`series {__name__="up",job="x"`, `series {__name__=up}`, `{{{{`, `a template {{ .Name }} is no series`, ``} {
		f(none, none)
	}
}

func FuzzSeriesInAnything(f *testing.F) {
	f.Add(`out of order sample for series {__name__="up", job="x"}`)
	f.Add(`{"a"="b",}{`)
	f.Add(`0{}`)
	f.Fuzz(func(t *testing.T, line string) {
		series, said := seriesIn(line)
		require.LessOrEqual(t, len(said), len(line))
		for _, encoded := range series {
			for name, value := range labelsOf(encoded) {
				require.LessOrEqual(t, len(name), len(line)+len("__name__"))
				require.LessOrEqual(t, len(value), len(line))
			}
		}
	})
}
