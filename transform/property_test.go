package transform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

// everyRule has each kind of rule once, over the keys a to e.
const everyRule = `
samples:
  - {name: one, value: a, labels: {b: b, c: c.a, part: $partition}, timestamp: {path: d, format: s}}
  - {value: a, labels_from: [b, c]}
  - {name: "f_${field}", values_from: c, labels: {a: "${a}-${b}"}}
  - {name: "e_${$index}", each: d, value: a, labels: {b: b, root: $record.b}, labels_from: c}
  - {name: s, each: e, value: .}
limits: {series_cache: 4}
`

// smallJSON draws records that everyRule finds something in.
func smallJSON() *rapid.Generator[any] {
	scalar := rapid.SampledFrom([]any{nil, true, 1.0, 2.5, -3.0, 1e300, "", "x", "y z", "7", "2024-08-15T17:00:00Z", "å\"\\\n"})
	names := rapid.SampledFrom([]string{"a", "b", "c", "__name__", "x.y", "x_y", "__x", "å"})
	object := rapid.Map(rapid.MapOfN(names, scalar, 0, 4), func(m map[string]any) any { return m })
	member := rapid.OneOf(scalar, object, object)
	list := rapid.Map(rapid.SliceOfN(rapid.OneOf(scalar, rapid.Map(rapid.MapOfN(names, member, 0, 3), func(m map[string]any) any { return m })), 0, 3),
		func(l []any) any { return l })
	return rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), rapid.OneOf(scalar, object, list), 0, 5),
		func(m map[string]any) any { return m })
}

// sortedOutcome is an outcome without the order, in which trees and text differ.
func sortedOutcome(t require.TestingT, m *Mapper, rec *kgo.Record, batch uint64) []string {
	var out Output
	v, err := m.Apply(rec, batch, &out)
	require.NoError(t, err)
	got := strings.Split(outcome(v, &out), "\n")
	slices.Sort(got)
	for _, r := range out.Refused {
		require.NotEqual(t, ReasonPanic, r.Reason)
	}
	return got
}

func TestKnownSeriesGiveWhatNewOnesDo(t *testing.T) {
	cfg := parseConfig(t, everyRule)
	rapid.Check(t, func(t *rapid.T) {
		warm, err := NewMapper(cfg, Options{})
		require.NoError(t, err)
		for batch := range uint64(rapid.IntRange(1, 30).Draw(t, "records")) {
			doc, err := json.Marshal(smallJSON().Draw(t, "record"))
			require.NoError(t, err)
			cold, err := NewMapper(cfg, Options{})
			require.NoError(t, err)
			require.Equal(t, sortedOutcome(t, cold, testRecord(string(doc)), 1), sortedOutcome(t, warm, testRecord(string(doc)), batch+1), string(doc))
			if rapid.Bool().Draw(t, "lands") {
				warm.Landed(batch + 1)
			}
		}
		warm.cache.requireConsistent(t)
	})
}

// decodeJSON is a treeDecoder on top of encoding/json.
func decodeJSON(rec *kgo.Record) (any, error) {
	var decoded any
	decoder := json.NewDecoder(bytes.NewReader(rec.Value))
	decoder.UseNumber()
	if err := decoder.Decode(&decoded); err != nil {
		return nil, &decodeError{Reason: ReasonNotDecodable, Text: err.Error()}
	}
	return decoded, nil
}

func TestTextGivesWhatItsTreeDoes(t *testing.T) {
	cfg := parseConfig(t, everyRule)
	rapid.Check(t, func(t *rapid.T) {
		text, err := NewMapper(cfg, Options{})
		require.NoError(t, err)
		trees, err := NewMapper(cfg, Options{})
		require.NoError(t, err)
		trees.decoder = treeFunc(decodeJSON)
		for range 3 {
			doc, err := json.Marshal(smallJSON().Draw(t, "record"))
			require.NoError(t, err)
			require.Equal(t, sortedOutcome(t, trees, testRecord(string(doc)), 1), sortedOutcome(t, text, testRecord(string(doc)), 1), string(doc))
		}
	})
}

// spelled writes a JSON string with some of its characters as escapes.
func spelled(t *rapid.T, s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x10000 && rapid.Bool().Draw(t, "escaped") {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		quoted, err := json.Marshal(string(r))
		require.NoError(t, err)
		b.Write(quoted[1 : len(quoted)-1])
	}
	return `"` + b.String() + `"`
}

func TestOrderAndSpellingOfLabelsDoNotMatter(t *testing.T) {
	m := newTestMapper(t, `{samples: [{value: v, labels_from: l}], label_names: utf8}`)
	rapid.Check(t, func(t *rapid.T) {
		labels := someLabels().Filter(func(ls []Label) bool {
			return !slices.ContainsFunc(ls, func(l Label) bool {
				return l.Name != "__name__" && strings.HasPrefix(l.Name, "__") || len(l.Name) > 256
			})
		}).Draw(t, "labels")
		var first *Series
		for range 3 {
			var pairs []string
			for _, l := range rapid.Permutation(labels).Draw(t, "order") {
				pairs = append(pairs, spelled(t, l.Name)+rapid.SampledFrom([]string{":", " : "}).Draw(t, "colon")+spelled(t, l.Value))
			}
			var out Output
			v, err := m.Apply(testRecord(`{"v":1,"l":{`+strings.Join(pairs, ",")+`}}`), 1, &out)
			require.NoError(t, err)
			require.Equal(t, Mapped, v, "%v", out.Refused)
			s := out.Samples[0].Series
			require.Equal(t, string(encoded(labels...)), s.Encoded)
			if first == nil {
				first = s
			}
			require.Same(t, first, s)
		}
	})
}

func TestNumbersKeepTheirBits(t *testing.T) {
	m := newTestMapper(t, `samples: [{name: m, value: v}]`)
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Uint64(), math.Float64frombits)).Filter(func(f float64) bool {
			return !math.IsNaN(f) && !math.IsInf(f, 0)
		}).Draw(t, "number")
		form := rapid.SampledFrom([]byte("efg")).Draw(t, "form")
		number := strconv.FormatFloat(f, form, -1, 64)
		for _, text := range []string{number, `"` + number + `"`} {
			var out Output
			_, err := m.Apply(testRecord(`{"v":`+text+`}`), 1, &out)
			require.NoError(t, err)
			require.Len(t, out.Samples, 1, text)
			require.Equal(t, math.Float64bits(f), math.Float64bits(out.Samples[0].Value), text)
		}
	})
}
