package transform

import (
	"fmt"
	"os"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

// The framings of Avro values: what stands in front of the datum.
const (
	framingAuto         = "auto"
	framingConfluent    = "confluent"
	framingSingleObject = "single_object"
	framingNone         = "none"
)

// SetDefaults fills in what the configuration leaves out.
func (c *AvroConfig) SetDefaults() {
	setDefault(&c.Framing, framingAuto)
}

// Validate returns what is wrong with the section, where the pipeline has a schema
// registry or not.
func (c *AvroConfig) Validate(registry bool) []error {
	if c.Schema != "" && len(c.SchemaFile) > 0 {
		return []error{fielderr.New("schema", "is set beside schema_file: one of them is enough")}
	}
	given := len(c.SchemaFile)
	if c.Schema != "" {
		given = 1
	}
	switch c.framing(registry) {
	case framingConfluent:
		return c.validateConfluent(registry, given)
	case framingSingleObject:
		if given == 0 {
			return []error{fielderr.New("schema_file", "framing %s needs the schemas of the fingerprints", framingSingleObject)}
		}
	case framingNone:
		if given != 1 {
			return []error{fielderr.New("schema_file", "values without a schema id need one schema here, in schema_file or schema (for ids: set schema_registry); %d are given", given)}
		}
	default:
		return []error{fielderr.New("framing", "%q is none of %s, %s, %s, %s", c.Framing,
			framingAuto, framingConfluent, framingSingleObject, framingNone)}
	}
	return nil
}

func (c *AvroConfig) validateConfluent(registry bool, given int) []error {
	switch {
	case !registry:
		return []error{fielderr.New("framing", "%s needs schema_registry, which says where the schemas of the ids are", framingConfluent)}
	case given > 0 && c.Schema != "":
		return []error{fielderr.New("schema", "is not used: records are decoded with the schema that the registry has for their id")}
	case given > 0:
		return []error{fielderr.New("schema_file", "is not used: records are decoded with the schema that the registry has for their id")}
	}
	return nil
}

// framing is what auto stands for, or what is set.
func (c *AvroConfig) framing(registry bool) string {
	switch {
	case c.Framing != framingAuto && c.Framing != "":
		return c.Framing
	case registry:
		return framingConfluent
	default:
		return framingNone
	}
}

// schemas reads and compiles the schemas that the section gives.
func (c *AvroConfig) schemas() ([]*avroSchema, error) {
	if c.Schema != "" {
		schema, err := parseAvro(c.Schema)
		if err != nil {
			return nil, fielderr.New("avro.schema", "%v", err)
		}
		return []*avroSchema{schema}, nil
	}
	schemas := make([]*avroSchema, len(c.SchemaFile))
	for i, name := range c.SchemaFile {
		schema, err := readSchema(name)
		if err != nil {
			return nil, fielderr.New(fielderr.Index("avro.schema_file", i), "%v", err)
		}
		schemas[i] = schema
	}
	return schemas, nil
}

func readSchema(name string) (*avroSchema, error) {
	text, err := os.ReadFile(name) //nolint:gosec // It is the operator who names the file.
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	schema, err := parseAvro(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return schema, nil
}
