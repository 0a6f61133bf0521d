package transform

import "encoding/binary"

// entries goes over an object, in the order of the text or, in other formats, of the
// names. It is used like a bufio.Scanner; name and value are valid until the record
// has been mapped.
type entries struct {
	name, value value

	scan *scanner
	pos  int // Of the next key, in text.
	only *plan
	list []entry // Those that are left, where there is no text.
}

// entries goes over a value that is an object. The list is for what a decoder finds.
func (m *Mapper) entries(v *value, list *[]entry) entries {
	if m.decoder != nil {
		*list = m.decoder.appendEntries((*list)[:0], v)
		return entries{list: *list}
	}
	return entries{scan: &m.scan, pos: m.scan.space(int(v.bits) + 1), only: m.only}
}

func (e *entries) next() bool {
	if e.scan != nil {
		return e.nextText()
	}
	if len(e.list) == 0 {
		return false
	}
	e.name, e.value = textValue(e.list[0].name), e.list[0].value
	e.list = e.list[1:]
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
	err  error
	// Of another format than JSON.
	decoder decoder
	array   *value
	at      cursor
}

// elements goes over a value that is an array.
func (m *Mapper) elements(v *value, into *plan) elements {
	if m.decoder != nil {
		return elements{into: into, decoder: m.decoder, array: v}
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
	var ok bool
	e.at, ok = e.decoder.element(e.array, e.at, e.into)
	return ok
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
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(dst, v.bits), v.nanos)
	case object:
		if m.decoder != nil {
			return m.decoder.appendKey(dst, v)
		}
		return appendSized(dst, v.text)
	case missing, null, array: // An array is never a label.
	}
	return dst
}

func appendSized(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
