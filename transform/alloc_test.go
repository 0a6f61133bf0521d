package transform

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMappingKnownSeriesAllocatesNothing(t *testing.T) {
	f := func(config, record string) {
		t.Helper()
		m := newTestMapper(t, config)
		rec := testRecord(record)
		var out Output
		allocs := testing.AllocsPerRun(100, func() {
			out.Reset()
			if v, err := m.Apply(rec, 1, &out); v != Mapped || err != nil {
				t.Error(v, err, out.Refused)
			}
		})
		require.Zero(t, allocs, record)
	}
	f(`samples: [{value: v, labels_from: l, timestamp: t}]`, `{"l":{"__name__":"m","a":"b"},"v":1.5,"t":1700000000000}`)
	f(`samples: [{name: m, value: a.v, timestamp: {path: a.t, format: s}, labels: {x: x, y: 'y[1]', k: $key, h: $header.site, o: $offset}}]`,
		`{"a":{"v":"1.5","t":"1700000000.25"},"x":"\u00e5","y":[1,2]}`)
	f(`{samples: [{name: m, value: v, timestamp: t}], zone: Europe/Oslo, limits: {max_future: 10000h}}`, `{"v":true,"t":"2024-08-15T17:00:00.5"}`)
	f(`samples: [{name: m, value: v, timestamp: t}]`, `{"v":1,"t":"2024-08-15T17:00:00+02:00"}`)
	f(`samples: [{name: m, value: v, timestamp: {path: t, format: "%Y-%m-%d"}}]`, `{"v":1,"t":"2024-08-15"}`)
	f(`samples: [{name: "${name}_${field}", values_from: fields, labels_from: tags}]`, `{"fields":{"a":1,"b":true,"c":"x"},"name":"cpu","tags":{"h":"x"}}`)
	f(`samples: [{name: m, each: a, value: v, labels: {l: l, i: $index}}, {name: n, each: b, value: .}]`, `{"a":[{"v":1,"l":"x"},{"v":2,"l":"y"}],"b":[1,2,3]}`)
}

func TestMappingKnownSeriesOfAvroAllocatesNothing(t *testing.T) {
	const schema = `{"type": "record", "name": "R", "fields": [
		{"name": "noise", "type": {"type": "map", "values": ["null", "string"]}},
		{"name": "l", "type": {"type": "map", "values": "string"}},
		{"name": "r", "type": {"type": "record", "name": "Tags", "fields": [{"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}}, {"name": "s", "type": ["null", "string"]}]}},
		{"name": "f", "type": {"type": "map", "values": "double"}},
		{"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
		{"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
		{"name": "here", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
		{"name": "id", "type": {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}},
		{"name": "p", "type": {"type": "array", "items": {"type": "record", "name": "P", "fields": [{"name": "v", "type": ["null", "float"]}, {"name": "n", "type": "string"}]}}}]}`
	datum := encode(t, schema, tree{
		"noise": tree{"a": "b"}, "l": tree{"__name__": "m", "a": "b"}, "r": tree{"e": "B", "s": "x"}, "f": tree{"x": 1.5, "y": 2.0},
		"d": big.NewRat(5, 2), "at": time.UnixMilli(recordTime), "here": int64(recordTime), "id": make([]byte, 16),
		"p": []any{tree{"v": float32(1), "n": "a"}, tree{"v": float32(2), "n": "b"}},
	})
	f := func(rules string) {
		t.Helper()
		cfg := parseConfig(t, "{format: avro, zone: Europe/Oslo, samples: ["+rules+"]}")
		cfg.Avro.Schema = schema
		m, err := NewMapper(cfg, Options{})
		require.NoError(t, err)
		rec := testRecord(string(datum))
		var out Output
		allocs := testing.AllocsPerRun(100, func() {
			out.Reset()
			if v, err := m.Apply(rec, 1, &out); v != Mapped || err != nil {
				t.Error(v, err, out.Refused)
			}
		})
		require.Zero(t, allocs, rules)
	}
	f(`{value: d, labels_from: l, timestamp: at}`)
	f(`{name: m, value: 'p[1].v', labels_from: r, labels: {id: id, a: l.a}, timestamp: here}`)
	f(`{name: "m_${field}", values_from: f, labels_from: [l, r]}`)
	f(`{name: m, each: p, value: v, labels: {n: n, i: $index, e: $record.r.e}}`)
}
