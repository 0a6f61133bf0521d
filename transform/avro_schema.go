package transform

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/avro"
)

// maxDecimalDigits bounds the precision and the scale of decimals: more than
// anything in use, and little enough that no value takes long to convert.
const maxDecimalDigits = 1000

// avroSchema is a writer's schema, ready to decode with. It never changes and
// is safe for concurrent use.
type avroSchema struct {
	schema *avro.Schema
	root   *avroType
	cost   avroCost
}

// fingerprint is the CRC-64-AVRO fingerprint that single objects carry.
func (s *avroSchema) fingerprint() uint64 {
	return binary.BigEndian.Uint64(s.schema.Fingerprint(avro.NewRabin()))
}

// parseAvro compiles the last of the texts. The others define, in order, the named
// types that it refers to.
func parseAvro(texts ...string) (parsed *avroSchema, err error) {
	// Schemas come from the network, and a look-up is a goroutine of its own,
	// where nobody else recovers.
	defer func() {
		if r := recover(); r != nil {
			parsed, err = nil, fmt.Errorf("parsing the schema panicked: %v", r)
		}
	}()
	var cache avro.SchemaCache
	var schema *avro.Schema
	for _, text := range texts {
		if schema, err = parseLeniently(&cache, text); err != nil {
			return nil, err
		}
	}
	if schema == nil {
		return nil, errors.New("there is no schema")
	}
	root := schema.Root()
	cost, err := costOf(root)
	if err != nil {
		return nil, err
	}
	types, err := typeOf(root)
	if err != nil {
		return nil, err
	}
	return &avroSchema{schema: schema, root: types, cost: cost}, nil
}

// parseLeniently takes names that are not of Avro's alphabet and defaults that are
// not of their type, as older versions of Avro for Java did: a decoder that
// reads with the writer's schema needs neither.
func parseLeniently(types *avro.SchemaCache, text string) (*avro.Schema, error) {
	schema, err := types.Parse(text, avro.WithLaxNames(nil))
	if err == nil {
		return schema, nil
	}
	if bare, ok := withoutDefaults(text); ok {
		if schema, bareErr := types.Parse(bare, avro.WithLaxNames(nil)); bareErr == nil {
			return schema, nil
		}
	}
	return nil, fmt.Errorf("parsing the schema: %w", err)
}

// withoutDefaults removes every attribute named default.
func withoutDefaults(text string) (string, bool) {
	var root any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&root); err != nil {
		return "", false
	}
	removeDefaults(root)
	bare, err := json.Marshal(root)
	return string(bare), err == nil
}

func removeDefaults(node any) {
	switch x := node.(type) {
	case map[string]any:
		delete(x, "default")
		for _, child := range x {
			removeDefaults(child)
		}
	case []any:
		for _, child := range x {
			removeDefaults(child)
		}
	}
}
