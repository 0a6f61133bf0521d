package transform

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

// sized is a schema with a way to draw a value of it, and what the value is once it
// is decoded.
type sized struct {
	schema any
	draw   func(*rapid.T) (in, want any)
}

// schemaGen draws schemas. Named types get names of their own.
type schemaGen struct{ names int }

func (g *schemaGen) name() string {
	g.names++
	return fmt.Sprintf("T%d", g.names)
}

func same[V any](gen *rapid.Generator[V]) func(*rapid.T) (any, any) {
	return func(t *rapid.T) (any, any) {
		v := gen.Draw(t, "value")
		return v, v
	}
}

func (g *schemaGen) scalar(t *rapid.T) sized {
	millis := rapid.Map(rapid.Int64Range(-1e15, 1e15), func(ms int64) time.Time { return time.UnixMilli(ms).UTC() })
	return rapid.SampledFrom([]sized{
		{"boolean", same(rapid.Bool())},
		{"int", same(rapid.Int32())},
		{"long", same(rapid.Int64())},
		{"float", same(rapid.Float32())},
		{"double", same(rapid.Float64())},
		{"string", same(rapid.String())},
		{"bytes", same(rapid.SliceOf(rapid.Byte()))},
		{map[string]any{"type": "enum", "name": g.name(), "symbols": []string{"A", "B", "C"}}, same(rapid.SampledFrom([]string{"A", "B", "C"}))},
		{map[string]any{"type": "fixed", "name": g.name(), "size": 3}, same(rapid.SliceOfN(rapid.Byte(), 3, 3))},
		{map[string]any{"type": "long", "logicalType": "timestamp-millis"}, same(millis)},
		{map[string]any{"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 3}, same(rapid.Map(rapid.Int64Range(-1e17, 1e17), func(n int64) *big.Rat { return big.NewRat(n, 1000) }))},
	}).Draw(t, "scalar")
}

func (g *schemaGen) any(t *rapid.T, depth int) sized {
	kind := "scalar"
	if depth > 0 {
		kind = rapid.SampledFrom([]string{"scalar", "record", "array", "map", "optional"}).Draw(t, "kind")
	}
	switch kind {
	case "record":
		return g.record(t, depth)
	case "array":
		items := g.any(t, depth-1)
		return sized{map[string]any{"type": "array", "items": items.schema}, func(t *rapid.T) (any, any) {
			in, want := []any{}, []any{}
			for range rapid.IntRange(0, 3).Draw(t, "items") {
				i, w := items.draw(t)
				in, want = append(in, i), append(want, w)
			}
			return in, want
		}}
	case "map":
		values := g.any(t, depth-1)
		return sized{map[string]any{"type": "map", "values": values.schema}, func(t *rapid.T) (any, any) {
			in, want := map[string]any{}, map[string]any{}
			for _, key := range rapid.SliceOfNDistinct(rapid.String(), 0, 3, rapid.ID).Draw(t, "keys") {
				in[key], want[key] = values.draw(t)
			}
			return in, want
		}}
	case "optional":
		value := g.record(t, depth)
		return sized{[]any{"null", value.schema}, func(t *rapid.T) (any, any) {
			if rapid.Bool().Draw(t, "null") {
				return nil, nil
			}
			return value.draw(t)
		}}
	}
	return g.scalar(t)
}

func (g *schemaGen) record(t *rapid.T, depth int) sized {
	fields := make([]sized, rapid.IntRange(1, 4).Draw(t, "fields"))
	schemas := make([]any, len(fields))
	for i := range fields {
		fields[i] = g.any(t, depth-1)
		schemas[i] = map[string]any{"name": fmt.Sprintf("f%d", i), "type": fields[i].schema}
	}
	return sized{map[string]any{"type": "record", "name": g.name(), "fields": schemas}, func(t *rapid.T) (any, any) {
		in, want := map[string]any{}, map[string]any{}
		for i := range fields {
			key := fmt.Sprintf("f%d", i)
			in[key], want[key] = fields[i].draw(t)
		}
		return in, want
	}}
}

// TestAvroGivesBackWhatWasEncoded draws schemas and two values of each, since the
// decoder keeps the map of the first for the second.
func TestAvroGivesBackWhatWasEncoded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var gen schemaGen
		drawn := gen.any(rt, 3)
		text, err := json.Marshal(drawn.schema)
		require.NoError(rt, err)
		schema, err := avro.Parse(string(text))
		require.NoError(rt, err)
		plain, err := newOracle(AvroConfig{Framing: framingNone, Schema: string(text)}, avroLimits(), nil)
		require.NoError(rt, err)
		auto, err := newOracle(AvroConfig{Schema: string(text)}, avroLimits(), nil)
		require.NoError(rt, err)
		for range 2 {
			in, want := drawn.draw(rt)
			datum, err := schema.Encode(in)
			require.NoError(rt, err)
			tree, err := plain.decodeTree(&kgo.Record{Value: datum})
			require.NoError(rt, err, "%s", text)
			require.Equal(rt, want, tree)

			object, err := schema.AppendSingleObject(nil, in)
			require.NoError(rt, err)
			tree, err = auto.decodeTree(&kgo.Record{Value: object})
			require.NoError(rt, err)
			require.Equal(rt, want, tree)
		}
	})
}

// TestAvroCutShortIsNeverADatum holds for any schema: no prefix of a datum is one, and
// neither is a datum with a byte behind it.
func TestAvroCutShortIsNeverADatum(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var gen schemaGen
		drawn := gen.record(rt, 2)
		text, err := json.Marshal(drawn.schema)
		require.NoError(rt, err)
		schema, err := avro.Parse(string(text))
		require.NoError(rt, err)
		in, _ := drawn.draw(rt)
		datum, err := schema.Encode(in)
		require.NoError(rt, err)
		d, err := newOracle(AvroConfig{Framing: framingNone, Schema: string(text)}, avroLimits(), nil)
		require.NoError(rt, err)
		cut := rapid.IntRange(0, len(datum)-1).Draw(rt, "cut")
		for _, value := range [][]byte{datum[:cut], append(slices.Clip(datum), 0)} {
			_, err = d.decodeTree(&kgo.Record{Value: value})
			var refusal *decodeError
			require.ErrorAs(rt, err, &refusal)
			require.Equal(rt, ReasonNotDecodable, refusal.Reason)
		}
	})
}

// TestAvroCutFingerprintAgreesWithTheLibrary holds the two readings of the header of a
// single object against each other.
func TestAvroCutFingerprintAgreesWithTheLibrary(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		value := rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(rt, "value")
		if rapid.Bool().Draw(rt, "magic") {
			value = append([]byte{0xc3, 0x01}, value...)
		}
		fingerprint, datum, ok := cutFingerprint(value)
		theirs, rest, err := avro.SingleObjectFingerprint(value)
		require.Equal(rt, err == nil, ok)
		if ok {
			require.Equal(rt, binary.LittleEndian.Uint64(theirs[:]), fingerprint)
			require.Equal(rt, rest, datum)
		}
	})
}
