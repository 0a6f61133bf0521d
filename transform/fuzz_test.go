package transform

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/require"
)

// FuzzJSON holds the scanner against encoding/json, and maps whatever comes.
func FuzzJSON(f *testing.F) {
	for _, doc := range jsonSeeds() {
		f.Add([]byte(doc))
	}
	f.Add([]byte(`{"a":1.5,"b":{"__name__":"m","x":"y"},"c":{"a":1,"b":true},"d":[{"a":1,"b":"x","c":{}},null,7],"e":[1,"2"]}`))
	f.Add([]byte(`{"a":"1","b":"\ud83d\ude00","c":{"\u0061":2},"d":1700000000.5}`))
	cfg := parseConfig(f, everyRule)
	m, err := NewMapper(cfg, Options{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, doc []byte) {
		if len(doc) < maxDepth {
			requireAgreement(t, doc)
		}
		rec := testRecord("")
		rec.Value = doc
		once := sortedOutcome(t, m, rec, 1)
		require.Equal(t, once, sortedOutcome(t, m, rec, 1))
		if len(doc) > 0 && (!json.Valid(doc) || !utf8.Valid(doc)) {
			require.Len(t, once, 2, "a document that is not valid gave more than its refusal")
		}
	})
}

// FuzzPath reads paths and templates, and the canonical form of what it has read.
func FuzzPath(f *testing.F) {
	for _, s := range []string{`.`, `a.b["c.d"][0]\.e`, `$record["x"].y`, `$header.a-b`, `a${b}c${["}"]}`, `${`, `$`, `a..`, `[99999]`, `\`, `${$header.x}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if parts, err := parseTemplate(s); err == nil {
			var b strings.Builder
			for _, p := range parts {
				if p.path == nil {
					b.WriteString(p.fixed)
					continue
				}
				b.WriteString("${" + p.path.source + "}")
			}
			require.Equal(t, s, b.String())
		}
		p, err := parsePath(s)
		if err != nil {
			return
		}
		require.Equal(t, s, p.source)
		if p.origin != fromElement || len(p.steps) == 0 {
			return
		}
		var b strings.Builder
		for _, step := range p.steps {
			if step.index >= 0 {
				b.WriteString("[" + strconv.Itoa(step.index) + "]")
				continue
			}
			b.WriteString("[" + strconv.Quote(step.key) + "]")
		}
		again, err := parsePath(b.String())
		require.NoError(t, err, b.String())
		require.Equal(t, p.steps, again.steps)
	})
}

// FuzzTimestamp holds the readers against the package time and against exact
// arithmetic.
func FuzzTimestamp(f *testing.F) {
	for _, s := range []string{
		"2024-08-15T17:00:00", "2024-08-15T17:00:00.123456789Z", "2024-02-29 23:59:59-23:59", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.9+00:01",
		"1700000000", "1700000000.123", "-1.5e3", "1e-9", "1e400", "+5", "9223372036854775807", ".5", "5.",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ms, ok := parseRFC3339(s, time.UTC); ok {
			text := strings.ToUpper(strings.Replace(s, " ", "T", 1))
			if !strings.HasSuffix(text, "Z") && !strings.ContainsAny(text[len("2006-01-02"):], "+-") {
				text += "Z"
			}
			want, err := time.Parse(time.RFC3339, text)
			require.NoError(t, err)
			require.Equal(t, want.UnixMilli(), ms)
		}
		for _, unit := range []int{3, 0, -6} {
			requireExactEpoch(t, s, unit)
		}
	})
}

// requireExactEpoch compares parseEpoch with rational numbers.
func requireExactEpoch(t *testing.T, s string, unit int) {
	t.Helper()
	ms, reason := parseEpoch(s, unit)
	if reason != "" || len(s) > 30 {
		return
	}
	if _, exponent, _ := strings.Cut(strings.ToLower(s), "e"); len(exponent) > 3 {
		return // Exact, but not for big.Rat to work out.
	}
	exact, ok := new(big.Rat).SetString(s)
	require.True(t, ok, s)
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(unit, -unit))), nil))
	if unit < 0 {
		scale.Inv(scale)
	}
	exact.Mul(exact, scale)
	require.Equal(t, new(big.Int).Div(exact.Num(), exact.Denom()).String(), strconv.FormatInt(ms, 10), s)
}

// FuzzLabels makes series of any names and values, and checks what receivers
// demand of them.
func FuzzLabels(f *testing.F) {
	f.Add("m", "a", "1", "b", "2")
	f.Add("my.metric", "2nd", "å", "__x", "y")
	f.Add("", "a.b", "x", "a-b", "y")
	f.Add("\xff", "\xff", "\xff", "", "\x00")
	var mappers []*Mapper
	for _, naming := range []string{"sanitize", "utf8", "strict"} {
		mappers = append(mappers, newTestMapper(f, `{samples: [{value: v, labels_from: l, labels: {key: $key}}], label_names: `+naming+`}`))
	}
	f.Fuzz(func(t *testing.T, name, n1, v1, n2, v2 string) {
		for i, m := range mappers {
			var out Output
			rec := testRecord("x")
			rec.Key = []byte(v1)
			m.decoder = treeOf(tree{"v": 1, "l": tree{"__name__": name, n1: v1, n2: v2}})
			_, err := m.Apply(rec, 1, &out)
			require.NoError(t, err)
			for _, r := range out.Refused {
				require.NotEqual(t, ReasonPanic, r.Reason)
				require.True(t, utf8.ValidString(r.Text))
			}
			for _, s := range out.Samples {
				requireDeliverable(t, s.Series, namingScheme(i))
			}
		}
	})
}

func namingScheme(i int) model.ValidationScheme {
	if i == int(utf8Names) {
		return model.UTF8Validation
	}
	return model.LegacyValidation
}

// requireDeliverable checks the labels of a series as a receiver reads them.
func requireDeliverable(t *testing.T, s *Series, scheme model.ValidationScheme) {
	t.Helper()
	var got prompb.TimeSeries
	require.NoError(t, got.Unmarshal([]byte(s.Encoded)))
	last, named := "", false
	for _, l := range got.Labels {
		require.Greater(t, l.Name, last, "labels are sorted and appear once")
		last = l.Name
		require.NotEmpty(t, l.Value)
		require.True(t, utf8.ValidString(l.Value))
		require.True(t, scheme.IsValidLabelName(l.Name))
		if l.Name == model.MetricNameLabel {
			named = true
			require.True(t, scheme.IsValidMetricName(l.Value))
			continue
		}
		require.False(t, strings.HasPrefix(l.Name, "__"))
	}
	require.True(t, named)
}
