package transform

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/twmb/avro"
)

// maxDecimalDigits bounds the precision and the scale of decimals: more than
// anything in use, and little enough that no value takes long to convert.
const maxDecimalDigits = 1000

// avroSchema is a writer's schema, ready to decode with. It never changes and
// is safe for concurrent use.
type avroSchema struct {
	schema *avro.Schema
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
	var types avro.SchemaCache
	var schema *avro.Schema
	for _, text := range texts {
		if schema, err = parseLeniently(&types, text); err != nil {
			return nil, err
		}
	}
	if schema == nil {
		return nil, errors.New("there is no schema")
	}
	cost, err := costOf(schema.Root())
	if err != nil {
		return nil, err
	}
	return &avroSchema{schema: schema, cost: cost}, nil
}

// only returns a schema that skips the fields of its record but those given. What is
// skipped is checked for its length alone. A recursive schema stays whole: its record
// may be wanted as a field, too.
func (s *avroSchema) only(fields []string) *avroSchema {
	root := s.schema.Root()
	// The nodes refer to each other: they must stay where they are.
	var wanted []avro.SchemaField
	for _, field := range root.Fields {
		if slices.Contains(fields, field.Name) {
			wanted = append(wanted, field)
		}
	}
	if root.Type != "record" || len(wanted) == len(root.Fields) || s.cost.depth >= endless {
		return s
	}
	root.Fields = wanted
	reader, err := root.Schema(avroOptions()...)
	if err != nil {
		return s
	}
	skipping, err := avro.Resolve(s.schema, reader)
	if err != nil {
		return s
	}
	return &avroSchema{schema: skipping, cost: s.cost}
}

// parseLeniently takes names that are not of Avro's alphabet and defaults that are
// not of their type, as older versions of Avro for Java did: a decoder that
// reads with the writer's schema needs neither.
func parseLeniently(types *avro.SchemaCache, text string) (*avro.Schema, error) {
	schema, err := types.Parse(text, avroOptions()...)
	if err == nil {
		return schema, nil
	}
	if bare, ok := withoutDefaults(text); ok {
		if schema, bareErr := types.Parse(bare, avroOptions()...); bareErr == nil {
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

// avroOptions make logical types into values that the rules understand, where the
// library's own choice is none of them.
func avroOptions() []avro.SchemaOpt {
	return []avro.SchemaOpt{
		avro.WithLaxNames(nil),
		avro.CustomType{LogicalType: "local-timestamp-millis", AvroType: "long", Decode: localTime(time.UnixMilli)},
		avro.CustomType{LogicalType: "local-timestamp-micros", AvroType: "long", Decode: localTime(time.UnixMicro)},
		avro.CustomType{LogicalType: "local-timestamp-nanos", AvroType: "long", Decode: localTime(unixNano)},
		avro.CustomType{LogicalType: "uuid", AvroType: "fixed", Decode: uuidText},
		avro.CustomType{LogicalType: "duration", AvroType: "fixed", Decode: durationText},
		avro.CustomType{LogicalType: "big-decimal", AvroType: "bytes", Decode: bigDecimal},
	}
}

func unixNano(ns int64) time.Time { return time.Unix(0, ns) }

// localTime writes a local timestamp as text that names no zone, so that the zone of
// the rule applies to it and not UTC.
func localTime(at func(int64) time.Time) func(any, *avro.SchemaNode) (any, error) {
	return func(v any, _ *avro.SchemaNode) (any, error) {
		count, ok := v.(int64)
		if !ok {
			return nil, avro.ErrSkipCustomType
		}
		return at(count).UTC().Format("2006-01-02T15:04:05.999999999"), nil
	}
}

func uuidText(v any, _ *avro.SchemaNode) (any, error) {
	id, ok := v.([]byte)
	if !ok || len(id) != 16 {
		return nil, avro.ErrSkipCustomType
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), nil
}

// durationText is the ISO 8601 form: months and days have no fixed length, so a
// duration is no number.
func durationText(v any, _ *avro.SchemaNode) (any, error) {
	b, ok := v.([]byte)
	if !ok || len(b) != 12 {
		return nil, avro.ErrSkipCustomType
	}
	return avro.DurationFromBytes(b).String(), nil
}

// bigDecimal decodes a decimal that brings its own scale: the unscaled value as
// Avro bytes and the scale as an Avro int. The library would take any scale that it
// can hold, at a cost of a thousand bytes of memory for each byte of a record.
func bigDecimal(v any, _ *avro.SchemaNode) (any, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, avro.ErrSkipCustomType
	}
	size, n := binary.Varint(b)
	if n <= 0 || size < 0 || size > int64(len(b)-n) {
		return nil, errors.New("big-decimal: the length of its unscaled value is wrong")
	}
	unscaled, rest := b[n:n+int(size)], b[n+int(size):]
	scale, n := binary.Varint(rest)
	if n <= 0 || n != len(rest) {
		return nil, errors.New("big-decimal: no scale follows its unscaled value")
	}
	if scale < -maxDecimalDigits || scale > maxDecimalDigits || len(unscaled) > maxDecimalDigits {
		return nil, fmt.Errorf("big-decimal: more than %d digits", maxDecimalDigits)
	}
	return asNumber(avro.RatFromBytes(unscaled, int(scale))), nil
}

// asNumber is the double that is nearest.
func asNumber(r *big.Rat) float64 {
	f, _ := r.Float64()
	return f
}
