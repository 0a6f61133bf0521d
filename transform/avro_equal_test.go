package transform

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

// avroDraw draws schemas whose fields have the names that everyRule looks for, and
// values of them as any writer may write them: in blocks of any form, with keys twice,
// and with numbers of more bytes than they need.
type avroDraw struct {
	t     *rapid.T
	names int
}

// write draws a value.
type write func(dst []byte) []byte

func (d *avroDraw) number(n int64) []byte {
	b := binary.AppendVarint(nil, n)
	if len(b) < 4 && rapid.IntRange(0, 9).Draw(d.t, "longer") == 0 {
		b[len(b)-1] |= 0x80
		b = append(b, 0)
	}
	return b
}

func (d *avroDraw) sized(b string) []byte { return append(d.number(int64(len(b))), b...) }

func (d *avroDraw) fixed(size int) string {
	return string(rapid.SliceOfN(rapid.Byte(), size, size).Draw(d.t, "fixed"))
}

// scalar draws a type without others in it.
func (d *avroDraw) scalar() (string, write) {
	d.names++
	texts := rapid.SampledFrom([]string{"", "x", "7", "2.5", "2024-08-15T17:00:00Z", "å\"\n", "a\xff"})
	longs := rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64(), rapid.Int64Range(1.6e12, 1.8e12))
	ints := rapid.OneOf(rapid.Int32Range(-3, 3), rapid.Int32())
	word := func(dst []byte) []byte { return append(dst, d.sized(texts.Draw(d.t, "text"))...) }
	long := func(dst []byte) []byte { return append(dst, d.number(longs.Draw(d.t, "long"))...) }
	short := func(dst []byte) []byte { return append(dst, d.number(int64(ints.Draw(d.t, "int")))...) }
	run := func(size int) write { return func(dst []byte) []byte { return append(dst, d.fixed(size)...) } }
	name := fmt.Sprintf("N%d", d.names)
	logical := func(plain, logical string) string {
		return fmt.Sprintf(`{"type": %q, "logicalType": %q, "precision": 20, "scale": 3}`, plain, logical)
	}
	fixed := func(size int, logical string) string {
		return fmt.Sprintf(`{"type": "fixed", "name": %q, "size": %d, "logicalType": %q, "precision": 5, "scale": 2}`, name, size, logical)
	}
	picks := []struct {
		schema string
		write  write
	}{
		{`"null"`, func(dst []byte) []byte { return dst }},
		{`"boolean"`, run(1)},
		{`"int"`, short},
		{`"long"`, long},
		{`"float"`, run(4)},
		{`"double"`, run(8)},
		{`"double"`, func(dst []byte) []byte { return binary.LittleEndian.AppendUint64(dst, math.Float64bits(21.5)) }},
		{`"string"`, word},
		{`"string"`, word},
		{`"bytes"`, word},
		{`{"type": "enum", "name": "` + name + `", "symbols": ["A", "B"]}`, func(dst []byte) []byte {
			return append(dst, d.number(rapid.Int64Range(0, 2).Draw(d.t, "symbol"))...)
		}},
		{fixed(3, ""), run(3)},
		{fixed(16, "uuid"), run(16)},
		{fixed(12, "duration"), run(12)},
		{fixed(9, "decimal"), run(9)},
		{logical("bytes", "decimal"), func(dst []byte) []byte {
			return append(dst, d.sized(d.fixed(rapid.IntRange(0, 10).Draw(d.t, "bytes")))...)
		}},
		{logical("bytes", "big-decimal"), func(dst []byte) []byte {
			return append(dst, d.sized(string(d.sized(d.fixed(3)))+string(d.number(rapid.Int64Range(-5, 30).Draw(d.t, "scale"))))...)
		}},
		{logical("string", "uuid"), word},
		{logical("int", "date"), short},
		{logical("int", "timestamp-millis"), short},
		{logical("int", "time-millis"), short},
		{logical("long", "time-micros"), long},
		{logical("long", "timestamp-millis"), long},
		{logical("long", "timestamp-micros"), long},
		{logical("long", "timestamp-nanos"), long},
		{logical("long", "local-timestamp-millis"), long},
		{logical("long", "local-timestamp-nanos"), long},
	}
	pick := rapid.SampledFrom(picks).Draw(d.t, "scalar")
	return pick.schema, pick.write
}

// blocks writes what repeats.
func (d *avroDraw) blocks(one write) write {
	return func(dst []byte) []byte {
		for range rapid.IntRange(0, 2).Draw(d.t, "blocks") {
			count := rapid.IntRange(1, 3).Draw(d.t, "count")
			var block []byte
			for range count {
				block = one(block)
			}
			if rapid.Bool().Draw(d.t, "sized") {
				dst = append(append(dst, d.number(int64(-count))...), d.number(int64(len(block)))...)
			} else {
				dst = append(dst, d.number(int64(count))...)
			}
			dst = append(dst, block...)
		}
		return append(dst, 0)
	}
}

func (d *avroDraw) any(depth int) (string, write) {
	if depth == 0 {
		return d.scalar()
	}
	switch rapid.SampledFrom([]string{"scalar", "record", "array", "map", "union"}).Draw(d.t, "kind") {
	case "record":
		return d.record(depth - 1)
	case "array":
		items, one := d.any(depth - 1)
		if items == `"null"` || strings.HasPrefix(items, "[") { // Not to be in a union with null.
			return `{"type": "array", "items": "boolean"}`, d.blocks(func(dst []byte) []byte { return append(dst, 1) })
		}
		return `{"type": "array", "items": ["null", ` + items + `]}`, d.blocks(func(dst []byte) []byte {
			if rapid.Bool().Draw(d.t, "null") {
				return append(dst, d.number(0)...)
			}
			return one(append(dst, d.number(1)...))
		})
	case "map":
		values, one := d.any(depth - 1)
		names := rapid.SampledFrom([]string{"a", "b", "c", "__name__", "x.y", "x_y", "__x"})
		return `{"type": "map", "values": ` + values + `}`, d.blocks(func(dst []byte) []byte {
			return one(append(dst, d.sized(names.Draw(d.t, "key"))...))
		})
	case "union":
		first, one := d.record(depth - 1)
		return `["null", ` + first + `, {"type": "map", "values": "double"}]`, func(dst []byte) []byte {
			switch branch := rapid.Int64Range(0, 3).Draw(d.t, "branch"); branch {
			case 1:
				return one(append(dst, d.number(1)...))
			default:
				return append(dst, append(d.number(branch), 0)[:1]...)
			}
		}
	}
	return d.scalar()
}

func (d *avroDraw) record(depth int) (string, write) {
	d.names++
	name := fmt.Sprintf("R%d", d.names)
	var fields []string
	var writes []write
	for _, field := range []string{"x", "a", "c", "b", "y", "e", "d"} {
		if rapid.IntRange(0, 3).Draw(d.t, "leave out") == 0 {
			continue
		}
		schema, one := d.any(depth)
		fields = append(fields, fmt.Sprintf(`{"name": %q, "type": %s}`, field, schema))
		writes = append(writes, one)
	}
	if depth > 0 && rapid.IntRange(0, 5).Draw(d.t, "recursive") == 0 {
		fields = append(fields, fmt.Sprintf(`{"name": "next", "type": ["null", %q]}`, name))
		writes = append(writes, func(dst []byte) []byte { return append(dst, 0) })
	}
	return fmt.Sprintf(`{"type": "record", "name": %q, "fields": [%s]}`, name, strings.Join(fields, ", ")), func(dst []byte) []byte {
		for _, one := range writes {
			dst = one(dst)
		}
		return dst
	}
}

// libraryDecoder maps what the library makes of a record.
func libraryDecoder(t require.TestingT, o *oracle, wanted *plan) treeFunc {
	if !wanted.any {
		o.fields = append([]string{}, wanted.root.keys...)
	}
	return func(rec *kgo.Record) (any, error) {
		schema, datum, err := o.unwrap(rec.Value)
		require.NoError(t, err)
		tree, refusal := o.library(schema, datum)
		if refusal != nil {
			return nil, refusal
		}
		return tree, nil
	}
}

// requireSameOutcome maps values both ways, one after the other, so that the second one
// meets what the first one has left behind.
func requireSameOutcome(t require.TestingT, cfg Config, values [][]byte) {
	ours, err := NewMapper(cfg, Options{})
	require.NoError(t, err)
	theirs, err := NewMapper(cfg, Options{})
	require.NoError(t, err)
	o, err := newOracle(cfg.Avro, ours.cfg.Limits, nil)
	require.NoError(t, err)
	theirs.decoder = libraryDecoder(t, o, theirs.root)
	for _, value := range values {
		rec := testRecord("")
		rec.Value = value
		require.Equal(t, verdictOf(t, theirs, rec), verdictOf(t, ours, rec), "%s\n%x", cfg.Avro.Schema, value)
	}
}

// verdictOf is the outcome of a record. Of one that cannot be decoded it is the reason.
func verdictOf(t require.TestingT, m *Mapper, rec *kgo.Record) string {
	var out Output
	v, err := m.Apply(rec, 1, &out)
	require.NoError(t, err)
	if len(out.Refused) == 1 && out.Refused[0].Stage == StageDecode && out.Refused[0].Reason != ReasonNotAnObject {
		return string(out.Refused[0].Reason)
	}
	return outcome(v, &out)
}

func TestAvroGivesWhatTheTreeOfTheLibraryDoes(t *testing.T) {
	var configs []Config
	for _, rules := range []string{
		everyRule,
		`samples: [{name: m, value: c.a.b, labels: {l: 'e[1]', m: 'e[0].a', n: x.b}}, {name: n, each: e, value: b.a, labels_from: c, timestamp: d}]`,
		`samples: [{name: w, value: ., labels: {a: a}}]`,
		`samples: [{name: w, each: d, values_from: c, labels: {f: $field, n: next.a}}, {name: 'r_${field}', values_from: ., labels_from: b}]`,
		`{samples: [{name: m, value: a, labels_from: b}], limits: {depth: 2}}`,
	} {
		configs = append(configs, parseConfig(t, rules))
	}
	rapid.Check(t, func(rt *rapid.T) {
		d := avroDraw{t: rt}
		schema, one := d.record(3)
		cfg := configs[rapid.IntRange(0, len(configs)-1).Draw(rt, "rules")]
		cfg.Format, cfg.Avro = formatAvro, AvroConfig{Framing: framingNone, Schema: schema}
		var values [][]byte
		for range 3 {
			value := one([]byte{})
			switch n := rapid.IntRange(0, 9).Draw(rt, "harm"); {
			case n == 0 && len(value) > 0:
				value[rapid.IntRange(0, len(value)-1).Draw(rt, "at")] = rapid.Byte().Draw(rt, "byte")
			case n == 1:
				value = append(value, 0)
			case n == 2:
				value = value[:len(value)/2]
			}
			values = append(values, value)
		}
		requireSameOutcome(rt, cfg, values)
	})
}
