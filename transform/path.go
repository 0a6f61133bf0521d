package transform

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// origin is where a path starts.
type origin uint8

const (
	fromElement   origin = iota // The element under each, or the record's value.
	fromRecord                  // The record's value, also under each.
	fromKey                     // The record's key.
	fromHeader                  // The last header of a name.
	fromTopic                   //
	fromPartition               //
	fromOffset                  //
	fromTimestamp               // The record's own timestamp.
	fromField                   // The name of the entry of values_from.
	fromIndex                   // The position under each.
)

// path says where a value is.
type path struct {
	origin origin
	steps  []step // Of fromElement and fromRecord; none: all of it.
	header string
	source string // As it was written, for messages.
}

// inDocument says whether the path leads into the record's value.
func (p path) inDocument() bool { return p.origin <= fromRecord }

// pathParser reads paths, alone or within a template.
type pathParser struct {
	s   string
	pos int
	// end is the byte that ends a path in a template, or 0.
	end byte
}

// parsePath reads a path that stands alone.
func parsePath(s string) (path, error) {
	p := pathParser{s: s}
	return p.path()
}

func (p *pathParser) path() (path, error) {
	start := p.pos
	got, err := p.anyPath()
	if err != nil {
		return path{}, fmt.Errorf("at position %d of %q: %w", p.pos+1, p.s, err)
	}
	got.source = p.s[start:p.pos]
	return got, nil
}

func (p *pathParser) anyPath() (path, error) {
	if p.done() {
		return path{}, errors.New("want a path, found nothing")
	}
	if p.s[p.pos] == '$' {
		p.pos++
		return p.metadata()
	}
	if p.s[p.pos] == '.' {
		if p.pos++; !p.done() {
			return path{}, errors.New("want nothing behind the dot that means the whole value; a path starts with a key")
		}
		return path{}, nil
	}
	steps, err := p.steps()
	return path{steps: steps}, err
}

// metadata reads a path behind its dollar sign.
func (p *pathParser) metadata() (path, error) {
	name := p.name()
	if o, ok := metadataOrigin(name); ok {
		if !p.done() {
			return path{}, fmt.Errorf("want nothing behind $%s", name)
		}
		return path{origin: o}, nil
	}
	switch name {
	case "header":
		header, err := p.header()
		return path{origin: fromHeader, header: header}, err
	case "record":
		if p.done() {
			return path{origin: fromRecord}, nil
		}
		if err := p.separator(); err != nil {
			return path{}, err
		}
		steps, err := p.steps()
		return path{origin: fromRecord, steps: steps}, err
	}
	p.pos -= len(name)
	return path{}, fmt.Errorf("$%s is unknown: want $key, $header.NAME, $topic, $partition, $offset, $timestamp, "+
		`$record.PATH, $field or $index; a key that starts with a dollar sign is written \$%s`, name, name)
}

func metadataOrigin(name string) (origin, bool) {
	switch name {
	case "key":
		return fromKey, true
	case "topic":
		return fromTopic, true
	case "partition":
		return fromPartition, true
	case "offset":
		return fromOffset, true
	case "timestamp":
		return fromTimestamp, true
	case "field":
		return fromField, true
	case "index":
		return fromIndex, true
	}
	return 0, false
}

func (p *pathParser) name() string {
	start := p.pos
	for !p.done() && p.s[p.pos]|0x20-'a' <= 'z'-'a' {
		p.pos++
	}
	return p.s[start:p.pos]
}

// header reads the name of a header: all that follows the dot, or a string in
// brackets.
func (p *pathParser) header() (string, error) {
	if !p.done() && p.s[p.pos] == '[' {
		s, err := p.bracket()
		if err == nil && (s.index >= 0 || !p.done()) {
			err = errors.New(`want $header["NAME"] and nothing behind it`)
		}
		return s.key, err
	}
	if p.done() || p.s[p.pos] != '.' {
		return "", errors.New("want a dot and the name of a header behind $header")
	}
	p.pos++
	start := p.pos
	for !p.done() {
		p.pos++
	}
	if start == p.pos {
		return "", errors.New("want the name of a header")
	}
	return p.s[start:p.pos], nil
}

// steps reads keys and indices up to the end of the path.
func (p *pathParser) steps() ([]step, error) {
	var steps []step
	for !p.done() {
		if p.s[p.pos] == '[' {
			s, err := p.bracket()
			if err != nil {
				return nil, err
			}
			steps = append(steps, s)
		} else {
			key, err := p.bareKey()
			if err != nil {
				return nil, err
			}
			steps = append(steps, step{key: key, index: -1})
		}
		if err := p.separator(); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

// separator reads what stands between two steps: a dot, or nothing in front of a
// bracket.
func (p *pathParser) separator() error {
	if p.done() || p.s[p.pos] == '[' {
		return nil
	}
	if p.s[p.pos] != '.' {
		return fmt.Errorf("want a dot or a bracket, found %q", p.s[p.pos])
	}
	p.pos++
	if p.done() || p.s[p.pos] == '[' {
		return errors.New("want a key behind the dot")
	}
	return nil
}

// bareKey reads a key without quotes; a backslash takes the meaning from the byte
// behind it.
func (p *pathParser) bareKey() (string, error) {
	var key strings.Builder
	for !p.done() {
		c := p.s[p.pos]
		if c == '.' || c == '[' {
			break
		}
		if c == ']' {
			return "", errors.New("found a closing bracket without an opening one")
		}
		if c == '\\' {
			if p.pos++; p.pos == len(p.s) {
				return "", errors.New("found nothing behind the backslash")
			}
			c = p.s[p.pos]
		}
		key.WriteByte(c)
		p.pos++
	}
	if key.Len() == 0 {
		return "", errors.New(`found an empty key: an empty key is written [""]`)
	}
	return key.String(), nil
}

// maxIndex bounds indices, so that a slip does not cost memory.
const maxIndex = 9999

// bracket reads an index, or a key in quotes.
func (p *pathParser) bracket() (step, error) {
	rest := p.s[p.pos+1:]
	if strings.HasPrefix(rest, `"`) {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil || !strings.HasPrefix(rest[len(quoted):], "]") {
			return step{}, errors.New(`want a key in double quotes and a closing bracket, as in ["a.b"]`)
		}
		key, err := strconv.Unquote(quoted)
		if err != nil {
			return step{}, fmt.Errorf("reading the key %s: %w", quoted, err)
		}
		p.pos += len(quoted) + 2
		return step{key: key, index: -1}, nil
	}
	digits, _, ok := strings.Cut(rest, "]")
	index, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || index > maxIndex {
		return step{}, fmt.Errorf(`want an index from 0 to %d or a key in double quotes, as in [0] or ["a.b"]`, maxIndex)
	}
	p.pos += len(digits) + 2
	return step{index: int(index)}, nil
}

func (p *pathParser) done() bool {
	return p.pos == len(p.s) || p.end != 0 && p.s[p.pos] == p.end
}
