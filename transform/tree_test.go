package transform

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// mappedTree maps a tree and returns its outcome, which must be the same when the
// series are known.
func mappedTree(t *testing.T, config string, tree any) string {
	t.Helper()
	m := newTestMapper(t, config)
	m.decoder = treeOf(tree)
	v, out := apply(t, m, testRecord("x"))
	cold := outcome(v, out)
	v, out = apply(t, m, testRecord("x"))
	require.Equal(t, cold, outcome(v, out), "the second record differs from the first")
	return cold
}

type tree = map[string]any

func TestTreesFollowTheSameRules(t *testing.T) {
	got := mappedTree(t, `
samples:
  - {name: m, value: a.v, labels: {l: a.l, i: 'list[1]', none: 'list[9]'}, labels_from: tags, timestamp: at}
  - {name: "m_${field}", values_from: fields}
  - {name: e, each: list, value: ., labels: {index: $index}}
  - {name: p, each: points, value: v, labels: {l: l, root: $record.a.l}}
`, tree{
		"a":      tree{"v": 1.5, "l": "x"},
		"tags":   tree{"b": "2", "a": int64(7), "c": nil, "d": ""},
		"at":     time.UnixMilli(5000),
		"fields": tree{"b": int32(2), "a": float32(0.5), "c": "3", "d": true, "e": tree{}},
		"list":   []any{1.0, 2.0},
		"points": []any{tree{"v": 1, "l": "y"}, nil, tree{}, "z"},
	})
	require.Equal(t, lines(
		`m{a="7", b="2", i="2", l="x"} 1.5 1970-01-01T00:00:05Z`,
		`m_a 0.5`,
		`m_b 2`,
		`m_d 1`,
		`e{index="0"} 1`,
		`e{index="1"} 2`,
		`p{l="y", root="x"} 1`,
		`not_an_object: samples[3] (p): element 3 of points: found the text "z", want an object`,
		`skipped: 4`), got)
}

func TestTreesThatAreNoObjects(t *testing.T) {
	const config = `samples: [{name: m, value: v}]`
	require.Equal(t, "not_an_object: found an array, want an object\n", mappedTree(t, config, []any{1}))
	require.Equal(t, "not_an_object: found null, want an object\n", mappedTree(t, config, nil))
	require.Equal(t, "m 3\n", mappedTree(t, `samples: [{name: m, value: .}]`, int64(3)))
	require.Equal(t, "m 1\nm 2\n", mappedTree(t, `samples: [{name: m, each: ., value: v}]`, []any{tree{"v": 1}, tree{"v": 2}}))
}

func TestTreeValuesOfEveryType(t *testing.T) {
	f := func(given any, number, label string) {
		t.Helper()
		require.Equal(t, number, mappedTree(t, `samples: [{name: m, value: v}]`, tree{"v": given}), "as a value")
		require.Equal(t, label, mappedTree(t, `samples: [{name: m, value: one, labels: {l: v}}]`, tree{"one": 1, "v": given}), "as a label")
		require.Equal(t, label, mappedTree(t, `samples: [{name: m, value: one, labels_from: l}]`, tree{"one": 1, "l": tree{"l": given}}), "in a map of labels")
	}
	at := time.Date(2024, 8, 15, 17, 0, 0, 500_000_000, time.FixedZone("", 3600))
	f(1.5, "m 1.5\n", "m{l=\"1.5\"} 1\n")
	f(1e21, "m 1e+21\n", "m{l=\"1e+21\"} 1\n")
	f(1e20, "m 1e+20\n", "m{l=\"100000000000000000000\"} 1\n")
	f(1e-7, "m 1e-07\n", "m{l=\"1e-07\"} 1\n")
	f(float32(0.1), "m 0.10000000149011612\n", "m{l=\"0.1\"} 1\n")
	f(int(-3), "m -3\n", "m{l=\"-3\"} 1\n")
	f(int32(3), "m 3\n", "m{l=\"3\"} 1\n")
	f(int64(1<<53+1), "m 9.007199254740992e+15\n", "m{l=\"9007199254740993\"} 1\n")
	f(uint32(3), "m 3\n", "m{l=\"3\"} 1\n")
	f(uint64(1<<64-1), "m 1.8446744073709552e+19\n", "m{l=\"18446744073709551615\"} 1\n")
	f(true, "m 1\n", "m{l=\"true\"} 1\n")
	f(false, "m 0\n", "m{l=\"false\"} 1\n")
	f("2.5", "m 2.5\n", "m{l=\"2.5\"} 1\n")
	f([]byte("2.5"), "m 2.5\n", "m{l=\"2.5\"} 1\n")
	f(json.Number("2.50"), "m 2.5\n", "m{l=\"2.50\"} 1\n")
	f(big.NewRat(5, 2), "m 2.5\n", "m{l=\"2.5\"} 1\n")
	f(1500*time.Millisecond, "m 1.5\n", "m{l=\"1.5\"} 1\n")
	f(at, "m 1.7237376005e+09\n", "m{l=\"2024-08-15T16:00:00.5Z\"} 1\n")
	f(nil, "filtered: no_value\nskipped: 1\n", "m 1\n")
}

func TestTreeValuesThatNoRuleCanUse(t *testing.T) {
	require.Equal(t, "wrong_type: samples[0] (m): label l: l: found an array, want text, a number or a boolean\n",
		mappedTree(t, `samples: [{name: m, value: v, labels: {l: l}}]`, tree{"v": 1, "l": []any{}}))
	require.Equal(t, "wrong_type: samples[0] (m): labels_from l: \"a\": found an object, want text, a number or a boolean\n",
		mappedTree(t, `samples: [{name: m, value: v, labels_from: l}]`, tree{"v": 1, "l": tree{"a": tree{"b": 1}}}))
	require.Equal(t, "bad_label: samples[0] (m): the value \"a\\xff\" of label \"l\" is not UTF-8\n",
		mappedTree(t, `samples: [{name: m, value: v, labels: {l: l}}]`, tree{"v": 1, "l": "a\xff"}))
}

func TestTreesThatLookAlikeAreToldApart(t *testing.T) {
	const paths = `samples: [{name: m, value: one, labels: {a: a, b: b}}]`
	const maps = `samples: [{name: m, value: one, labels_from: l}]`
	f := func(config string, trees ...tree) {
		t.Helper()
		m := newTestMapper(t, config)
		for i, given := range trees {
			given["one"] = 1
			m.decoder = treeOf(given)
			v, out := apply(t, m, testRecord("x"))
			require.Equal(t, mappedTree(t, config, given), outcome(v, out), i)
			require.Equal(t, i+1, m.Series())
		}
	}
	tab := string(rune(text)) // What stands in front of a text in the key of the cache.
	f(paths, tree{"a": "1" + tab + "2", "b": "3"}, tree{"a": "1", "b": "2" + tab + "3"})
	f(paths, tree{"a": int64(1)}, tree{"a": true}, tree{"a": math.Float64frombits(1)}, tree{"b": int64(1)})
	f(paths, tree{"a": 0.1}, tree{"a": float64(float32(0.1))})
	f(maps, tree{"l": tree{"a": "1" + tab + "b", "b": "2"}}, tree{"l": tree{"a": "1", "b": tab + "b2"}})
	f(maps, tree{"l": tree{"a": "b", "c": nil}}, tree{"l": tree{"a": "b", "c": "d"}})
}

func TestTreesOfOneSeriesAreFoundAgain(t *testing.T) {
	m := newTestMapper(t, `samples: [{name: m, value: one, labels_from: l}]`)
	for range 50 { // Maps range in another order each time.
		m.decoder = treeOf(tree{"one": 1, "l": tree{"a": "1", "b": int64(2), "c": true, "d": 1.5, "e": nil, "f": "6", "g": "7"}})
		apply(t, m, testRecord("x"))
	}
	require.InDelta(t, 1, testutil.ToFloat64(m.cache.metrics.misses), 0)
}

func TestAvroRecordsAreMapped(t *testing.T) {
	cfg := parseConfig(t, `{format: avro, samples: [{name: m, value: value, labels_from: labels, timestamp: ts}]}`)
	cfg.Avro.Schema = sampleSchema
	m, err := NewMapper(cfg, Options{})
	require.NoError(t, err)
	rec := testRecord("")
	rec.Value = encode(t, sampleSchema, tree{"labels": tree{"site": "oslo"}, "value": 1.5, "ts": int64(1723741200000)})
	for range 2 {
		v, out := apply(t, m, rec)
		require.Equal(t, "m{site=\"oslo\"} 1.5 2024-08-15T17:00:00Z\n", outcome(v, out))
	}
	rec.Value = []byte("x")
	_, out := apply(t, m, rec)
	require.Equal(t, ReasonNotDecodable, out.Refused[0].Reason)
	require.Equal(t, StageDecode, out.Refused[0].Stage)
}

func TestNewMapperNeedsTheRegistryThatIsConfigured(t *testing.T) {
	cfg := parseConfig(t, `{format: avro, schema_registry: {url: "http://localhost:1"}, samples: [{name: m, value: v}]}`)
	_, err := NewMapper(cfg, Options{})
	require.EqualError(t, err, "making the decoder: the schema registry is configured, but not connected")
	cfg = parseConfig(t, `{format: avro, avro: {schema: "{"}, samples: [{name: m, value: v}]}`)
	_, err = NewMapper(cfg, Options{})
	require.ErrorContains(t, err, "making the avro decoder: ")
}

func TestMetadataOfARecordWithoutAny(t *testing.T) {
	m := newTestMapper(t, `samples: [{name: m, value: v, labels: {key: $key, h: $header.h}}]`)
	rec := &kgo.Record{Topic: "t", Value: []byte(`{"v":1}`), Timestamp: time.UnixMilli(recordTime), Headers: []kgo.RecordHeader{{Key: "h"}}}
	v, out := apply(t, m, rec)
	require.Equal(t, "m 1\n", outcome(v, out))
	rec.Key, rec.Headers[0].Value = []byte{}, []byte{}
	v, out = apply(t, m, rec)
	require.Equal(t, "m 1\n", outcome(v, out))
	rec.Timestamp = time.UnixMilli(-1)
	_, out = apply(t, m, rec)
	require.Equal(t, ReasonTimestampRange, out.Refused[0].Reason)
	require.Equal(t, "samples[0] (m): timestamp of the record: found 1969-12-31T23:59:59.999Z, want none before 1970-01-01T00:00:01Z (limits.min_timestamp)",
		out.Refused[0].Text)
}
