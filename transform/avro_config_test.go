package transform

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

func TestAvroConfigFaultsNameTheKey(t *testing.T) {
	f := func(c AvroConfig, registry bool, want ...string) {
		t.Helper()
		c.SetDefaults()
		var got []string
		for _, err := range c.Validate(registry) {
			got = append(got, err.Error())
		}
		require.Equal(t, want, got)
	}
	one, two := units.StringList{"a.avsc"}, units.StringList{"a.avsc", "b.avsc"}
	f(AvroConfig{}, true)
	f(AvroConfig{SchemaFile: one}, false)
	f(AvroConfig{Schema: `"int"`}, false)
	f(AvroConfig{Framing: "none", Schema: `"int"`}, true)
	f(AvroConfig{Framing: "single_object", SchemaFile: two}, false)
	f(AvroConfig{Framing: "single_object", Schema: `"int"`}, true)
	f(AvroConfig{Schema: `"int"`, SchemaFile: one}, false, "schema: is set beside schema_file: one of them is enough")
	f(AvroConfig{Framing: "confluent"}, false, "framing: confluent needs schema_registry, which says where the schemas of the ids are")
	f(AvroConfig{Schema: `"int"`}, true, "schema: is not used: records are decoded with the schema that the registry has for their id")
	f(AvroConfig{SchemaFile: one}, true, "schema_file: is not used: records are decoded with the schema that the registry has for their id")
	f(AvroConfig{Framing: "single_object"}, true, "schema_file: framing single_object needs the schemas of the fingerprints")
	f(AvroConfig{}, false, "schema_file: values without a schema id need one schema here, in schema_file or schema (for ids: set schema_registry); 0 are given")
	f(AvroConfig{Framing: "none", SchemaFile: two}, false, "schema_file: values without a schema id need one schema here, in schema_file or schema (for ids: set schema_registry); 2 are given")
	f(AvroConfig{Framing: "glue"}, false, `framing: "glue" is none of auto, confluent, single_object, none`)
}

func TestAvroSchemasThatCannotBeReadNameTheirKey(t *testing.T) {
	f := func(c AvroConfig, want string) {
		t.Helper()
		_, err := newOracle(c, avroLimits(), nil)
		require.ErrorContains(t, err, want)
	}
	f(AvroConfig{Schema: `{"type": "no-such-type"}`}, "avro.schema: parsing the schema: ")
	f(AvroConfig{Schema: `"int`}, "avro.schema: parsing the schema: ")
	f(AvroConfig{SchemaFile: append(writeSchemas(t, `"int"`), filepath.Join(t.TempDir(), "missing.avsc"))}, "avro.schema_file[1]: reading the schema: ")
	f(AvroConfig{SchemaFile: writeSchemas(t, `"int"`, `{`)}, "avro.schema_file[1]: ")
	f(AvroConfig{SchemaFile: writeSchemas(t, `{"type": "array", "items": "null"}`)}, "take no bytes")
}

func TestAvroReadsASchemaFile(t *testing.T) {
	d, err := newOracle(AvroConfig{SchemaFile: writeSchemas(t, sampleSchema)}, avroLimits(), nil)
	require.NoError(t, err)
	tree, err := d.decodeTree(&kgo.Record{Value: encodeSample(t, 8)})
	require.NoError(t, err)
	require.Equal(t, wantSample(8), tree)
}

func TestAvroTakesSchemasThatOlderVersionsOfJavaWrote(t *testing.T) {
	f := func(schema string) {
		t.Helper()
		_, err := parseAvro(schema)
		require.NoError(t, err)
	}
	f(`{"type": "record", "name": "my-record", "fields": [{"name": "a.b c", "type": "int"}]}`)
	f(`{"type": "enum", "name": "E", "symbols": ["A-B", "1"]}`)
	f(`{"type": "record", "name": "R", "fields": [{"name": "x", "type": "int", "default": "0"}]}`)
	f(`{"type": "record", "name": "R", "fields": [{"name": "x", "type": ["null", "string"], "default": "none"}, {"name": "y", "type": {"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}}]}`)

	_, err := parseAvro(`{"type": "record", "name": "R", "fields": [{"name": "x", "default": 1}]}`)
	require.ErrorContains(t, err, "parsing the schema: ")
}

func TestAvroFingerprintIsThatOfTheSpecification(t *testing.T) {
	for schema, want := range map[string]uint64{ // From the test cases of Avro for Java.
		`"null"`:  0x63dd24e7cc258f8a,
		`"int"`:   0x7275d51a3f395c8f,
		`"float"`: 0x4d7c02cb3ea8d790,
	} {
		parsed, err := parseAvro(schema)
		require.NoError(t, err)
		require.Equal(t, want, parsed.fingerprint(), schema)
	}
}
