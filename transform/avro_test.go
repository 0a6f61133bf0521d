package transform

import (
	"encoding/binary"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

const sampleSchema = `{"type": "record", "name": "Sample", "fields": [
	{"name": "labels", "type": {"type": "map", "values": "string"}},
	{"name": "value", "type": "double"},
	{"name": "ts", "type": "long"}]}`

// avroLimits are the defaults of the limits that the decoder looks at.
func avroLimits() Limits { return Limits{RecordBytes: 1 << 20, Depth: 64, Nodes: 200000} }

// inlineDecoder decodes values without a frame.
func inlineDecoder(tb testing.TB, schema string) *oracle {
	tb.Helper()
	d, err := newOracle(AvroConfig{Framing: framingNone, Schema: schema}, avroLimits(), nil)
	require.NoError(tb, err)
	return d
}

// encode writes a datum.
func encode(tb testing.TB, schema string, v any) []byte {
	tb.Helper()
	parsed, err := avro.Parse(schema)
	require.NoError(tb, err)
	datum, err := parsed.Encode(v)
	require.NoError(tb, err)
	return datum
}

func encodeSample(tb testing.TB, value float64) []byte {
	tb.Helper()
	return encode(tb, sampleSchema, map[string]any{
		"labels": map[string]string{"__name__": "up", "job": "a"}, "value": value, "ts": int64(1700000000000),
	})
}

func wantSample(value float64) any {
	return map[string]any{
		"labels": map[string]any{"__name__": "up", "job": "a"}, "value": value, "ts": int64(1700000000000),
	}
}

// requireRefused decodes a value that is at fault, and returns the text.
func requireRefused(tb testing.TB, d *oracle, value []byte, reason Reason) string {
	tb.Helper()
	tree, err := d.decodeTree(&kgo.Record{Value: value})
	require.Nil(tb, tree)
	var refusal *decodeError
	require.ErrorAs(tb, err, &refusal)
	require.Equal(tb, reason, refusal.Reason, refusal.Text)
	return refusal.Text
}

func TestAvroDecodesAPlainDatum(t *testing.T) {
	d := inlineDecoder(t, sampleSchema)
	for _, value := range []float64{1.5, -2} {
		tree, err := d.decodeTree(&kgo.Record{Value: encodeSample(t, value)})
		require.NoError(t, err)
		require.Equal(t, wantSample(value), tree)
	}
}

func TestAvroValuesBecomeWhatTheRulesUnderstand(t *testing.T) {
	at := time.Date(2026, 11, 22, 16, 58, 51, 123456789, time.UTC)
	uuid := []byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00}
	f := func(schema string, in, want any) {
		t.Helper()
		record := `{"type": "record", "name": "R", "fields": [{"name": "x", "type": ` + schema + `}]}`
		tree, err := inlineDecoder(t, record).decodeTree(&kgo.Record{Value: encode(t, record, map[string]any{"x": in})})
		require.NoError(t, err, schema)
		require.Equal(t, map[string]any{"x": want}, tree, schema)
	}
	f(`"null"`, nil, nil)
	f(`"boolean"`, true, true)
	f(`"int"`, int32(-7), int32(-7))
	f(`"long"`, int64(1)<<60, int64(1)<<60)
	f(`"float"`, float32(0.1), float32(0.1))
	f(`"double"`, 0.1, 0.1)
	f(`"string"`, "grün", "grün")
	f(`"bytes"`, []byte("raw"), []byte("raw"))
	f(`{"type": "enum", "name": "E", "symbols": ["ON", "OFF"]}`, "OFF", "OFF")
	f(`{"type": "fixed", "name": "F", "size": 2}`, []byte{1, 2}, []byte{1, 2})
	f(`["null", "string"]`, "branch", "branch")
	f(`["null", "string"]`, nil, nil)
	f(`["string", "double", "null"]`, 2.5, 2.5)
	f(`{"type": "array", "items": "int"}`, []int32{1, 2}, []any{int32(1), int32(2)})
	f(`{"type": "long", "logicalType": "timestamp-millis"}`, at, at.Truncate(time.Millisecond))
	f(`{"type": "long", "logicalType": "timestamp-micros"}`, at, at.Truncate(time.Microsecond))
	f(`{"type": "long", "logicalType": "timestamp-nanos"}`, at, at)
	f(`["null", {"type": "long", "logicalType": "timestamp-millis"}]`, at, at.Truncate(time.Millisecond))
	f(`{"type": "long", "logicalType": "local-timestamp-millis"}`, at, "2026-11-22T16:58:51.123")
	f(`{"type": "long", "logicalType": "local-timestamp-micros"}`, at, "2026-11-22T16:58:51.123456")
	f(`{"type": "long", "logicalType": "local-timestamp-nanos"}`, at, "2026-11-22T16:58:51.123456789")
	f(`{"type": "int", "logicalType": "date"}`, at, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	f(`{"type": "int", "logicalType": "time-millis"}`, 1500*time.Millisecond, 1500*time.Millisecond)
	f(`{"type": "long", "logicalType": "time-micros"}`, time.Hour, time.Hour)
	f(`{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}`, big.NewRat(-1999, 100), big.NewRat(-1999, 100))
	f(`{"type": "string", "logicalType": "uuid"}`, "123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000")
	f(`{"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}`, uuid, "123e4567-e89b-12d3-a456-426614174000")
	f(`{"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}`, avro.Duration{Months: 14, Days: 3, Milliseconds: 500}, "P1Y2M3DT0.500S")
	f(`{"type": "bytes", "logicalType": "big-decimal"}`, big.NewRat(-5, 4), -1.25)
	f(`{"type": "int", "logicalType": "no-such-type"}`, int32(3), int32(3))
}

func TestAvroBigDecimalsThatAreNone(t *testing.T) {
	const schema = `{"type": "bytes", "logicalType": "big-decimal"}`
	f := func(content []byte, want string) {
		t.Helper()
		value := append(binary.AppendVarint(nil, int64(len(content))), content...)
		require.Contains(t, requireRefused(t, inlineDecoder(t, schema), value, ReasonNotDecodable), want)
	}
	f(nil, "the length of its unscaled value is wrong")
	f([]byte{0x05, 1}, "the length of its unscaled value is wrong")
	f([]byte{0x04, 1}, "the length of its unscaled value is wrong")
	f([]byte{0x02, 1}, "no scale follows")
	f([]byte{0x02, 1, 2, 3}, "no scale follows")
	f(append([]byte{0x02, 1}, binary.AppendVarint(nil, 65536)...), "more than 1000 digits")
	f(append([]byte{0x02, 1}, binary.AppendVarint(nil, -65536)...), "more than 1000 digits")
}

func TestAvroRefusesWhatIsNoDatumOfTheSchema(t *testing.T) {
	d := inlineDecoder(t, sampleSchema)
	good := encodeSample(t, 1)
	f := func(value []byte, want string) {
		t.Helper()
		require.Contains(t, requireRefused(t, d, value, ReasonNotDecodable), want)
	}
	for n := range good {
		f(good[:n], "no datum of the schema")
	}
	f(append(slices.Clip(good), 7), "1 of the 35 bytes are left over after a datum of the schema")
	f([]byte(`{"labels": {}, "value": 1}`), "this looks like JSON")
	f([]byte("Obj\x01\x04\x14avro.codec"), "this is an Avro container file")
	f(append([]byte{0, 0, 0, 0, 9}, good...), "this may be a schema id, for which schema_registry has to be set")

	tree, err := d.decodeTree(&kgo.Record{Value: good})
	require.NoError(t, err, "a refusal leaves nothing behind")
	require.Equal(t, wantSample(1), tree)
}

func TestAvroForgetsTheLastRecord(t *testing.T) {
	f := func(schema string, first, second, want any) {
		t.Helper()
		d := inlineDecoder(t, schema)
		_, err := d.decodeTree(&kgo.Record{Value: encode(t, schema, first)})
		require.NoError(t, err)
		tree, err := d.decodeTree(&kgo.Record{Value: encode(t, schema, second)})
		require.NoError(t, err)
		require.Equal(t, want, tree)
	}
	f(`{"type": "map", "values": "int"}`, map[string]int32{"a": 1, "b": 2}, map[string]int32{"b": 3}, map[string]any{"b": int32(3)})
	f(`{"type": "array", "items": "int"}`, []int32{1, 2}, []int32{3}, []any{int32(3)})
	f(`["null", {"type": "map", "values": "int"}]`, map[string]int32{"a": 1}, nil, nil)
	f(`"string"`, "long text", "x", "x")
}

func TestAvroKeepsNoValueOfASchemaThatChanged(t *testing.T) {
	const old = `{"type": "record", "name": "Old", "fields": [{"name": "a", "type": "int"}, {"name": "gone", "type": "int"}]}`
	const current = `{"type": "record", "name": "New", "fields": [{"name": "a", "type": "int"}]}`
	d := singleObjectDecoder(t, old, current)
	_, err := d.decodeTree(&kgo.Record{Value: singleObject(t, old, map[string]any{"a": 1, "gone": 2})})
	require.NoError(t, err)
	tree, err := d.decodeTree(&kgo.Record{Value: singleObject(t, current, map[string]any{"a": 3})})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"a": int32(3)}, tree)
}

func TestAvroLeavesOutFieldsThatNobodyWants(t *testing.T) {
	const schema = `{"type": "record", "name": "R", "namespace": "n", "fields": [
		{"name": "skip-me", "type": {"type": "record", "name": "Inner", "fields": [{"name": "at", "type": {"type": "long", "logicalType": "local-timestamp-millis"}}]}},
		{"name": "inner", "type": "Inner"},
		{"name": "list", "type": {"type": "array", "items": {"type": "bytes", "logicalType": "big-decimal"}}},
		{"name": "value", "type": "double"}]}`
	at := map[string]any{"at": int64(1500)}
	lax, err := avro.Parse(schema, avro.WithLaxNames(nil))
	require.NoError(t, err)
	datum, err := lax.Encode(map[string]any{
		"skip-me": at, "inner": at, "list": []any{big.NewRat(1, 2), big.NewRat(1, 4)}, "value": 2.5,
	})
	require.NoError(t, err)
	f := func(fields []string, want any) {
		t.Helper()
		d := inlineDecoder(t, schema)
		d.only(fields)
		for range 2 {
			tree, err := d.decodeTree(&kgo.Record{Value: datum})
			require.NoError(t, err)
			require.Equal(t, want, tree)
		}
		requireRefused(t, d, datum[:len(datum)-1], ReasonNotDecodable)
		requireRefused(t, d, append(slices.Clip(datum), 0), ReasonNotDecodable)
	}
	inner := map[string]any{"at": "1970-01-01T00:00:01.5"}
	f([]string{"value", "no such field"}, map[string]any{"value": 2.5})
	f([]string{"inner", "list"}, map[string]any{"inner": inner, "list": []any{0.5, 0.25}})
	f(nil, map[string]any{})
	f([]string{"skip-me", "inner", "list", "value"},
		map[string]any{"skip-me": inner, "inner": inner, "list": []any{0.5, 0.25}, "value": 2.5})
}

func TestAvroLeavesNothingOutWhereFieldsMayBeWantedFurtherDown(t *testing.T) {
	f := func(schema string, in, want any) {
		t.Helper()
		d := inlineDecoder(t, schema)
		d.only([]string{"next"})
		tree, err := d.decodeTree(&kgo.Record{Value: encode(t, schema, in)})
		require.NoError(t, err)
		require.Equal(t, want, tree)
	}
	f(`{"type": "map", "values": "int"}`, map[string]int32{"next": 1, "b": 2}, map[string]any{"next": int32(1), "b": int32(2)})
	f(`{"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}, {"name": "value", "type": "int"}]}`,
		map[string]any{"next": map[string]any{"next": nil, "value": 1}, "value": 2},
		map[string]any{"next": map[string]any{"next": nil, "value": int32(1)}, "value": int32(2)})
}

func TestAvroKeepsFewPrograms(t *testing.T) {
	d := inlineDecoder(t, sampleSchema)
	for range maxPrograms + 10 {
		schema, err := parseAvro(sampleSchema)
		require.NoError(t, err)
		made := d.use(schema, d.into)
		require.Same(t, made, d.use(schema, d.into))
		require.LessOrEqual(t, len(d.programs), maxPrograms)
	}
}

func writeSchemas(tb testing.TB, schemas ...string) units.StringList {
	tb.Helper()
	var files units.StringList
	for i, schema := range schemas {
		name := filepath.Join(tb.TempDir(), "schema"+string(rune('a'+i))+".avsc")
		require.NoError(tb, os.WriteFile(name, []byte(schema), 0o600))
		files = append(files, name)
	}
	return files
}

func singleObjectDecoder(tb testing.TB, schemas ...string) *oracle {
	tb.Helper()
	d, err := newOracle(AvroConfig{Framing: framingSingleObject, SchemaFile: writeSchemas(tb, schemas...)}, avroLimits(), nil)
	require.NoError(tb, err)
	return d
}

func singleObject(tb testing.TB, schema string, v any) []byte {
	tb.Helper()
	parsed, err := avro.Parse(schema)
	require.NoError(tb, err)
	value, err := parsed.AppendSingleObject(nil, v)
	require.NoError(tb, err)
	return value
}

func TestAvroSingleObjectsFindTheirSchemaByFingerprint(t *testing.T) {
	d := singleObjectDecoder(t, sampleSchema, `"long"`, `"string"`)
	for value, want := range map[string]any{
		string(singleObject(t, `"long"`, int64(3))): int64(3),
		string(singleObject(t, `"string"`, "x")):    "x",
	} {
		tree, err := d.decodeTree(&kgo.Record{Value: []byte(value)})
		require.NoError(t, err)
		require.Equal(t, want, tree)
	}
}

func TestAvroSingleObjectsThatAreRefused(t *testing.T) {
	d := singleObjectDecoder(t, sampleSchema, `"long"`)
	require.Equal(t, "no schema in avro.schema_file has the fingerprint 0x7275d51a3f395c8f; 2 are there",
		requireRefused(t, d, singleObject(t, `"int"`, 1), ReasonUnknownSchema))
	require.Equal(t, "the first bytes of 2 are 0x7b 0x7d, but 0xc3 0x01 and the eight bytes of a fingerprint were expected: this looks like JSON",
		requireRefused(t, d, []byte("{}"), ReasonNotDecodable))
	require.Contains(t, requireRefused(t, d, []byte{0, 0, 0, 0, 1, 2}, ReasonNotDecodable), "this looks like framing confluent")
	require.Contains(t, requireRefused(t, d, []byte{0xc3}, ReasonNotDecodable), "the value has 1 bytes")
	require.Contains(t, requireRefused(t, d, []byte{0xc3, 1, 0, 0}, ReasonNotDecodable), "the eight bytes of a fingerprint were expected")
}

func TestAvroFramingAutoTakesASingleObjectOfItsSchema(t *testing.T) {
	d, err := newOracle(AvroConfig{Framing: framingAuto, Schema: sampleSchema}, avroLimits(), nil)
	require.NoError(t, err)
	for _, value := range [][]byte{
		encodeSample(t, 4),
		singleObject(t, sampleSchema, wantSample(4)),
	} {
		tree, err := d.decodeTree(&kgo.Record{Value: value})
		require.NoError(t, err)
		require.Equal(t, wantSample(4), tree)
	}
	requireRefused(t, d, singleObject(t, `"long"`, 1), ReasonNotDecodable)

	d = inlineDecoder(t, sampleSchema)
	requireRefused(t, d, singleObject(t, sampleSchema, wantSample(4)), ReasonNotDecodable)
}

func TestAvroRefusesAWrongFrameOfTheRegistry(t *testing.T) {
	d := &oracle{avroDecoder: &avroDecoder{framing: framingConfluent}}
	f := func(value []byte, want string) {
		t.Helper()
		require.Equal(t, want, requireRefused(t, d, value, ReasonNotDecodable))
	}
	const expected = ", but a zero byte and the four bytes of a schema id were expected"
	f([]byte(`{"a": 1}`), "the first bytes of 8 are 0x7b 0x22"+expected+": this looks like JSON")
	f([]byte("\n [1, 2]"), "the first bytes of 8 are 0x0a 0x20"+expected+": this looks like JSON")
	f([]byte{0xc3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0}, "the first bytes of 10 are 0xc3 0x01"+expected+": this looks like framing single_object")
	f([]byte{0, 0, 0, 1}, "the first bytes of 4 are 0x00 0x00"+expected)
	f([]byte{9}, "the value has 1 bytes"+expected)
	f(nil, "the value has 0 bytes"+expected)
}
