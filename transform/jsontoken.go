package transform

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes at a time: each byte one, and the top bit of each byte.
const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// at says whether the byte at i is c.
func (s *scanner) at(i int, c byte) bool { return i < len(s.data) && s.data[i] == c }

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
	if s.at(i, '-') {
		i++
	}
	if s.at(i, '0') {
		i++
	} else if i = s.digits(i); i == failed {
		return s.fail(start, "a value")
	}
	if s.at(i, '.') {
		if i = s.digits(i + 1); i == failed {
			return s.fail(start, "digits behind the decimal point")
		}
	}
	if s.at(i, 'e') || s.at(i, 'E') {
		if i++; s.at(i, '+') || s.at(i, '-') {
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
