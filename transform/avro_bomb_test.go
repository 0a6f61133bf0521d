package transform

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
)

const listSchema = `{"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}`

// bomb is a value that has brought down decoders of Avro.
type bomb struct {
	name, schema string
	value        []byte
	reason       Reason
}

func varints(numbers ...int64) []byte {
	var b []byte
	for _, n := range numbers {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func bombs() []bomb {
	const longs = `{"type": "array", "items": "long"}`
	return []bomb{
		{"an array of 2^40 longs", longs, varints(1 << 40), ReasonNotDecodable},
		{"an array of 2^31-1 longs", longs, varints(math.MaxInt32), ReasonNotDecodable},
		{"a negative count without its elements", longs, varints(-5, 3), ReasonNotDecodable},
		{"the least of all counts", longs, varints(math.MinInt64, 1, 2, 0), ReasonNotDecodable},
		{"a map of 2^40 entries", `{"type": "map", "values": "long"}`, varints(1 << 40), ReasonNotDecodable},
		{"a map that ends early", `{"type": "map", "values": "string"}`, []byte{4, 2, 'a', 2, 'b'}, ReasonNotDecodable},
		{"a string of 2^62 bytes", `"string"`, varints(1 << 62), ReasonNotDecodable},
		{"bytes of a negative length", `"bytes"`, varints(-9), ReasonNotDecodable},
		{"a list a million records deep", listSchema, bytes.Repeat([]byte{2}, 1<<20-1), ReasonTooLarge},
		{"a list of a thousand records and more", listSchema, bytes.Repeat([]byte{2}, 5000), ReasonNotDecodable},
		{"a list deeper than the limit", listSchema, append(bytes.Repeat([]byte{2}, 64), 0), ReasonTooLarge},
	}
}

func TestAvroBombsAreRefused(t *testing.T) {
	for _, b := range bombs() {
		t.Run(b.name, func(t *testing.T) {
			requireRefused(t, inlineDecoder(t, b.schema), b.value, b.reason)
		})
	}
}

func TestAvroRecursiveRecordsMayBeAsDeepAsTheLimit(t *testing.T) {
	tree, err := inlineDecoder(t, listSchema).decodeTree(&kgo.Record{Value: append(bytes.Repeat([]byte{2}, 63), 0)})
	require.NoError(t, err)
	require.False(t, deeper(tree, 64))
	require.True(t, deeper(tree, 63))
}

func TestAvroSchemasWithFreeItemsAreRefused(t *testing.T) {
	const want = "take no bytes: a short record could hold any number of them"
	for _, items := range []string{
		`"null"`,
		`{"type": "record", "name": "E", "fields": []}`,
		`{"type": "record", "name": "E", "fields": [{"name": "a", "type": "null"}]}`,
		`{"type": "fixed", "name": "F", "size": 0}`,
	} {
		_, err := parseAvro(`{"type": "array", "items": ` + items + `}`)
		require.ErrorContains(t, err, want, items)
	}
	for _, schema := range []string{
		`{"type": "array", "items": ["null", "int"]}`,
		`{"type": "array", "items": {"type": "array", "items": "int"}}`,
		`{"type": "record", "name": "T", "fields": [{"name": "children", "type": {"type": "array", "items": "T"}}]}`,
		`{"type": "map", "values": "null"}`,
	} {
		_, err := parseAvro(schema)
		require.NoError(t, err, schema)
	}
}

func TestAvroSchemasWithHugeDecimalsAreRefused(t *testing.T) {
	_, err := parseAvro(`{"type": "bytes", "logicalType": "decimal", "precision": 65536, "scale": 65536}`)
	require.EqualError(t, err, "the schema has a decimal of 65536 digits: at most 1000 are supported")
	_, err = parseAvro(`{"type": "fixed", "name": "F", "size": 16, "logicalType": "decimal", "precision": 38, "scale": 10}`)
	require.NoError(t, err)
}

func TestAvroCostFollowsNames(t *testing.T) {
	f := func(schema string, depth int) {
		t.Helper()
		parsed, err := parseAvro(schema)
		require.NoError(t, err, schema)
		require.Equal(t, depth, min(parsed.cost.depth, endless), schema)
	}
	f(`"int"`, 0)
	f(`{"type": "array", "items": {"type": "map", "values": "int"}}`, 2)
	f(`["null", {"type": "map", "values": "int"}]`, 1)
	f(listSchema, endless)
	const field = `{"type": "record", "name": "B", %s "fields": [{"name": "x", "type": "int"}]}`
	for _, namespace := range []string{"", `"namespace": "n",`, `"namespace": "other",`} {
		b, ref := fmt.Sprintf(field, namespace), "B"
		if strings.Contains(namespace, "other") {
			ref = "other.B"
		}
		f(`{"type": "record", "name": "A", "namespace": "n", "fields": [{"name": "b", "type": `+b+`}, {"name": "c", "type": "`+ref+`"}]}`, 2)
		f(`{"type": "record", "name": "A", "namespace": "n", "fields": [{"name": "b", "type": `+b+`}, {"name": "c", "type": ["null", "A"]}]}`, endless)
		f(`{"type": "record", "name": "A", "namespace": "n", "fields": [{"name": "b", "type": `+b+`}, {"name": "c", "type": ["null", "n.A"]}]}`, endless)
	}
	f(`{"type": "record", "name": "n.A", "fields": [{"name": "f", "type": {"type": "enum", "name": "E", "symbols": ["X"]}}, {"name": "g", "type": "E"}, {"name": "h", "type": {"type": "array", "items": "n.E"}}]}`, 2)
}

// doublings is a schema in which each type holds the one before twice.
func doublings(levels int) string {
	var b strings.Builder
	b.WriteString(`{"type": "record", "name": "R", "fields": [{"name": "f", "type": {"type": "record", "name": "T0", "fields": [{"name": "n", "type": "null"}]}}`)
	for i := 1; i <= levels; i++ {
		fmt.Fprintf(&b, `, {"name": "f%d", "type": {"type": "record", "name": "T%[1]d", "fields": [{"name": "a", "type": "T%[2]d"}, {"name": "b", "type": "T%[2]d"}]}}`, i, i-1)
	}
	b.WriteString(`]}`)
	return b.String()
}

func TestAvroTypesThatDoubleAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	for _, levels := range []int{30, 1500} {
		d := inlineDecoder(t, doublings(levels))
		requireRefused(t, d, nil, ReasonTooLarge)
	}
	tree, err := inlineDecoder(t, doublings(3)).decodeTree(&kgo.Record{})
	require.NoError(t, err)
	require.Len(t, tree, 4)
}

func TestAvroRecordsOfManyNullsAreBounded(t *testing.T) {
	nulls := strings.Repeat(`, {"name": "x%d", "type": "null"}`, 5000)
	names := make([]any, 5000)
	for i := range names {
		names[i] = i
	}
	schema := `{"type": "array", "items": {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}` + fmt.Sprintf(nulls, names...) + `]}}`
	d := inlineDecoder(t, schema)
	value := append(varints(1000), make([]byte, 1000)...)
	require.Contains(t, requireRefused(t, d, append(value, 0), ReasonTooLarge), "of memory once decoded")
	_, err := d.decodeTree(&kgo.Record{Value: append(append(varints(10), make([]byte, 10)...), 0)})
	require.NoError(t, err)
}

func TestAvroCostBoundsWhatDecodingKeeps(t *testing.T) {
	const n = 20000
	items := func(size int) []byte { return append(append(varints(n), make([]byte, size*n)...), 0) }
	filled := bytes.Repeat([]byte{2, 2, 'k', 0, 0}, n) // Maps of one entry: the key k, and a zero.
	text := bytes.Repeat([]byte{2, 'x'}, n)
	for _, c := range []struct {
		items string
		value []byte
	}{
		{`"boolean"`, items(1)},
		{`"long"`, append(append(varints(n), bytes.Repeat([]byte{0x80, 0x80, 0x01}, n)...), 0)},
		{`"double"`, items(8)},
		{`"string"`, append(append(varints(n), text...), 0)},
		{`"bytes"`, append(append(varints(n), text...), 0)},
		{`["null", "long"]`, items(1)},
		{`{"type": "bytes", "logicalType": "decimal", "precision": 900, "scale": 900}`, append(append(varints(n), text...), 0)},
		{`{"type": "long", "logicalType": "local-timestamp-nanos"}`, items(1)},
		{`{"type": "fixed", "name": "F", "size": 16, "logicalType": "uuid"}`, items(16)},
		{`{"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"}`, items(12)},
		{`{"type": "array", "items": "int"}`, items(1)},
		{`{"type": "map", "values": "int"}`, items(1)},
		{`{"type": "map", "values": "int"}`, append(append(varints(n), filled...), 0)},
		{`{"type": "record", "name": "R", "fields": [{"name": "a", "type": "boolean"}]}`, items(1)},
		{`{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "null"}, {"name": "c", "type": {"type": "record", "name": "S", "fields": []}}]}`, items(1)},
	} {
		schema, err := parseAvro(`{"type": "array", "items": ` + c.items + `}`)
		require.NoError(t, err)
		kept := heapOf(t, schema.schema, c.value)
		require.LessOrEqual(t, kept, schema.cost.of(len(c.value)), c.items)
	}
}

// heapOf is the memory that a decoded value keeps, in bytes.
func heapOf(t *testing.T, schema *avro.Schema, value []byte) float64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var tree any
	_, err := schema.Decode(value, &tree, avro.AliasInput())
	require.NoError(t, err)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(tree)
	return float64(after.HeapAlloc) - float64(before.HeapAlloc)
}
