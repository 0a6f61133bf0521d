package transform

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// scanner reads JSON text in one pass: it checks all of it against RFC 8259, and
// fills the slots of a plan on its way. Nothing is copied or converted; the
// slots refer to the text.
//
// Its methods take the position where something starts, and return the position
// behind it, or failed.
type scanner struct {
	data  []byte
	text  string // The same memory as data.
	limit int    // How deeply objects and arrays may be nested.
	depth int    // How much of the limit is left.
	// pass counts the runs of a plan, see node.seen.
	pass uint64
	key  []byte // Scratch space for keys that have escapes.
	err  *decodeError
}

// failed is the position after a fault; the scanner's err says what it is.
const failed = -1

// Eight bytes at a time: each byte one, and the top bit of each byte.
const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// document checks that data is one JSON value and fills the slots of p. They are
// valid until data changes.
func (s *scanner) document(data []byte, p *plan) error {
	s.data, s.text = data, unsafe.String(unsafe.SliceData(data), len(data))
	s.depth, s.err = s.limit, nil
	end := s.run(s.space(0), p)
	if end != failed {
		if end = s.space(end); end < len(data) {
			end = s.fail(end, "the end of the record")
		}
	}
	if end == failed {
		return s.err
	}
	if !utf8.Valid(data) {
		return &decodeError{ReasonNotDecodable, "the record is JSON but not UTF-8"}
	}
	return nil
}

// run fills the slots of p from the value at i.
func (s *scanner) run(i int, p *plan) int {
	p.reset()
	s.pass++
	return s.value(i, &p.root)
}

func (s *scanner) value(i int, n *node) int {
	if i >= len(s.data) {
		return s.fail(i, "a value")
	}
	k, start, end := literal, i, failed
	switch s.data[i] {
	case '"':
		k, start = text, i+1
		var escapes bool
		if end, escapes = s.string(start); escapes {
			k = escaped
		}
		if n != nil && end != failed {
			n.fill(value{kind: k, text: s.text[start : end-1]})
		}
		return end
	case '{':
		k, end = object, s.object(i, n)
	case '[':
		k, end = array, s.array(i, n)
	case 't':
		return s.word(i, "true", n, value{kind: boolean, bits: 1})
	case 'f':
		return s.word(i, "false", n, value{kind: boolean})
	case 'n':
		return s.word(i, "null", n, value{kind: null})
	default:
		end = s.number(i)
	}
	if n != nil && end != failed {
		n.fill(value{kind: k, bits: uint64(start), text: s.text[start:end]})
	}
	return end
}

// fill puts a value where it is wanted. The bits of an object or array are its
// position.
func (n *node) fill(v value) {
	if n.slot != nil {
		*n.slot = v
	}
}

func (s *scanner) word(i int, word string, n *node, v value) int {
	end := i + len(word)
	if end > len(s.text) || s.text[i:end] != word {
		return s.fail(i, word)
	}
	if n != nil {
		n.fill(v)
	}
	return end
}

func (s *scanner) object(i int, n *node) int {
	if s.depth--; s.depth < 0 {
		return s.tooDeep(i)
	}
	i = s.space(i + 1)
	if i < len(s.data) && s.data[i] == '}' {
		s.depth++
		return i + 1
	}
	for {
		var child *node
		if i, child = s.member(i, n); i == failed {
			return failed
		}
		if child == nil && i < len(s.data) && s.data[i] == '"' { // Most are, and most are not wanted.
			i, _ = s.string(i + 1)
		} else {
			i = s.value(i, child)
		}
		if i == failed {
			return failed
		}
		i = s.space(i)
		if i >= len(s.data) || s.data[i] != ',' {
			break
		}
		i = s.space(i + 1)
	}
	if i >= len(s.data) || s.data[i] != '}' {
		return s.fail(i, "a comma or a closing brace")
	}
	s.depth++
	return i + 1
}

// member reads a key and the colon, and returns the child of n that the key leads
// to, or nil.
func (s *scanner) member(i int, n *node) (int, *node) {
	if i >= len(s.data) || s.data[i] != '"' {
		return s.fail(i, "a key in quotes"), nil
	}
	end, escapes := s.string(i + 1)
	if end == failed {
		return failed, nil
	}
	var child *node
	if n != nil && len(n.keys) > 0 {
		key := s.text[i+1 : end-1]
		if child = s.child(n, key, escapes); child != nil && child.seen == s.pass {
			s.err = &decodeError{ReasonNotDecodable, fmt.Sprintf("duplicate key %s at byte %d", quoted(key), i)}
			return failed, nil
		}
		if child != nil {
			child.seen = s.pass
		}
	}
	i = s.space(end)
	if i >= len(s.data) || s.data[i] != ':' {
		return s.fail(i, "a colon"), nil
	}
	return s.space(i + 1), child
}

func (s *scanner) child(n *node, key string, escapes bool) *node {
	if !escapes {
		return n.member(key)
	}
	s.key = appendUnescaped(s.key[:0], key)
	return n.member(string(s.key))
}

func (s *scanner) array(i int, n *node) int {
	if s.depth--; s.depth < 0 {
		return s.tooDeep(i)
	}
	i = s.space(i + 1)
	if i < len(s.data) && s.data[i] == ']' {
		s.depth++
		return i + 1
	}
	for count := 0; ; count++ {
		var child *node
		if n != nil {
			child = n.element(count)
		}
		if i = s.value(i, child); i == failed {
			return failed
		}
		i = s.space(i)
		if i >= len(s.data) || s.data[i] != ',' {
			break
		}
		i = s.space(i + 1)
	}
	if i >= len(s.data) || s.data[i] != ']' {
		return s.fail(i, "a comma or a closing bracket")
	}
	s.depth++
	return i + 1
}

// space returns the position of the next byte that is not white space.
func (s *scanner) space(i int) int {
	if i < len(s.data) && s.data[i] > ' ' {
		return i
	}
	return s.spaces(i)
}

func (s *scanner) spaces(i int) int {
	for i < len(s.data) && (s.data[i] == ' ' || s.data[i] == '\n' || s.data[i] == '\t' || s.data[i] == '\r') {
		i++
	}
	return i
}

// string reads a string whose opening quote is in front of i, and tells whether
// it has escapes.
func (s *scanner) string(i int) (end int, escapes bool) {
	d := s.data
	for ; i+8 <= len(d); i += 8 {
		if stop := stops(binary.LittleEndian.Uint64(d[i:])); stop != 0 {
			i += bits.TrailingZeros64(stop) / 8
			if d[i] == '"' {
				return i + 1, false
			}
			break
		}
	}
	return s.anyString(i)
}

// anyString reads on where the short way ends.
func (s *scanner) anyString(i int) (end int, escapes bool) {
	for i < len(s.data) {
		switch c := s.data[i]; {
		case c == '"':
			return i + 1, escapes
		case c == '\\':
			escapes = true
			if i = s.escape(i); i == failed {
				return failed, escapes
			}
		case c < ' ':
			return s.fail(i, "no control characters in a string"), escapes
		default:
			i++
		}
	}
	return s.fail(i, "a closing quote"), escapes
}

// stops marks, with the top bit, the bytes of w at which plain text ends: quotes,
// backslashes and control characters. Only the lowest mark is exact.
func stops(w uint64) uint64 {
	control, quote, slash := w-lows*' ', (w^lows*'"')-lows, (w^lows*'\\')-lows
	return (control | quote | slash) &^ w & highs
}

// escape reads the escape that starts with the backslash at i.
func (s *scanner) escape(i int) int {
	if i+1 < len(s.data) {
		switch s.data[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			return i + 2
		case 'u':
			if _, ok := hex4(s.text[i+2:]); ok {
				return i + 6
			}
		}
	}
	return s.fail(i, "an escape that JSON has")
}

func (s *scanner) number(i int) int {
	start := i
	if i < len(s.data) && s.data[i] == '-' {
		i++
	}
	switch {
	case i < len(s.data) && s.data[i] == '0':
		i++
	default:
		if i = s.digits(i); i == failed {
			return s.fail(start, "a value")
		}
	}
	if i < len(s.data) && s.data[i] == '.' {
		if i = s.digits(i + 1); i == failed {
			return s.fail(start, "digits behind the decimal point")
		}
	}
	if i < len(s.data) && s.data[i]|0x20 == 'e' {
		i++
		if i < len(s.data) && (s.data[i] == '+' || s.data[i] == '-') {
			i++
		}
		if i = s.digits(i); i == failed {
			return s.fail(start, "digits in the exponent")
		}
	}
	return i
}

// digits reads at least one digit.
func (s *scanner) digits(i int) int {
	start := i
	for i < len(s.data) && s.data[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return failed
	}
	return i
}

// fail notes what should have been at i.
func (s *scanner) fail(i int, want string) int {
	found := "the end of the record"
	if i < len(s.text) {
		found = quoted(s.text[i:min(len(s.text), i+16)])
	}
	s.err = &decodeError{ReasonNotDecodable, fmt.Sprintf("no JSON at byte %d: want %s, found %s", i, want, found)}
	return failed
}

func (s *scanner) tooDeep(i int) int {
	s.err = &decodeError{ReasonTooLarge, fmt.Sprintf("nested more than %d deep at byte %d", s.limit, i)}
	return failed
}
