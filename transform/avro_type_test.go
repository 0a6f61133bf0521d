package transform

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestAvroLogicalTypesMayStandBesideTheType(t *testing.T) {
	const schema = `{"type": "record", "name": "R", "namespace": "n", "fields": [
		{"name": "at", "type": "long", "logicalType": "timestamp-millis"},
		{"name": "maybe", "type": ["null", "int", "long"], "logicalType": "date"},
		{"name": "price", "type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
		{"name": "own", "type": {"type": "long", "logicalType": "timestamp-micros"}, "logicalType": "timestamp-millis"},
		{"name": "wrong", "type": "int", "logicalType": "timestamp-millis"}]}`
	_, err := inlineDecoder(t, schema).decodeTree(&kgo.Record{Value: []byte{2, 2, 4, 2, 7, 6, 8}})
	require.NoError(t, err, "the library reads them in the same way")

	_, err = parseAvro(`{"type": "record", "name": "R", "fields": [
		{"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 0}, "scale": 2}]}`)
	require.EqualError(t, err, `the schema has the scale of a decimal beside the type of the field "price": want it in the type`)
}

func TestAvroSeriesAreFoundAgainWhenTheSchemaChangesElsewhere(t *testing.T) {
	const wider = `{"type": "record", "name": "Sample", "fields": [
		{"name": "site", "type": "string"},
		{"name": "labels", "type": {"type": "map", "values": "string"}},
		{"name": "value", "type": "float"},
		{"name": "ts", "type": "long"}]}`
	const other = `{"type": "record", "name": "Sample", "fields": [
		{"name": "labels", "type": {"type": "map", "values": {"type": "enum", "name": "E", "symbols": ["x", "up"]}}},
		{"name": "value", "type": "double"},
		{"name": "ts", "type": "long"}]}`
	reg := newFakeRegistry(t)
	for id, schema := range []string{sampleSchema, wider, other} {
		reg.seed(id+1, schema)
	}
	m := avroMapper(t, reg, avroRules)
	f := func(id uint32, schema string, value tree, misses float64) {
		t.Helper()
		_, out := apply(t, m, avroRecord(framed(id, encode(t, schema, value))))
		require.Equal(t, "up 1 2023-11-14T22:13:20.001Z\n", outcome(Mapped, out))
		require.InDelta(t, misses, testutil.ToFloat64(m.cache.metrics.misses), 0)
	}
	const at = int64(recordTime + 1)
	f(1, sampleSchema, tree{"labels": tree{"__name__": "up"}, "value": 1.0, "ts": at}, 1)
	f(2, wider, tree{"site": "oslo", "labels": tree{"__name__": "up"}, "value": float32(1), "ts": at}, 1)
	f(3, other, tree{"labels": tree{"__name__": "up"}, "value": 1.0, "ts": at}, 2)
	require.Equal(t, 1, m.Series())
}

func TestAvroTypesAreAlikeByWhatTheyConsistOf(t *testing.T) {
	d := inlineDecoder(t, `"int"`)
	number := func(schema string) uint64 {
		parsed, err := parseAvro(schema)
		require.NoError(t, err)
		return d.numberOf(parsed.root)
	}
	list, sample, large := number(listSchema), number(sampleSchema), number(doublings(12))
	require.Equal(t, list, number(listSchema))
	require.Equal(t, sample, number(sampleSchema))
	require.NotEqual(t, sample, list)
	require.NotEqual(t, number(`{"type": "map", "values": "int"}`), number(`{"type": "map", "values": "long"}`))
	require.NotEqual(t, large, number(doublings(12)), "too large to compare")
}
