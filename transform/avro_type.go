package transform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/avro"
)

// avroKind is what a type is on the wire and what its values become.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroText  // A string or bytes.
	avroFixed // Text, too.
	avroEnum
	avroObject // A record.
	avroArray
	avroMap
	avroUnion
	// Logical types of int and long.
	avroDate
	avroTimeMillis
	avroTimeMicros
	avroTimestampMillis
	avroTimestampMicros
	avroTimestampNanos
	avroLocalMillis
	avroLocalMicros
	avroLocalNanos
	// Logical types of bytes and fixed.
	avroDecimal
	avroBigDecimal
	avroFixedDecimal
	avroUUID
	avroDuration
)

// avroWire is how a value without others in it stands in the data.
type avroWire uint8

const (
	wireFixed avroWire = iota // So many bytes.
	wireInt                   // A varint of up to 32 bits.
	wireLong                  // A varint of up to 64 bits.
	wireSized                 // A length, and as many bytes.
)

// avroType is a type of a writer's schema, with the names in it resolved: a type that
// holds itself is a cycle. It never changes once it is parsed.
type avroType struct {
	kind     avroKind
	wire     avroWire
	size     int // Of wireFixed, in bytes.
	scale    int // Of a decimal.
	symbols  []string
	fields   []avroField
	items    *avroType // Of an array, or the values of a map.
	branches []*avroType
}

type avroField struct {
	name string
	typ  *avroType
}

// typeBuilder resolves the names of a schema, which refer to what is defined before or
// around them.
type typeBuilder struct {
	named     map[string]*avroType
	namespace string // Of the definition around: names without a dot are of it.
	err       error
}

func typeOf(root *avro.SchemaNode) (*avroType, error) {
	b := typeBuilder{named: make(map[string]*avroType)}
	t := b.build(root)
	return t, b.err
}

func (b *typeBuilder) build(n *avro.SchemaNode) *avroType {
	t := &avroType{kind: kindOf(n), scale: n.Scale, symbols: n.Symbols}
	switch n.Type {
	case "null":
	case "boolean":
		t.size = 1
	case "float":
		t.size = 4
	case "double":
		t.size = 8
	case "int":
		t.wire = wireInt
	case "long":
		t.wire = wireLong
	case "string", "bytes":
		t.wire = wireSized
		b.checkDecimal(n)
	case "fixed":
		t.size = n.Size
		b.checkDecimal(n)
		b.named[fullName(n)] = t
	case "enum":
		t.wire = wireInt
		b.named[fullName(n)] = t
	default:
		return b.complex(t, n)
	}
	return t
}

func (b *typeBuilder) complex(t *avroType, n *avro.SchemaNode) *avroType {
	switch n.Type {
	case "record", "error":
		b.record(t, n)
	case "array":
		t.items = b.build(n.Items)
	case "map":
		t.items = b.build(n.Values)
	case "union":
		for i := range n.Branches {
			t.branches = append(t.branches, b.build(&n.Branches[i]))
		}
	default:
		return b.reference(n.Type)
	}
	return t
}

func (b *typeBuilder) record(t *avroType, n *avro.SchemaNode) {
	name, around := fullName(n), b.namespace
	b.named[name] = t
	b.namespace = name[:max(0, strings.LastIndexByte(name, '.'))]
	for i := range n.Fields {
		field := b.annotated(&n.Fields[i])
		t.fields = append(t.fields, avroField{n.Fields[i].Name, b.build(&field)})
	}
	b.namespace = around
}

// annotated is the type of a field. A logical type that stands beside it, where many
// schemas written by hand have it, is one of the type, or of the first branch of a
// union that is not null.
func (b *typeBuilder) annotated(f *avro.SchemaField) avro.SchemaNode {
	n := f.Type
	target := &n
	if n.Type == "union" {
		n.Branches = append([]avro.SchemaNode(nil), n.Branches...)
		for i := range n.Branches {
			if target = &n.Branches[i]; target.Type != "null" {
				break
			}
		}
	}
	if logical, ok := f.Props["logicalType"].(string); ok && target.LogicalType == "" {
		target.LogicalType = logical
	}
	if scale, ok := f.Props["scale"].(int64); ok && target.LogicalType == "decimal" && target.Scale == 0 {
		if f.Type.LogicalType == "decimal" && scale != 0 {
			b.err = fmt.Errorf("the schema has the scale of a decimal beside the type of the field %q: want it in the type", f.Name)
		}
		target.Scale = int(min(scale, maxDecimalDigits+1))
	}
	return n
}

func (b *typeBuilder) checkDecimal(n *avro.SchemaNode) {
	if n.LogicalType == "decimal" && n.Scale > maxDecimalDigits {
		b.err = fmt.Errorf("the schema has a decimal of %d digits: at most %d are supported", n.Scale, maxDecimalDigits)
	}
}

func (b *typeBuilder) reference(name string) *avroType {
	if !strings.Contains(name, ".") && b.namespace != "" {
		if t := b.named[b.namespace+"."+name]; t != nil {
			return t
		}
	}
	if t := b.named[name]; t != nil {
		return t
	}
	b.err = errors.Join(b.err, fmt.Errorf("the schema refers to %q, which it does not define", name))
	return &avroType{kind: avroNull}
}

// kindOf leaves a logical type out where it does not fit its type, as the
// specification wants it.
func kindOf(n *avro.SchemaNode) avroKind {
	plain, logical := n.Type, n.LogicalType
	switch plain {
	case "fixed":
		switch {
		case logical == "decimal":
			return avroFixedDecimal
		case logical == "uuid" && n.Size == uuidBytes:
			return avroUUID
		case logical == "duration" && n.Size == durationBytes:
			return avroDuration
		}
	case "int", "long", "bytes":
		if kind, ok := logicalKinds()[plain+" "+logical]; ok {
			return kind
		}
	}
	return plainKinds()[plain]
}

func plainKinds() map[string]avroKind {
	return map[string]avroKind{
		"null": avroNull, "boolean": avroBoolean, "int": avroInt, "long": avroLong, "float": avroFloat, "double": avroDouble,
		"string": avroText, "bytes": avroText, "fixed": avroFixed, "enum": avroEnum,
		"record": avroObject, "error": avroObject, "array": avroArray, "map": avroMap, "union": avroUnion,
	}
}

func logicalKinds() map[string]avroKind {
	return map[string]avroKind{
		"int date": avroDate, "int time-millis": avroTimeMillis, "long time-micros": avroTimeMicros,
		"long timestamp-millis": avroTimestampMillis, "long timestamp-micros": avroTimestampMicros, "long timestamp-nanos": avroTimestampNanos,
		"long local-timestamp-millis": avroLocalMillis, "long local-timestamp-micros": avroLocalMicros, "long local-timestamp-nanos": avroLocalNanos,
		"bytes decimal": avroDecimal, "bytes big-decimal": avroBigDecimal,
	}
}

// width is what every value of the type takes, in bytes, where that is known and no
// value can be wrong.
func (t *avroType) width() (bytes int, ok bool) {
	return t.size, t.wire == wireFixed && t.kind != avroFixedDecimal && !t.nests()
}

// nests says whether values have others in them.
func (t *avroType) nests() bool {
	return t.kind == avroObject || t.kind == avroArray || t.kind == avroMap || t.kind == avroUnion
}
