package transform

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
)

// oracle is a decoder that also decodes with the library, in its plain way, and fails
// where the two differ.
type oracle struct {
	*avroDecoder
	fields []string
	into   *plan
	// known are the schemas as the library decodes with them.
	known map[*avroSchema]*avro.Schema
}

func newOracle(cfg AvroConfig, limits Limits, registry *Schemas) (*oracle, error) {
	d, err := newAvroDecoder(cfg, limits, registry)
	if err != nil {
		return nil, err
	}
	o := &oracle{avroDecoder: d, into: newPlan(), known: map[*avroSchema]*avro.Schema{}}
	o.into.want(nil)
	return o, nil
}

// only makes the decoder leave out all fields but these.
func (o *oracle) only(fields []string) {
	o.fields, o.into, o.known = append([]string{}, fields...), newPlan(), map[*avroSchema]*avro.Schema{}
	for _, name := range fields {
		o.into.want([]step{{name, -1}})
	}
}

// decodeTree reads a record, and returns what the library makes of it.
func (o *oracle) decodeTree(rec *kgo.Record) (any, error) {
	schema, datum, err := o.unwrap(rec.Value)
	if err != nil {
		return nil, err
	}
	return o.decode(schema, datum)
}

// decode reads a datum both ways. An error that is no *decodeError tells a difference.
func (o *oracle) decode(schema *avroSchema, datum []byte) (any, error) {
	ours, _ := errors.AsType[*decodeError](o.read(schema, datum, o.into))
	tree, theirs := o.library(schema, datum)
	switch {
	case (ours == nil) != (theirs == nil), ours != nil && (ours.Reason != theirs.Reason || ours.limit != theirs.limit):
		return nil, fmt.Errorf("the decoder says %+v, the library %+v", refusalOf(ours), refusalOf(theirs))
	case ours != nil:
		return nil, ours
	case o.into.any:
		return tree, o.compare(&o.into.whole, tree)
	}
	for i, name := range o.into.root.keys {
		if err := o.compareMember(o.into.root.children[i].slot, tree, name); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// refusalOf is an error as a value that is none.
func refusalOf(err *decodeError) decodeError {
	if err == nil {
		return decodeError{}
	}
	return *err
}

func (o *oracle) compareMember(got *value, tree any, name string) error {
	record, _ := tree.(map[string]any)
	want, ok := record[name]
	if !ok && got.kind == missing {
		return nil
	}
	return o.compare(got, want)
}

// library decodes with the library, and holds the tree against the limits.
func (o *oracle) library(parsed *avroSchema, datum []byte) (any, *decodeError) {
	schema := o.known[parsed]
	if schema == nil {
		var err error
		if schema, err = avro.Parse(parsed.schema.String(), avroOptions()...); err != nil {
			return nil, notDecodable("parsing the schema again: %v", err)
		}
		if o.fields != nil {
			schema = only(schema, parsed.cost.depth, o.fields)
		}
		o.known[parsed] = schema
	}
	if parsed.cost.of(len(datum)) > memoryFactor*float64(o.limits.RecordBytes) {
		return nil, exceeds(limitRecordBytes, "it takes too much memory").decodeError()
	}
	var tree any
	rest, err := schema.Decode(datum, &tree, avro.AliasInput())
	switch {
	case err != nil:
		return nil, notDecodable("%v", err)
	case len(rest) > 0:
		return nil, notDecodable("%d bytes are left over", len(rest))
	case deeper(tree, o.limits.Depth):
		return nil, exceeds(limitDepth, "it is too deep").decodeError()
	case spare(tree, o.limits.Nodes) < 0:
		return nil, exceeds(limitNodes, "it has too many nodes").decodeError()
	}
	return tree, nil
}

// compare holds a value of the decoder against a tree of the library.
func (o *oracle) compare(got *value, tree any) error {
	want := treeValue(tree)
	differ := got.kind != want.kind
	switch want.kind {
	case object:
		if !differ {
			return o.compareObject(got, tree.(map[string]any))
		}
	case array:
		if !differ {
			return o.compareArray(got, tree.([]any))
		}
	case text:
		differ = differ || got.text != want.text
	case missing, null:
	default:
		differ = differ || got.bits != want.bits || want.kind == instant && got.nanos != want.nanos
	}
	if differ {
		return fmt.Errorf("the decoder found %s (%d %d %d), the library %v", got.found(), got.kind, got.bits, got.nanos, tree)
	}
	return nil
}

func (o *oracle) compareObject(got *value, tree map[string]any) error {
	entries := o.appendEntries(nil, got)
	if len(entries) != len(tree) {
		return fmt.Errorf("the decoder found %d entries, the library %d", len(entries), len(tree))
	}
	for i, name := range slices.Sorted(maps.Keys(tree)) {
		if entries[i].name != name {
			return fmt.Errorf("the decoder found the entry %q, the library %q", entries[i].name, name)
		}
		if err := o.compare(&entries[i].value, tree[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (o *oracle) compareArray(got *value, tree []any) error {
	into, at := newPlan(), cursor{}
	for i, want := range tree {
		var ok bool
		if at, ok = o.element(got, at, into); !ok {
			return fmt.Errorf("the decoder found %d elements, the library %d", i, len(tree))
		}
		element := into.whole
		if err := o.compare(&element, want); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	if _, more := o.element(got, at, into); more {
		return fmt.Errorf("the decoder found more than %d elements", len(tree))
	}
	return nil
}

// only returns a schema that skips the fields of its record but those given. What is
// skipped is checked for its length alone. A recursive schema stays whole: its record
// may be wanted as a field, too.
func only(s *avro.Schema, depth int, fields []string) *avro.Schema {
	root := s.Root()
	// The nodes refer to each other: they must stay where they are.
	var wanted []avro.SchemaField
	for _, field := range root.Fields {
		if slices.Contains(fields, field.Name) {
			wanted = append(wanted, field)
		}
	}
	if root.Type != "record" || len(wanted) == len(root.Fields) || depth >= endless {
		return s
	}
	root.Fields = wanted
	reader, err := root.Schema(avroOptions()...)
	if err != nil {
		return s
	}
	skipping, err := avro.Resolve(s, reader)
	if err != nil {
		return s
	}
	return skipping
}

// deeper says that a tree has more than so many levels of maps and lists.
func deeper(tree any, levels int) bool {
	switch x := tree.(type) {
	case map[string]any:
		if levels == 0 {
			return true
		}
		for _, child := range x {
			if deeper(child, levels-1) {
				return true
			}
		}
	case []any:
		return levels == 0 || slices.ContainsFunc(x, func(child any) bool { return deeper(child, levels-1) })
	}
	return false
}

// spare is what a tree leaves of so many nodes; it is negative where the tree has
// more.
func spare(tree any, nodes int) int {
	nodes--
	switch x := tree.(type) {
	case map[string]any:
		for _, child := range x {
			if nodes < 0 {
				break
			}
			nodes = spare(child, nodes)
		}
	case []any:
		for i := 0; i < len(x) && nodes >= 0; i++ {
			nodes = spare(x[i], nodes)
		}
	}
	return nodes
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
		avro.CustomType{LogicalType: "big-decimal", AvroType: "bytes", Decode: oracleDecimal},
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

// oracleDecimal decodes a decimal that brings its own scale.
func oracleDecimal(v any, _ *avro.SchemaNode) (any, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, avro.ErrSkipCustomType
	}
	return bigDecimal(b)
}
