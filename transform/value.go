package transform

import (
	"math"
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
	instant // The bits are an int64 of seconds since 1970, before the nanos.
	text    // The text itself.
	escaped // Text that still has its JSON escapes.
	object  // The JSON text, or what the decoder says in tree.
	array   // The same.
)

// value is what a rule finds at a path, whatever the format of the record was. It
// may alias the record's bytes and is valid until the next record is decoded.
type value struct {
	kind  kind
	nanos uint32
	bits  uint64
	text  string
	// tree is what the decoder of another format than JSON has to know of an object or
	// array to read on in it.
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

// instantValue is a point in time.
func instantValue(at time.Time) value {
	return value{kind: instant, bits: uint64(at.Unix()), nanos: uint32(at.Nanosecond())}
}

// absent says that there is nothing to use: the path is missing, or null.
func (v *value) absent() bool { return v.kind <= null }

// numeric says whether v is a number or a boolean.
func (v *value) numeric() bool { return v.kind >= boolean && v.kind <= single }

// float is the number that the bits of a double or a single are.
func (v *value) float() float64 { return math.Float64frombits(v.bits) }

// time is the point in time that an instant is, in UTC.
func (v *value) time() time.Time { return time.Unix(int64(v.bits), int64(v.nanos)).UTC() }

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
		return v.time().AppendFormat(dst, time.RFC3339Nano), true
	case object, array:
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
