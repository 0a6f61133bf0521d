package transform

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// scanner reads JSON text in one pass: it checks all of it against RFC 8259, and
// fills the slots of a plan on its way. Nothing is copied or converted; the
// slots refer to the text.
//
// Its methods take the position where something starts, and return the position
// behind it, or failed.
type scanner struct {
	data   []byte
	text   string // The same memory as data.
	limits Limits // Of the depth and the nodes.
	depth  int    // How much of the depth is left.
	nodes  int    // How many of the nodes are left.
	// pass counts the runs of a plan, see node.seen.
	pass uint64
	key  []byte // Scratch space for keys that have escapes.
	err  *decodeError
}

func newScanner(limits Limits) scanner { return scanner{limits: limits} }

// failed is the position after a fault; the scanner's err says what it is.
const failed = -1

// document checks that data is one JSON value and fills the slots of p. They are
// valid until data changes.
func (s *scanner) document(data []byte, p *plan) error {
	s.data, s.text = data, textOf(data)
	s.depth, s.nodes, s.err = s.limits.Depth, s.limits.Nodes-1, nil
	end := s.run(s.space(0), p)
	s.nodes = math.MaxInt // What is read again is not counted again.
	if end != failed {
		if end = s.space(end); end < len(data) {
			end = s.fail(end, "the end of the record")
		}
	}
	if end == failed {
		return s.err
	}
	if !utf8.Valid(data) {
		return &decodeError{Reason: ReasonNotDecodable, Text: "the record is JSON but not UTF-8"}
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
	k := literal
	var end int
	switch s.data[i] {
	case '"':
		return s.stringValue(i, n)
	case 't', 'f', 'n':
		return s.word(i, n)
	case '{':
		k, end = object, s.object(i, n)
	case '[':
		k, end = array, s.array(i, n)
	default:
		end = s.number(i)
	}
	if n != nil && end != failed {
		n.fill(value{kind: k, bits: uint64(i), text: s.text[i:end]})
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

func (s *scanner) stringValue(i int, n *node) int {
	end, escapes := s.string(i + 1)
	if n == nil || end == failed {
		return end
	}
	v := value{kind: text, text: s.text[i+1 : end-1]}
	if escapes {
		v.kind = escaped
	}
	n.fill(v)
	return end
}

// word reads true, false or null.
func (s *scanner) word(i int, n *node) int {
	word, v := "null", value{kind: null}
	switch s.data[i] {
	case 't':
		word, v = "true", value{kind: boolean, bits: 1}
	case 'f':
		word, v = "false", value{kind: boolean}
	}
	if !strings.HasPrefix(s.text[i:], word) {
		return s.fail(i, word)
	}
	if n != nil {
		n.fill(v)
	}
	return i + len(word)
}

func (s *scanner) object(i int, n *node) int {
	if s.depth--; s.depth < 0 {
		return s.tooDeep(i)
	}
	i = s.space(i + 1)
	if s.at(i, '}') {
		s.depth++
		return i + 1
	}
	for {
		var child *node
		if i, child = s.member(i, n); i == failed {
			return failed
		}
		if s.nodes--; s.nodes < 0 {
			return s.tooMany(i)
		}
		if child == nil && s.at(i, '"') { // Most are, and most are not wanted.
			i, _ = s.string(i + 1)
		} else {
			i = s.value(i, child)
		}
		if i == failed {
			return failed
		}
		if i = s.space(i); !s.at(i, ',') {
			break
		}
		i = s.space(i + 1)
	}
	if !s.at(i, '}') {
		return s.fail(i, "a comma or a closing brace")
	}
	s.depth++
	return i + 1
}

// member reads a key and the colon, and returns the child of n that the key leads
// to, or nil.
func (s *scanner) member(i int, n *node) (int, *node) {
	if !s.at(i, '"') {
		return s.fail(i, "a key in quotes"), nil
	}
	end, escapes := s.string(i + 1)
	if end == failed {
		return failed, nil
	}
	var child *node
	if n != nil && (escapes || n.lengths&lengthBit(end-i-2) != 0) {
		var twice bool
		if child, twice = s.child(n, s.text[i+1:end-1], escapes); twice {
			s.err = &decodeError{Reason: ReasonNotDecodable, Text: fmt.Sprintf("duplicate key %s at byte %d", quoted(s.text[i+1:end-1]), i)}
			return failed, nil
		}
	}
	if i = s.space(end); !s.at(i, ':') {
		return s.fail(i, "a colon"), nil
	}
	return s.space(i + 1), child
}

// child returns the child of n under a key, and whether this is the second time
// in this pass.
func (s *scanner) child(n *node, key string, escapes bool) (child *node, twice bool) {
	if escapes {
		s.key = appendUnescaped(s.key[:0], key)
		key = string(s.key)
	}
	if child = n.member(key); child == nil {
		return nil, false
	}
	twice = child.seen == s.pass
	child.seen = s.pass
	return child, twice
}

func (s *scanner) array(i int, n *node) int {
	if s.depth--; s.depth < 0 {
		return s.tooDeep(i)
	}
	i = s.space(i + 1)
	if s.at(i, ']') {
		s.depth++
		return i + 1
	}
	for count := 0; ; count++ {
		if s.nodes--; s.nodes < 0 {
			return s.tooMany(i)
		}
		var child *node
		if n != nil {
			child = n.element(count)
		}
		if i = s.value(i, child); i == failed {
			return failed
		}
		if i = s.space(i); !s.at(i, ',') {
			break
		}
		i = s.space(i + 1)
	}
	if !s.at(i, ']') {
		return s.fail(i, "a comma or a closing bracket")
	}
	s.depth++
	return i + 1
}

// fail notes what should have been at i.
func (s *scanner) fail(i int, want string) int {
	found := "the end of the record"
	if i < len(s.text) {
		found = quoted(s.text[i:min(len(s.text), i+16)])
	}
	s.err = &decodeError{Reason: ReasonNotDecodable, Text: fmt.Sprintf("no JSON at byte %d: want %s, found %s", i, want, found)}
	return failed
}

func (s *scanner) tooDeep(i int) int {
	s.err = exceeds(limitDepth, "found an object or array %d deep at byte %d, want at most %d", s.limits.Depth+1, i, s.limits.Depth).decodeError()
	return failed
}

func (s *scanner) tooMany(i int) int {
	s.err = exceeds(limitNodes, "found more than %d values at byte %d, want at most %d", s.limits.Nodes, i, s.limits.Nodes).decodeError()
	return failed
}
