package transform

// avroOp reads the values of one type at one place of a plan. The ops of a schema are
// its program: what is wanted where is looked up when it is made, and not for each
// record.
type avroOp struct {
	kind avroKind
	typ  *avroType
	slot *value // Takes the value. Nil: it is only checked.
	node *node  // Of the plan. Nil: nothing at or below it is wanted.

	steps []avroStep // Of a record.
	// inner are the branches of a union, the wanted elements of an array by
	// position, or the wanted entries of a map in the order of the node's keys.
	inner []*avroOp
	rest  *avroOp // Of the other elements or entries.

	// What follows is made when it is first used.
	number   uint64 // Tells the type from others in the keys of the series cache; 0: not yet.
	entries  []*avroOp
	elements []avroElement
}

// avroStep goes over fields of a record: over one with an op, or over several without
// looking at them.
type avroStep struct {
	op *avroOp
	// size is what the fields take together, in bytes, where op and skip are nil, and
	// nodes is how many of them count as nodes.
	size, nodes int
	skip        *avroType // Skipped for its length alone.
}

// avroElement is the program for the elements of an array that fill a plan.
type avroElement struct {
	into *plan
	op   *avroOp
}

// avroCompiler makes the ops of a type, one for each place.
type avroCompiler struct{ ops map[avroPlace]*avroOp }

type avroPlace struct {
	typ  *avroType
	node *node
}

// compileAvro makes the program that fills a plan from the values of a schema. Fields
// of its record that nothing wants are skipped. Those of a recursive schema are read
// all the same: its record may be wanted as a field, too.
func compileAvro(schema *avroSchema, into *plan) *avroOp {
	c := avroCompiler{ops: make(map[avroPlace]*avroOp)}
	if schema.root.kind != avroObject || into.any || schema.cost.depth >= endless {
		return c.op(schema.root, &into.root)
	}
	op := newAvroOp(schema.root, &into.root)
	for _, f := range schema.root.fields {
		if child := into.root.member(f.name); child != nil {
			op.addStep(avroStep{op: c.op(f.typ, child)})
		} else if size, ok := f.typ.width(); ok {
			op.addStep(avroStep{size: size})
		} else {
			op.addStep(avroStep{skip: f.typ})
		}
	}
	return op
}

func newAvroOp(t *avroType, n *node) *avroOp {
	op := &avroOp{kind: t.kind, typ: t, node: n}
	if n != nil {
		op.slot = n.slot
	}
	return op
}

// op makes the op of a type for a node, which is nil where nothing is wanted.
func (c *avroCompiler) op(t *avroType, n *node) *avroOp {
	place := avroPlace{t, n}
	if op := c.ops[place]; op != nil {
		return op
	}
	op := newAvroOp(t, n)
	c.ops[place] = op
	switch t.kind {
	case avroObject:
		c.record(op)
	case avroArray:
		op.rest = c.op(t.items, nil)
		if n != nil {
			for _, child := range n.elements {
				op.inner = append(op.inner, c.op(t.items, child))
			}
		}
	case avroMap:
		op.rest = c.op(t.items, nil)
		if n != nil {
			for _, child := range n.children {
				op.inner = append(op.inner, c.op(t.items, child))
			}
		}
	case avroUnion:
		for _, branch := range t.branches {
			op.inner = append(op.inner, c.op(branch, n))
		}
	default:
	}
	return op
}

func (c *avroCompiler) record(op *avroOp) {
	for _, f := range op.typ.fields {
		var child *node
		if op.node != nil {
			child = op.node.member(f.name)
		}
		if size, ok := f.typ.width(); ok && (child == nil || child.slot == nil) {
			op.addStep(avroStep{size: size, nodes: 1})
		} else {
			op.addStep(avroStep{op: c.op(f.typ, child)})
		}
	}
}

// addStep joins fields of a known size into one step.
func (op *avroOp) addStep(s avroStep) {
	if last := len(op.steps) - 1; last >= 0 && s.op == nil && s.skip == nil {
		if before := &op.steps[last]; before.op == nil && before.skip == nil {
			before.size += s.size
			before.nodes += s.nodes
			return
		}
	}
	op.steps = append(op.steps, s)
}

// entry is the op of an entry of a map or a record, whatever it is.
func (op *avroOp) entry(i int, single *plan) *avroOp {
	if op.entries == nil {
		c := avroCompiler{ops: make(map[avroPlace]*avroOp)}
		if op.kind == avroMap {
			op.entries = []*avroOp{c.op(op.typ.items, &single.root)}
		}
		for _, f := range op.typ.fields {
			op.entries = append(op.entries, c.op(f.typ, &single.root))
		}
	}
	return op.entries[i]
}

// element is the op of the elements of an array that fill a plan.
func (op *avroOp) element(into *plan) *avroOp {
	for i := range op.elements {
		if op.elements[i].into == into {
			return op.elements[i].op
		}
	}
	c := avroCompiler{ops: make(map[avroPlace]*avroOp)}
	made := c.op(op.typ.items, &into.root)
	op.elements = append(op.elements, avroElement{into, made})
	return made
}
