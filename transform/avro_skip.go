package transform

// skip goes over a value that nothing wants. What is in it is not checked beyond its
// length, and a block whose size the writer has said is not read at all.
func (w *avroWalker) skip(t *avroType, i int) int {
	switch {
	case t.nests():
		if w.level >= maxAvroLevels {
			return w.tooDeep(i)
		}
		w.level++
		i = w.skipInside(t, i)
		w.level--
	case t.wire == wireInt:
		_, i = w.int(i)
	case t.wire == wireLong:
		_, i = w.long(i)
	case t.wire == wireSized:
		_, i = w.string(i)
	default:
		i = w.over(i, t.size)
	}
	return i
}

func (w *avroWalker) skipInside(t *avroType, i int) int {
	switch t.kind {
	case avroObject:
		for f := range t.fields {
			if i = w.skip(t.fields[f].typ, i); i == failed {
				return failed
			}
		}
		return i
	case avroUnion:
		branch, i := w.int(i)
		if i == failed {
			return failed
		}
		if branch < 0 || branch >= int64(len(t.branches)) {
			return w.failf("byte %d: the union has no branch %d", i, branch)
		}
		return w.skip(t.branches[branch], i)
	default:
		return w.skipBlocks(t, i)
	}
}

func (w *avroWalker) skipBlocks(t *avroType, i int) int {
	for {
		count, size, at := w.blockHeader(i)
		switch i = at; {
		case count == 0 || i == failed:
			return i
		case size < 0 || size > int64(len(w.data)-i):
			return w.failf("byte %d: a block of %d bytes cannot be in %d bytes", i, size, len(w.data)-i)
		case size > 0:
			i += int(size)
		default:
			if i = w.skipBlock(t, count, i); i == failed {
				return failed
			}
		}
	}
}

func (w *avroWalker) skipBlock(t *avroType, count int64, i int) int {
	n, i := w.countIn(count, i)
	for range n {
		if t.kind == avroMap {
			if _, i = w.string(i); i == failed {
				return failed
			}
		}
		if i = w.skip(t.items, i); i == failed {
			return failed
		}
	}
	return i
}
