package transform

import (
	"encoding/binary"
	"fmt"
)

// maxAvroLevels bounds the recursion, in records, arrays, maps and unions around a
// value. It is far above any limit of the depth that is of use.
const maxAvroLevels = 1000

// avroWalker reads Avro binary in one pass, along a program. It checks all that is not
// skipped, and fills slots on its way; they refer to the data.
//
// Its methods take the position where something starts, and return the position
// behind it, or failed.
type avroWalker struct {
	data []byte
	text string // The same memory as data.
	// made holds the text of values that are none in the data.
	made  []byte
	none  value // Takes what is not wanted.
	fault string

	level   int // Of records, arrays, maps and unions around the position.
	depth   int // The same without the unions.
	deepest int
	nodes   int
	pass    uint64 // Counts the runs, see node.seen.
}

// begin starts on new data. What refers to the old is not valid any more.
func (w *avroWalker) begin(data []byte) {
	w.data, w.text, w.made = data, textOf(data), w.made[:0]
	w.level, w.depth, w.deepest, w.nodes = 0, 0, 0, 0
}

// run fills the slots of a plan from the value at i.
func (w *avroWalker) run(op *avroOp, i int, into *plan) int {
	into.reset()
	w.pass++
	return w.value(op, i)
}

func (w *avroWalker) value(op *avroOp, i int) int {
	switch op.kind {
	case avroUnion:
		return w.union(op, i)
	case avroObject, avroArray, avroMap:
		return w.container(op, i)
	default:
		w.nodes++
		into := op.slot
		if into == nil {
			into = &w.none
		}
		return w.scalar(op.typ, i, into)
	}
}

func (w *avroWalker) union(op *avroOp, i int) int {
	branch, i := w.int(i)
	switch {
	case i == failed:
		return failed
	case branch < 0 || branch >= int64(len(op.inner)):
		return w.failf("byte %d: the union has no branch %d", i, branch)
	case w.level >= maxAvroLevels:
		return w.tooDeep(i)
	}
	w.level++
	i = w.value(op.inner[branch], i)
	w.level--
	return i
}

func (w *avroWalker) container(op *avroOp, i int) int {
	if w.level >= maxAvroLevels {
		return w.tooDeep(i)
	}
	w.nodes++
	w.level++
	w.depth++
	w.deepest = max(w.deepest, w.depth)
	start, k := i, object
	switch op.kind {
	case avroObject:
		i = w.record(op, i)
	case avroMap:
		i = w.entries(op, i)
	default:
		k = array
		i = w.elements(op, i)
	}
	w.level--
	w.depth--
	if op.slot != nil && i != failed {
		*op.slot = value{kind: k, bits: uint64(start), text: w.text[start:i], tree: op}
	}
	return i
}

func (w *avroWalker) record(op *avroOp, i int) int {
	for s := range op.steps {
		step := &op.steps[s]
		switch {
		case step.op != nil:
			i = w.value(step.op, i)
		case step.skip != nil:
			i = w.skip(step.skip, i)
		default:
			w.nodes += step.nodes
			i = w.over(i, step.size)
		}
		if i == failed {
			return failed
		}
	}
	return i
}

func (w *avroWalker) entries(op *avroOp, i int) int {
	for {
		var count int
		if count, i = w.block(i); count == 0 || i == failed {
			return i
		}
		for range count {
			var key string
			if key, i = w.string(i); i == failed {
				return failed
			}
			if i = w.value(w.member(op, key), i); i == failed {
				return failed
			}
		}
	}
}

// member is the op of an entry. Of two with one name the last one counts.
func (w *avroWalker) member(op *avroOp, key string) *avroOp {
	if op.node == nil {
		return op.rest
	}
	at := op.node.position(key)
	if at < 0 {
		return op.rest
	}
	child := op.node.children[at]
	if child.seen == w.pass {
		child.clear()
	}
	child.seen = w.pass
	return op.inner[at]
}

func (w *avroWalker) elements(op *avroOp, i int) int {
	for at := 0; ; {
		var count int
		if count, i = w.block(i); count == 0 || i == failed {
			return i
		}
		for range count {
			item := op.rest
			if at < len(op.inner) {
				item = op.inner[at]
			}
			if i = w.value(item, i); i == failed {
				return failed
			}
			at++
		}
	}
}

// block reads what stands in front of a run of elements or entries, and returns how
// many there are: 0 at the end.
func (w *avroWalker) block(i int) (count, end int) {
	n, _, i := w.blockHeader(i)
	if i == failed {
		return 0, failed
	}
	return w.countIn(n, i)
}

// blockHeader reads a count, and the size in bytes where the writer has said it.
func (w *avroWalker) blockHeader(i int) (count, size int64, end int) {
	count, i = w.long(i)
	if i == failed || count >= 0 {
		return count, 0, i
	}
	if count = -count; count < 0 {
		return 0, 0, w.failf("byte %d: %d elements cannot be", i, count)
	}
	size, i = w.long(i)
	return count, size, i
}

// countIn checks a count: no element takes less than a byte.
func (w *avroWalker) countIn(count int64, i int) (n, end int) {
	if left := len(w.data) - i; count > int64(left) {
		return 0, w.failf("byte %d: %d elements cannot be in %d bytes", i, count, left)
	}
	return int(count), i
}

// long reads a varint in zigzag form.
func (w *avroWalker) long(i int) (n int64, end int) {
	if i < len(w.data) && w.data[i] < 0x80 {
		u := w.data[i]
		return int64(u>>1) ^ -int64(u&1), i + 1
	}
	n, size := binary.Varint(w.data[min(i, len(w.data)):])
	switch {
	case size == 0:
		return 0, w.short(i)
	case size < 0:
		return 0, w.failf("byte %d: the number has more than 64 bits", i)
	}
	return n, i + size
}

// int reads a number that takes no more than 32 bits.
func (w *avroWalker) int(i int) (n int64, end int) {
	n, end = w.long(i)
	if end != failed && (n != int64(int32(n)) || end-i > binary.MaxVarintLen32) {
		return 0, w.failf("byte %d: the number has more than 32 bits", i)
	}
	return n, end
}

// string reads a length and as many bytes.
func (w *avroWalker) string(i int) (s string, end int) {
	n, i := w.long(i)
	switch {
	case i == failed:
		return "", failed
	case n < 0:
		return "", w.failf("byte %d: %d is no length", i, n)
	case n > int64(len(w.data)-i):
		return "", w.short(i)
	}
	return w.text[i : i+int(n)], i + int(n)
}

// over goes over so many bytes.
func (w *avroWalker) over(i, size int) int {
	if size > len(w.data)-i {
		return w.short(i)
	}
	return i + size
}

func (w *avroWalker) short(i int) int {
	return w.failf("it ends in the middle of the value at byte %d of %d", i, len(w.data))
}

func (w *avroWalker) tooDeep(i int) int {
	return w.failf("byte %d is inside of more than %d records, arrays, maps and unions", i, maxAvroLevels)
}

// failf notes what is wrong.
func (w *avroWalker) failf(format string, args ...any) int {
	w.fault = fmt.Sprintf(format, args...)
	return failed
}
