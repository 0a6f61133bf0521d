package transform

import (
	"encoding/binary"
	"maps"
	"slices"
)

// entries goes over an object, in the order of the text or, for a tree, of the
// names. It is used like a bufio.Scanner; name and value are valid until the
// record has been mapped.
type entries struct {
	name, value value

	scan *scanner
	pos  int // Of the next key, in text.
	only *plan
	// Of a tree.
	names []string
	tree  map[string]any
}

// entries goes over a value that is an object.
func (m *Mapper) entries(v *value) entries {
	if v.tree != nil {
		tree := v.tree.(map[string]any)
		return entries{tree: tree, names: slices.Sorted(maps.Keys(tree))}
	}
	return entries{scan: &m.scan, pos: m.scan.space(int(v.bits) + 1), only: m.only}
}

func (e *entries) next() bool {
	if e.scan != nil {
		return e.nextText()
	}
	if len(e.names) == 0 {
		return false
	}
	e.name, e.value = textValue(e.names[0]), treeValue(e.tree[e.names[0]])
	e.names = e.names[1:]
	return true
}

// nextText reads on in text that was found valid when the record was decoded.
func (e *entries) nextText() bool {
	s := e.scan
	if s.data[e.pos] == '}' {
		return false
	}
	start := e.pos + 1
	end, escapes := s.string(start)
	e.name = value{kind: text, text: s.text[start : end-1]}
	if escapes {
		e.name.kind = escaped
	}
	end = s.run(s.space(s.space(end)+1), e.only)
	e.value = e.only.whole
	if e.pos = s.space(end); s.data[e.pos] == ',' {
		e.pos = s.space(e.pos + 1)
	}
	return true
}

// elements goes over an array, and fills the slots of a plan from each element.
type elements struct {
	into *plan
	scan *scanner
	pos  int
	tree []any
	err  error
}

// elements goes over a value that is an array.
func (m *Mapper) elements(v *value, into *plan) elements {
	if v.tree != nil {
		return elements{into: into, tree: v.tree.([]any)}
	}
	return elements{into: into, scan: &m.scan, pos: m.scan.space(int(v.bits) + 1)}
}

// next goes to the next element. Where the element has a wanted key twice, err is
// set and the slots are not to be used.
func (e *elements) next() bool {
	e.err = nil
	if e.scan != nil {
		return e.nextText()
	}
	if len(e.tree) == 0 {
		return false
	}
	e.into.walk(e.tree[0])
	e.tree = e.tree[1:]
	return true
}

func (e *elements) nextText() bool {
	s := e.scan
	if s.data[e.pos] == ']' {
		return false
	}
	end := s.run(e.pos, e.into)
	if end == failed {
		e.err = s.err
		s.depth = s.limits.Depth
		end = s.value(e.pos, nil)
	}
	if e.pos = s.space(end); s.data[e.pos] == ',' {
		e.pos = s.space(e.pos + 1)
	}
	return true
}

// appendKey appends bytes that tell v from every other value that gives another
// label, in the form in which v was found.
func (m *Mapper) appendKey(dst []byte, v *value) []byte {
	dst = append(dst, byte(v.kind))
	switch v.kind {
	case literal, text, escaped:
		return appendSized(dst, v.text)
	case boolean, integer, double, single:
		return binary.LittleEndian.AppendUint64(dst, v.bits)
	case instant:
		dst, _ = v.appendText(dst)
	case object:
		if v.tree == nil {
			return appendSized(dst, v.text)
		}
		return m.appendTreeKey(dst, v.tree.(map[string]any))
	case missing, null, array, foreign: // These two are never labels.
	}
	return dst
}

// appendTreeKey does so for a map of scalars, in the order of the names; a map of
// anything else is refused before it could be found again.
func (m *Mapper) appendTreeKey(dst []byte, tree map[string]any) []byte {
	m.names = m.names[:0]
	for name := range tree {
		m.names = append(m.names, name)
	}
	slices.Sort(m.names)
	dst = binary.AppendUvarint(dst, uint64(len(m.names)))
	for _, name := range m.names {
		dst = appendSized(dst, name)
		v := treeValue(tree[name])
		if v.kind == object {
			dst = append(dst, byte(object))
			continue
		}
		dst = m.appendKey(dst, &v)
	}
	return dst
}

func appendSized(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
