package transform

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// encoded encodes labels as they are given.
func encoded(labels ...Label) []byte {
	var b []byte
	for _, l := range labels {
		b = appendLabel(b, l.Name, l.Value)
	}
	return b
}

// someText draws text without the one rune that PromQL does not read.
func someText() *rapid.Generator[string] {
	return rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r != utf8.RuneError }), 1, -1, 300)
}

// someLabels draws sorted labels, __name__ among them.
func someLabels() *rapid.Generator[[]Label] {
	texts := rapid.OneOf(someText(), rapid.StringMatching(`[a-z]{1,5}`))
	return rapid.Map(rapid.MapOfN(texts, texts, 0, 10), func(m map[string]string) []Label {
		m["__name__"] = "m"
		var labels []Label
		for _, name := range slices.Sorted(maps.Keys(m)) {
			labels = append(labels, Label{name, m[name]})
		}
		return labels
	})
}

func TestSeriesAreEncodedAsPrompbEncodesThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := append(someLabels().Draw(t, "labels"), Label{"~", strings.Repeat("x", rapid.IntRange(1, 20000).Draw(t, "length"))})
		var want prompb.TimeSeries
		for _, l := range labels {
			want.Labels = append(want.Labels, prompb.Label{Name: l.Name, Value: l.Value})
		}
		wire, err := want.Marshal()
		require.NoError(t, err)
		s := newSeries(encoded(labels...))
		require.Equal(t, string(wire), s.Encoded)
		require.Equal(t, xxhash.Sum64(wire), s.Hash)
		var got []Label
		for name, value := range s.All() {
			got = append(got, Label{name, value})
		}
		require.Equal(t, labels, got)
	})
}

func TestSeriesStopsWhereTheLoopDoes(t *testing.T) {
	s := newSeries(encoded(Label{"a", "1"}, Label{"b", "2"}))
	for name := range s.All() {
		require.Equal(t, "a", name)
		break
	}
}

func TestSeriesPrintsAsPrometheusDoes(t *testing.T) {
	f := func(want string, labels ...Label) {
		t.Helper()
		require.Equal(t, want, newSeries(encoded(labels...)).String())
	}
	f(`m`, Label{"__name__", "m"})
	f(`m{a="1", b="2\"\n"}`, Label{"__name__", "m"}, Label{"a", "1"}, Label{"b", "2\"\n"})
	f(`{a="1"}`, Label{"a", "1"})
	f(`{}`)
	f(`{"my.metric"}`, Label{"__name__", "my.metric"})
	f(`{"my.metric", a="1"}`, Label{"__name__", "my.metric"}, Label{"a", "1"})
	f(`m{"a.b"="1"}`, Label{"__name__", "m"}, Label{"a.b", "1"})
}

func TestSeriesPrintsWhatPromQLReads(t *testing.T) {
	promql := parser.NewParser(parser.Options{})
	rapid.Check(t, func(t *rapid.T) {
		given := someLabels().Draw(t, "labels")
		for i := range given {
			if given[i].Name == "__name__" {
				given[i].Value = someText().Draw(t, "name")
			}
		}
		text := newSeries(encoded(given...)).String()
		read, err := promql.ParseMetric(text)
		require.NoError(t, err, text)
		var got []Label
		read.Range(func(l labels.Label) { got = append(got, Label{l.Name, l.Value}) })
		require.Equal(t, given, got, text)
	})
}

func TestSanitisedNamesAreValidAndStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringN(1, -1, -1).Draw(t, "name")
		label, ok := sanitiseNames.label(name)
		require.True(t, ok)
		require.True(t, model.LegacyValidation.IsValidLabelName(label))
		again, _ := sanitiseNames.label(label)
		require.Equal(t, label, again)
		if model.LegacyValidation.IsValidLabelName(name) {
			require.Equal(t, name, label)
		}
		metric, ok := sanitiseNames.metric(name)
		require.True(t, ok)
		require.True(t, model.LegacyValidation.IsValidMetricName(metric))
		if model.LegacyValidation.IsValidMetricName(name) {
			require.Equal(t, name, metric)
		}
	})
}

func TestNamesThatAreNone(t *testing.T) {
	for _, n := range []naming{sanitiseNames, utf8Names, strictNames} {
		_, ok := n.label("")
		require.False(t, ok)
		_, ok = n.metric("")
		require.False(t, ok)
	}
	_, ok := utf8Names.label("a\xff")
	require.False(t, ok)
	label, ok := sanitiseNames.label("a\xffb")
	require.True(t, ok)
	require.Equal(t, "a_b", label)
}
