package transform

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestAvroOfUnusualForms holds what few writers write against the library, with all of
// a value wanted and with a part of it.
func TestAvroOfUnusualForms(t *testing.T) {
	f := func(schema string, value []byte, ok bool) {
		t.Helper()
		record := `{"type": "record", "name": "R", "fields": [{"name": "x", "type": ` + schema + `}, {"name": "v", "type": "boolean"}]}`
		for _, only := range [][]string{nil, {"x"}} {
			d := inlineDecoder(t, record)
			if only != nil {
				d.only(only)
			}
			value := append(slices.Clip(value), 1)
			if ok {
				_, err := d.decodeTree(&kgo.Record{Value: value})
				require.NoError(t, err)
				continue
			}
			requireRefused(t, d, value, ReasonNotDecodable)
		}
	}
	const longs, ints = `{"type": "array", "items": "long"}`, `{"type": "map", "values": "int"}`
	f(ints, []byte{4, 2, 'a', 2, 2, 'a', 4, 2, 2, 'a', 6, 0}, true) // The last of three wins.
	f(longs, append(varints(-1, 99, 7), 0), true)                   // A size that is wrong, and not needed.
	f(longs, append(varints(-1, -99, 7), 0), true)
	f(longs, varints(math.MinInt64, 1), false)
	f(`"int"`, []byte{0x82, 0x80, 0x80, 0x80, 0x00}, true)
	f(`"int"`, []byte{0x82, 0x80, 0x80, 0x80, 0x80, 0x00}, false)
	f(`"int"`, varints(math.MaxInt32+1), false)
	f(`"long"`, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, true)
	f(`"long"`, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, false)
	f(`["null", "int"]`, []byte{0x80, 0x00}, true)
	f(`["null", "int"]`, varints(-1), false)
	f(`{"type": "long", "logicalType": "time-micros"}`, varints(math.MaxInt64/1000+1), false)
	f(`{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}`, append(varints(9), 1, 2, 3, 4, 5, 6, 7, 8, 9)[:1], false)
}

// TestAvroThatNothingWantsIsSkipped holds skipping against the library.
func TestAvroThatNothingWantsIsSkipped(t *testing.T) {
	f := func(schema string, value []byte, ok bool) {
		t.Helper()
		d := inlineDecoder(t, `{"type": "record", "name": "R", "fields": [{"name": "x", "type": `+schema+`}, {"name": "v", "type": "boolean"}]}`)
		d.only([]string{"v"})
		value = append(slices.Clip(value), 1)
		if ok {
			_, err := d.decodeTree(&kgo.Record{Value: value})
			require.NoError(t, err)
			return
		}
		requireRefused(t, d, value, ReasonNotDecodable)
	}
	const longs, ints = `{"type": "array", "items": "long"}`, `{"type": "map", "values": "int"}`
	f(longs, append(varints(-50, 2), 0xff, 0xff, 0), true) // What a sized block holds is not looked at.
	f(longs, varints(-1, -2, 7, 0), false)
	f(longs, varints(-1, 99, 7, 0), false)
	f(longs, varints(-1, 0, 7, 0), true)
	f(longs, varints(9, 7, 0), false)
	f(ints, []byte{2, 2, 'a', 2, 0}, true)
	f(ints, []byte{2, 9, 'a', 2, 0}, false)
	f(`["null", "long"]`, varints(2, 0), false)
	f(`{"type": "enum", "name": "E", "symbols": ["A"]}`, varints(7), true)
	f(`{"type": "fixed", "name": "F", "size": 4}`, []byte{1, 2, 3}, false)
}

func TestAvroKeysThatAreThereTwiceCountOnce(t *testing.T) {
	const schema = `{"type": "map", "values": ["double", {"type": "map", "values": "double"}]}`
	cfg := parseConfig(t, `{format: avro, samples: [{name: m, value: a.b}, {name: n, value: a.c}, {name: "f_${field}", values_from: .}]}`)
	cfg.Avro.Schema = schema
	one := append(make([]byte, 6), 0xf0, 0x3f)
	inner := func(key byte) []byte { return append(append([]byte{2, 'a', 2, 2, 2, key}, one...), 0) }
	outer := append([]byte{2, 'd', 0}, one...)
	value := slices.Concat([]byte{8}, inner('b'), outer, inner('c'), outer, []byte{0})
	requireSameOutcome(t, cfg, [][]byte{value})
	m, err := NewMapper(cfg, Options{})
	require.NoError(t, err)
	rec := testRecord(string(value))
	v, out := apply(t, m, rec)
	require.Equal(t, lines("n 1", "f_d 1", "skipped: 2"), outcome(v, out))
}
