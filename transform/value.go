package transform

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"
)

// kind is what a value is, and how it is held.
type kind uint8

const (
	missing kind = iota // There is nothing at the path.
	null
	boolean // The value's bits are 0 or 1.
	literal // A number as its JSON text.
	integer // The value's bits are an int64.
	double  // The value's bits are a float64.
	single  // The value's bits are a float64 that was a float32.
	instant // The tree is a time.Time.
	text    // The text itself.
	escaped // Text that still has its JSON escapes.
	object  // The JSON text, or a tree of type map[string]any.
	array   // The JSON text, or a tree of type []any.
	foreign // A tree of a type that no rule can use.
)

// value is what a rule finds at a path, whatever the format of the record was. It
// may alias the record's bytes and is valid until the next record is decoded.
type value struct {
	kind kind
	bits uint64
	text string
	tree any
}

func integerValue(i int64) value { return value{kind: integer, bits: uint64(i)} }

func textValue(s string) value { return value{kind: text, text: s} }

// bytesValue is text that shares the memory of b; nil is missing.
func bytesValue(b []byte) value {
	if b == nil {
		return value{}
	}
	return textValue(textOf(b))
}

// textOf is b as text, in the same memory: b must not change while it is in use.
func textOf(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // A copy of each record would cost more than mapping it.
}

// treeValue takes one node of a tree as a treeDecoder makes it.
func treeValue(tree any) value {
	switch x := tree.(type) {
	case nil:
		return value{kind: null}
	case string:
		return value{kind: text, text: x}
	case []byte:
		return value{kind: text, text: string(x)}
	case map[string]any:
		return value{kind: object, tree: tree}
	case []any:
		return value{kind: array, tree: tree}
	case bool:
		if x {
			return value{kind: boolean, bits: 1}
		}
		return value{kind: boolean}
	case time.Time:
		return value{kind: instant, tree: tree}
	}
	return numberValue(tree)
}

func numberValue(tree any) value {
	switch x := tree.(type) {
	case float64:
		return value{kind: double, bits: math.Float64bits(x)}
	case float32:
		return value{kind: single, bits: math.Float64bits(float64(x))}
	case int:
		return integerValue(int64(x))
	case int32:
		return integerValue(int64(x))
	case int64:
		return integerValue(x)
	case uint32:
		return integerValue(int64(x))
	case uint64:
		return value{kind: literal, text: strconv.FormatUint(x, 10)}
	case json.Number:
		return value{kind: literal, text: string(x)}
	case time.Duration: // In seconds, Prometheus' base unit.
		return value{kind: double, bits: math.Float64bits(x.Seconds())}
	case *big.Rat:
		f, _ := x.Float64()
		return value{kind: double, bits: math.Float64bits(f)}
	}
	return value{kind: foreign, tree: tree}
}

// absent says that there is nothing to use: the path is missing, or null.
func (v *value) absent() bool { return v.kind <= null }

// numeric says whether v is a number or a boolean.
func (v *value) numeric() bool { return v.kind >= boolean && v.kind <= single }

// float is the number that the bits of a double or a single are.
func (v *value) float() float64 { return math.Float64frombits(v.bits) }

// appendText writes a scalar as the text of a label: numbers and booleans as JSON
// writes them, times as RFC 3339. It returns false for what is no scalar.
func (v *value) appendText(dst []byte) ([]byte, bool) {
	switch v.kind {
	case missing, null:
		return dst, true
	case boolean:
		return strconv.AppendBool(dst, v.bits != 0), true
	case literal, text:
		return append(dst, v.text...), true
	case escaped:
		return appendUnescaped(dst, v.text), true
	case integer:
		return strconv.AppendInt(dst, int64(v.bits), 10), true
	case double:
		return appendFloat(dst, v.float(), 64), true
	case single:
		return appendFloat(dst, v.float(), 32), true
	case instant:
		return v.tree.(time.Time).UTC().AppendFormat(dst, time.RFC3339Nano), true
	case object, array, foreign:
	}
	return dst, false
}

// label is the text of appendText. It may share memory with the record.
func (v *value) label() (string, bool) {
	if v.kind == literal || v.kind == text {
		return v.text, true
	}
	s, ok := v.appendText(nil)
	return string(s), ok
}

// appendFloat writes the shortest decimal that reads back as f, with an exponent
// where JSON encoders use one.
func appendFloat(dst []byte, f float64, bits int) []byte {
	form := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(dst, f, form, -1, bits)
}

// maxFound bounds what a refusal quotes of a value, in bytes.
const maxFound = 200

// found says for people what a value is: short, and printable.
func (v *value) found() string {
	switch v.kind {
	case missing:
		return "nothing"
	case null:
		return "null"
	case object:
		return "an object"
	case array:
		return "an array"
	case foreign:
		return fmt.Sprintf("a value of type %T", v.tree)
	case text, escaped:
		s, _ := v.label()
		return "the text " + quoted(s)
	case boolean, literal, integer, double, single, instant:
	}
	s, _ := v.label()
	return shortened(s)
}

// quoted writes text of any length and content for people.
func quoted(s string) string { return strconv.Quote(shortened(s)) }

// shortened cuts text that is too long for a message, between runes.
func shortened(s string) string {
	if len(s) <= maxFound {
		return s
	}
	end := maxFound
	for end > maxFound-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
