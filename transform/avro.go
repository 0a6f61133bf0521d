package transform

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// memoryFactor is how many times the size of the largest record a record may take if
// all of its values were made. They are not, but each of them is gone through, and of
// those that take no bytes a short record can have any number. Ordinary records would
// take 2 to 20 times their size.
const memoryFactor = 256

// avroDecoder reads records by the schema that they were written with, so that a
// schema may change in the middle of a topic.
//
// Logical types become: timestamp-* and date an instant; local-timestamp-* text without
// a zone; time-* a number of seconds; decimal a number; uuid and duration text. An enum
// is the text of its symbol, and a union the value of its branch. Text and bytes alias
// the record.
type avroDecoder struct {
	framing string
	// schemas is nil where no framing of ids is in use.
	schemas *Schemas
	// plain is the schema of values without a frame; nil: there is none.
	plain         *avroSchema
	byFingerprint map[uint64]*avroSchema
	limits        Limits // Of the depth, the nodes and, with memoryFactor, the memory.

	// programs fill the one plan from the values of each schema; last is that of the
	// schema that was used last.
	programs map[*avroSchema]*avroOp
	last     *avroSchema
	program  *avroOp
	walker   avroWalker
	single   *plan // Takes a single value.
	// numbers tell types in the keys of the series cache, by what they consist of.
	numbers    map[string]uint64
	lastNumber uint64
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
		programs:      make(map[*avroSchema]*avroOp),
		single:        newPlan(),
		numbers:       make(map[string]uint64),
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

// maxPrograms bounds the programs that are kept, beside the schemas that the registry
// keeps.
const maxPrograms = 1000

// fill implements decoder.
func (d *avroDecoder) fill(rec *kgo.Record, into *plan) error {
	schema, datum, err := d.unwrap(rec.Value)
	if err != nil {
		return err
	}
	return d.read(schema, datum, into)
}

// use finds or makes the program of a schema.
func (d *avroDecoder) use(schema *avroSchema, into *plan) *avroOp {
	if schema == d.last {
		return d.program
	}
	op := d.programs[schema]
	if op == nil {
		if len(d.programs) >= maxPrograms {
			clear(d.programs)
		}
		op = compileAvro(schema, into)
		d.programs[schema] = op
	}
	d.last, d.program = schema, op
	return op
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

// read reads one datum, which has to take all of the bytes.
func (d *avroDecoder) read(schema *avroSchema, datum []byte, into *plan) error {
	memory, most := schema.cost.of(len(datum)), memoryFactor*float64(d.limits.RecordBytes)
	if memory > most {
		return exceeds(limitRecordBytes, "%d bytes of this schema could take %.3g MiB of memory once decoded, want at most %.3g MiB, %d times the bytes of a record",
			len(datum), memory/(1<<20), most/(1<<20), memoryFactor).decodeError()
	}
	w := &d.walker
	w.begin(datum)
	end := w.run(d.use(schema, into), 0, into)
	switch {
	case end == failed:
		return notDecodable("no datum of the schema: %s%s", w.fault, d.hint(datum))
	case end < len(datum):
		return notDecodable("%d of the %d bytes are left over after a datum of the schema%s", len(datum)-end, len(datum), d.hint(datum))
	case w.deepest > d.limits.Depth:
		return exceeds(limitDepth, "found a record, array or map %d deep, want at most %d", d.limits.Depth+1, d.limits.Depth).decodeError()
	case w.nodes > d.limits.Nodes:
		return exceeds(limitNodes, "found more than %d values, want at most %d", d.limits.Nodes, d.limits.Nodes).decodeError()
	}
	return nil
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
