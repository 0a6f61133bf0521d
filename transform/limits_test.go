package transform

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// edgeValue gives four samples of two series, and has ten values.
var edgeValue = map[string]any{
	"v": 1.5, "l": map[string]any{"ab": "xyz", "c": "d"}, "e": []any{1.0, 2.0, 3.0}, "t": int64(1700000000000),
}

const edgeSchema = `{"type": "record", "name": "R", "fields": [
	{"name": "v", "type": "double"}, {"name": "l", "type": {"type": "map", "values": "string"}},
	{"name": "e", "type": {"type": "array", "items": "double"}}, {"name": "t", "type": "long"}]}`

const edgeRules = `samples: [{name: m, value: v, labels_from: l, timestamp: t}, {name: n, each: e, value: ., timestamp: $record.t}]`

// atEdge maps the value of the edges, in a format, with one limit set.
func atEdge(t *testing.T, format string, key limit, set string) (m *Mapper, out *Output) {
	t.Helper()
	cfg := parseConfig(t, fmt.Sprintf("{%s, limits: {%s: %s}}", edgeRules, key, set))
	rec := testRecord("")
	if cfg.Format = format; format == formatAvro {
		cfg.Avro.Schema = edgeSchema
		rec.Value = encode(t, edgeSchema, edgeValue)
	} else {
		doc, err := json.Marshal(edgeValue)
		require.NoError(t, err)
		rec.Value = doc
	}
	m, err := NewMapper(cfg, Options{Now: func() time.Time { return time.UnixMilli(1700000000000 - 5000) }})
	require.NoError(t, err)
	_, out = apply(t, m, rec)
	return m, out
}

// requireExceeded checks that each limit was exceeded so often, and the others never.
func (c limitCounters) requireExceeded(t *testing.T, want map[limit]int) {
	t.Helper()
	for key, counter := range c {
		require.InDelta(t, want[key], testutil.ToFloat64(counter), 0, key)
	}
}

func TestEveryLimitHoldsAtItsEdge(t *testing.T) {
	seen := map[limit]bool{}
	// What is exactly at the limit passes; with the limit one lower so many refusals say
	// what was found.
	f := func(format string, key limit, exact, lower string, refused int, text string) {
		t.Helper()
		seen[key] = true
		m, out := atEdge(t, format, key, exact)
		require.Empty(t, out.Refused, "%s at its limit", key)
		require.Len(t, out.Samples, 4)
		m.metrics.limits.requireExceeded(t, nil)

		m, out = atEdge(t, format, key, lower)
		require.Len(t, out.Refused, refused, "%s beyond its limit", key)
		for _, r := range out.Refused {
			require.Contains(t, r.Text, text+" (limits."+string(key)+")")
			require.Equal(t, exceeds(key, "").reason, r.Reason)
		}
		m.metrics.limits.requireExceeded(t, map[limit]int{key: refused})
	}
	json, avro := formatJSON, formatAvro
	f(json, limitRecordBytes, "64", "63", 1, "the record has 64 bytes, want at most 63")
	f(avro, limitRecordBytes, "53", "52", 1, "the record has 53 bytes, want at most 52")
	f(json, limitDepth, "2", "1", 1, "found an object or array 2 deep at byte 5, want at most 1")
	f(avro, limitDepth, "2", "1", 1, "found a record, array or map 2 deep, want at most 1")
	f(json, limitNodes, "10", "9", 1, "found more than 9 values at byte 60, want at most 9")
	f(avro, limitNodes, "10", "9", 1, "found more than 9 values, want at most 9")
	for _, format := range []string{json, avro} {
		f(format, limitSamplesPerRecord, "4", "3", 1, "the record gives more than 3 samples, want at most 3")
		f(format, limitLabels, "3", "2", 1, "found 3 labels, want at most 2")
		f(format, limitNameBytes, "2", "1", 1, `the name "ab" has 2 bytes, want at most 1`)
		f(format, limitValueBytes, "3", "2", 1, `the value of label "ab" has 3 bytes, want at most 2`)
		f(format, limitSeries, "2", "1", 3, "found a new series while 1 are known, want at most 1")
		f(format, limitMinTimestamp, "2023-11-14T22:13:20Z", "2023-11-14T22:13:20.001Z", 4,
			"found 2023-11-14T22:13:20Z, want none before 2023-11-14T22:13:20.001Z")
		f(format, limitMaxFuture, "5s", "4999ms", 4, "found 2023-11-14T22:13:20Z, want none more than 4.999s ahead of the clock")
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(newLimitCounters())), slices.Collect(maps.Keys(seen)))
}

func TestAvroThatCouldFillTheMemoryExceedsTheBytesOfARecord(t *testing.T) {
	cfg := parseConfig(t, "{format: avro, samples: [{name: m, value: v}], limits: {record_bytes: 8}}")
	cfg.Avro.Schema = edgeSchema
	m, err := NewMapper(cfg, Options{})
	require.NoError(t, err)
	rec := testRecord("12345678")
	_, out := apply(t, m, rec)
	require.Equal(t, "8 bytes of this schema could take 0.00228 MiB of memory once decoded, want at most 0.00195 MiB, 256 times the bytes of a record (limits.record_bytes)",
		out.Refused[0].Text)
	m.metrics.limits.requireExceeded(t, map[limit]int{limitRecordBytes: 1})
}

func TestNodesCountWhereNothingIsWanted(t *testing.T) {
	const doc = `{"x":[[1,"2"],{"a":"b"},{},[]],"v":1}`
	f := func(limit int, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, fmt.Sprintf(`{samples: [{name: m, value: v}], limits: {nodes: %d}}`, limit), doc))
	}
	f(10, "m 1\n")
	f(9, "too_large: found more than 9 values at byte 35, want at most 9 (limits.nodes)\n")
	f(1, "too_large: found more than 1 values at byte 5, want at most 1 (limits.nodes)\n")
}

func TestNodesThatAreReadAgainAreNotCountedAgain(t *testing.T) {
	const config = `{samples: [{name: m, each: e, value: v, labels_from: l}, {name: "n_${$index}", each: e, value: v}], limits: {nodes: 10}}`
	require.Equal(t, lines(`m{a="b"} 1`, `m{a="c"} 2`, "n_0 1", "n_1 2"),
		mapped(t, config, `{"e":[{"v":1,"l":{"a":"b"}},{"v":2,"l":{"a":"c"}}]}`))
}

func TestAvroFieldsThatNothingWantsAreNoNodes(t *testing.T) {
	d := inlineDecoder(t, edgeSchema)
	d.limits.Nodes = 2
	d.only([]string{"v"})
	_, err := d.decodeTree(testRecord(string(encode(t, edgeSchema, edgeValue))))
	require.NoError(t, err)
}

func TestJSONHasAsManyNodesAsItsTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := anyJSON(4).Draw(t, "tree")
		doc, err := json.Marshal(tree)
		require.NoError(t, err)
		nodes := math.MaxInt - spare(tree, math.MaxInt)
		s := newScanner(Limits{Depth: 64, Nodes: nodes})
		require.NoError(t, s.document(doc, newPlan()))
		require.Zero(t, spare(tree, nodes))
		if nodes == 1 {
			return // A limit of 0 is the default.
		}
		s = newScanner(Limits{Depth: 64, Nodes: nodes - 1})
		require.ErrorContains(t, s.document(doc, newPlan()), "limits.nodes")
		require.Negative(t, spare(tree, nodes-1))
	})
}

func TestTheMemoryOfAvroBoundsItsNodes(t *testing.T) {
	f := func(schema string, value any) {
		t.Helper()
		parsed, err := parseAvro(schema)
		require.NoError(t, err)
		datum := encode(t, schema, value)
		tree, err := inlineDecoder(t, schema).decode(parsed, datum)
		require.NoError(t, err)
		require.LessOrEqual(t, float64(math.MaxInt32-spare(tree, math.MaxInt32)), maxNodes(parsed.cost.of(len(datum))))
	}
	f(`"int"`, 1)
	f(`"null"`, nil)
	f(edgeSchema, edgeValue)
	f(`{"type": "array", "items": "boolean"}`, make([]bool, 1000))
	f(`{"type": "array", "items": ["null", "int"]}`, make([]any, 1000))
	f(`{"type": "map", "values": "null"}`, map[string]any{"": nil, "a": nil, "b": nil})
	f(`{"type": "array", "items": {"type": "array", "items": "int"}}`, make([][]int, 1000))
	f(`{"type": "record", "name": "R", "fields": [{"name": "a", "type": "null"}, {"name": "b", "type": "null"}]}`, map[string]any{"a": nil, "b": nil})
}

// requireWithin checks that nothing of an output is beyond the limits.
func (l *Limits) requireWithin(t *testing.T, out *Output) {
	t.Helper()
	require.LessOrEqual(t, len(out.Samples), l.SamplesPerRecord)
	for _, s := range out.Samples {
		require.False(t, time.UnixMilli(s.Timestamp).Before(l.MinTimestamp))
		count := 0
		for name, value := range s.Series.All() {
			count++
			if name == "__name__" {
				name, value = value, ""
			}
			require.LessOrEqual(t, len(name), l.NameBytes)
			require.LessOrEqual(t, len(value), l.ValueBytes)
		}
		require.LessOrEqual(t, count, l.Labels)
	}
}

// FuzzLimits maps any JSON under tight limits, as text and as a tree.
func FuzzLimits(f *testing.F) {
	for _, doc := range jsonSeeds() {
		f.Add([]byte(doc))
	}
	f.Add([]byte(`{"a":1.5,"b":{"__name__":"m","x":"y"},"c":{"a":1,"b":true},"d":[{"a":1,"b":"x","c":{}},null,7],"e":[1,"2"]}`))
	cfg := parseConfig(f, everyRule)
	cfg.Limits = Limits{RecordBytes: 200, Depth: 3, Nodes: 20, SamplesPerRecord: 5, Labels: 3, NameBytes: 5, ValueBytes: 4, Series: 100, SeriesCache: 4}
	f.Fuzz(func(t *testing.T, doc []byte) {
		m, err := NewMapper(cfg, Options{})
		require.NoError(t, err)
		var out Output
		rec := testRecord("")
		rec.Value = doc
		_, err = m.Apply(rec, 1, &out)
		require.NoError(t, err)
		m.cfg.Limits.requireWithin(t, &out)
		tree, err := decodeJSON(rec)
		if err != nil || !json.Valid(doc) || !utf8.Valid(doc) {
			return
		}
		if len(doc) > 200 || deeper(tree, 3) || spare(tree, 20) < 0 {
			require.Len(t, out.Refused, 1)
			require.Contains(t, out.Refused[0].Text, "(limits.")
			require.Empty(t, out.Samples)
		}
		for _, r := range out.Refused {
			require.False(t, strings.HasSuffix(r.Text, "(limits.series)"), "a hundred series are not in %d values", 20)
		}
	})
}
