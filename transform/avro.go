package transform

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
)

// memoryFactor is how many times the size of the largest record a decoded record
// may take. Ordinary records take 2 to 20 times their size.
const memoryFactor = 256

// avroDecoder decodes records with the schema that they were written with, so that a
// schema may change in the middle of a topic.
//
// Logical types become: timestamp-* and date a time.Time in UTC; local-timestamp-*
// text without a zone; time-* a time.Duration; decimal a number; uuid and duration
// text. An enum is the text of its symbol, and a union the value of its branch.
// Text and bytes alias the record.
type avroDecoder struct {
	framing string
	// schemas is nil where no framing of ids is in use.
	schemas *Schemas
	// plain is the schema of values without a frame; nil: there is none.
	plain         *avroSchema
	byFingerprint map[uint64]*avroSchema
	limits        Limits // Of the depth, the nodes and, with memoryFactor, the memory.
	options       []avro.Opt

	// fields are those of a record that are wanted, and narrow the schemas that skip
	// all others.
	fields []string
	narrow map[*avroSchema]*avroSchema
	// tree is what the last record became, and last its schema: a record's map is
	// filled again while the schema stays the same.
	tree any
	last *avroSchema
}

// newAvroDecoder reads the schemas that the configuration names. The registry is
// nil where none is configured; the caller closes it.
func newAvroDecoder(cfg AvroConfig, limits Limits, registry *Schemas) (*avroDecoder, error) {
	given, err := cfg.schemas()
	if err != nil {
		return nil, err
	}
	d := &avroDecoder{
		framing:       cfg.framing(registry != nil),
		schemas:       registry,
		byFingerprint: make(map[uint64]*avroSchema, len(given)),
		limits:        limits,
		options:       []avro.Opt{avro.AliasInput()},
	}
	for _, schema := range given {
		d.byFingerprint[schema.fingerprint()] = schema
	}
	if len(given) == 1 && d.framing == framingNone {
		d.plain = given[0]
	}
	if cfg.Framing == framingNone {
		d.byFingerprint = nil // Said, and not guessed: no value is a single object.
	}
	return d, nil
}

// maxNarrow bounds the schemas that are kept narrowed, beside those that the registry
// keeps.
const maxNarrow = 1000

// only makes the decoder leave out the other fields of records, which makes wide
// ones several times faster.
func (d *avroDecoder) only(fields []string) {
	d.fields = fields
	d.narrow = make(map[*avroSchema]*avroSchema)
}

// decodeTree implements treeDecoder.
func (d *avroDecoder) decodeTree(rec *kgo.Record) (any, error) {
	schema, datum, err := d.unwrap(rec.Value)
	if err != nil {
		return nil, err
	}
	if d.narrow != nil {
		schema = d.narrowed(schema)
	}
	return d.decode(schema, datum)
}

func (d *avroDecoder) narrowed(schema *avroSchema) *avroSchema {
	if narrow := d.narrow[schema]; narrow != nil {
		return narrow
	}
	if len(d.narrow) >= maxNarrow {
		clear(d.narrow)
	}
	narrow := schema.only(d.fields)
	d.narrow[schema] = narrow
	return narrow
}

// unwrap finds the schema and the datum of a value.
func (d *avroDecoder) unwrap(value []byte) (*avroSchema, []byte, error) {
	switch d.framing {
	case framingConfluent:
		return d.unwrapConfluent(value)
	case framingSingleObject:
		return d.unwrapSingleObject(value)
	}
	if fingerprint, datum, ok := cutFingerprint(value); ok {
		if schema := d.byFingerprint[fingerprint]; schema != nil {
			return schema, datum, nil
		}
	}
	return d.plain, value, nil
}

// unwrapConfluent takes off the magic byte 0 and the schema id, four bytes, big
// endian.
func (d *avroDecoder) unwrapConfluent(value []byte) (*avroSchema, []byte, error) {
	if len(value) < 5 || value[0] != 0 {
		return nil, nil, notDecodable("%s, but a zero byte and the four bytes of a schema id were expected%s", beginning(value), guess(value))
	}
	// The look-up has a time limit of its own.
	schema, err := d.schemas.find(context.Background(), binary.BigEndian.Uint32(value[1:]))
	return schema, value[5:], err
}

func (d *avroDecoder) unwrapSingleObject(value []byte) (*avroSchema, []byte, error) {
	fingerprint, datum, ok := cutFingerprint(value)
	if !ok {
		return nil, nil, notDecodable("%s, but 0xc3 0x01 and the eight bytes of a fingerprint were expected%s", beginning(value), guess(value))
	}
	schema := d.byFingerprint[fingerprint]
	if schema == nil {
		return nil, nil, &decodeError{Reason: ReasonUnknownSchema, Text: fmt.Sprintf(
			"no schema in avro.schema_file has the fingerprint 0x%016x; %d are there", fingerprint, len(d.byFingerprint))}
	}
	return schema, datum, nil
}

// decode reads one datum, which has to take all of the bytes.
func (d *avroDecoder) decode(schema *avroSchema, datum []byte) (tree any, err error) {
	memory, most := schema.cost.of(len(datum)), memoryFactor*float64(d.limits.RecordBytes)
	if memory > most {
		return nil, exceeds(limitRecordBytes, "%d bytes of this schema could take %.3g MiB of memory once decoded, want at most %.3g MiB, %d times the bytes of a record",
			len(datum), memory/(1<<20), most/(1<<20), memoryFactor).decodeError()
	}
	defer func() {
		if r := recover(); r != nil {
			d.last = nil
			tree, err = nil, &decodeError{Reason: ReasonPanic, Text: shortened(fmt.Sprintf("decoding Avro panicked: %v", r))}
		}
	}()
	d.reuse(schema)
	rest, err := schema.schema.Decode(datum, &d.tree, d.options...)
	switch {
	case err != nil:
		return nil, notDecodable("no datum of the schema: %s%s", shortened(err.Error()), d.hint(datum))
	case len(rest) > 0:
		return nil, notDecodable("%d of the %d bytes are left over after a datum of the schema%s", len(rest), len(datum), d.hint(datum))
	case schema.cost.depth > d.limits.Depth && deeper(d.tree, d.limits.Depth):
		return nil, exceeds(limitDepth, "found a record, array or map %d deep, want at most %d", d.limits.Depth+1, d.limits.Depth).decodeError()
	case maxNodes(memory) > float64(d.limits.Nodes) && spare(d.tree, d.limits.Nodes) < 0:
		return nil, exceeds(limitNodes, "found more than %d values, want at most %d", d.limits.Nodes, d.limits.Nodes).decodeError()
	}
	return d.tree, nil
}

// reuse keeps the map of the last record for one of the same schema. It is
// emptied, for the sake of unions of records and of plain maps.
func (d *avroDecoder) reuse(schema *avroSchema) {
	object, ok := d.tree.(map[string]any)
	if !ok || d.last != schema {
		d.tree, d.last = nil, schema
		return
	}
	clear(object)
}

// hint says what may be wrong where values have no frame, so that nothing else
// tells that the schema is not theirs.
func (d *avroDecoder) hint(value []byte) string {
	if d.framing != framingNone {
		return ""
	}
	if len(value) >= 5 && value[0] == 0 {
		return ": this may be a schema id, for which schema_registry has to be set"
	}
	return guess(value)
}

// cutFingerprint splits a single object: 0xC3 0x01 and a fingerprint, little
// endian, in front of the datum.
func cutFingerprint(value []byte) (fingerprint uint64, datum []byte, ok bool) {
	if len(value) < 10 || value[0] != 0xc3 || value[1] != 0x01 {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint64(value[2:]), value[10:], true
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

func notDecodable(format string, args ...any) *decodeError {
	return &decodeError{Reason: ReasonNotDecodable, Text: fmt.Sprintf(format, args...)}
}

// beginning tells the first byte of a value.
func beginning(value []byte) string {
	if len(value) < 2 {
		return fmt.Sprintf("the value has %d bytes", len(value))
	}
	return fmt.Sprintf("the first bytes of %d are 0x%02x 0x%02x", len(value), value[0], value[1])
}

// guess tells what a value looks like that is not what the configuration says.
func guess(value []byte) string {
	text := bytes.TrimLeft(value, " \t\r\n")
	switch {
	case len(text) > 1 && bytes.IndexByte([]byte(`{["`), text[0]) >= 0:
		return ": this looks like JSON"
	case bytes.HasPrefix(value, []byte("Obj\x01")):
		return ": this is an Avro container file, of which no record is made"
	case bytes.HasPrefix(value, []byte{0xc3, 0x01}):
		return ": this looks like framing " + framingSingleObject
	case len(value) >= 5 && value[0] == 0:
		return ": this looks like framing " + framingConfluent
	}
	return ""
}
