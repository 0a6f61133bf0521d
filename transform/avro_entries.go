package transform

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
)

// appendEntries implements decoder.
func (d *avroDecoder) appendEntries(into []entry, object *value) []entry {
	op := object.tree.(*avroOp)
	start := len(into)
	if op.kind == avroMap {
		into = d.appendMap(into, op, int(object.bits))
	} else {
		i := int(object.bits)
		for f := range op.typ.fields {
			i = d.walker.run(op.entry(f, d.single), i, d.single)
			into = append(into, entry{op.typ.fields[f].name, d.single.whole})
		}
	}
	return into[:start+len(sorted(into[start:]))]
}

func (d *avroDecoder) appendMap(into []entry, op *avroOp, i int) []entry {
	w, item := &d.walker, op.entry(0, d.single)
	for {
		var count int
		if count, i = w.block(i); count == 0 {
			return into
		}
		for range count {
			var name string
			name, i = w.string(i)
			i = w.run(item, i, d.single)
			into = append(into, entry{name, d.single.whole})
		}
	}
}

// sorted brings entries into the order of their names. Of those with one name the last
// one counts.
func sorted(list []entry) []entry {
	slices.SortStableFunc(list, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	kept := list[:0]
	for i := range list {
		if i+1 == len(list) || list[i].name != list[i+1].name {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// element implements decoder.
func (d *avroDecoder) element(array *value, at cursor, into *plan) (cursor, bool) {
	if at.pos == 0 {
		at.pos = int(array.bits)
	}
	if at.left == 0 {
		if at.left, at.pos = d.walker.block(at.pos); at.left == 0 {
			return at, false
		}
	}
	at.left--
	at.pos = d.walker.run(array.tree.(*avroOp).element(into), at.pos, into)
	return at, true
}

// appendKey implements decoder: the bytes of the record, and what type they are of.
func (d *avroDecoder) appendKey(dst []byte, object *value) []byte {
	op := object.tree.(*avroOp)
	if op.number == 0 {
		op.number = d.numberOf(op.typ)
	}
	return appendSized(binary.AppendUvarint(dst, op.number), object.text)
}

// maxSignature bounds what is compared of types, and maxNumbers how many are known.
// Beyond these a type is like no other.
const (
	maxSignature = 4096 // Bytes.
	maxNumbers   = 10000
)

// numberOf is the same for types that are alike, so that series are found again when a
// new version of a schema changes something else.
func (d *avroDecoder) numberOf(t *avroType) uint64 {
	signature := string(t.appendSignature(nil, nil))
	if number := d.numbers[signature]; number != 0 {
		return number
	}
	d.lastNumber++
	if len(d.numbers) >= maxNumbers {
		clear(d.numbers)
	}
	if len(signature) < maxSignature {
		d.numbers[signature] = d.lastNumber
	}
	return d.lastNumber
}

// appendSignature writes all of a type that its values depend on. A type that holds
// itself is written as the number of types in between.
func (t *avroType) appendSignature(dst []byte, around []*avroType) []byte {
	if len(dst) >= maxSignature {
		return dst
	}
	if i := slices.Index(around, t); i >= 0 {
		return strconv.AppendInt(append(dst, '@'), int64(len(around)-i), 10)
	}
	around = append(around, t)
	dst = append(dst, byte(t.kind))
	dst = binary.AppendVarint(binary.AppendVarint(dst, int64(t.size)), int64(t.scale))
	dst = binary.AppendUvarint(dst, uint64(len(t.symbols)))
	for _, symbol := range t.symbols {
		dst = appendSized(dst, symbol)
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.fields)))
	for _, f := range t.fields {
		dst = f.typ.appendSignature(appendSized(dst, f.name), around)
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.branches)))
	for _, branch := range t.branches {
		dst = branch.appendSignature(dst, around)
	}
	if t.items != nil {
		dst = t.items.appendSignature(dst, around)
	}
	return dst
}
