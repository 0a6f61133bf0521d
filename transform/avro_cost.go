package transform

import (
	"fmt"
	"math"
	"strings"

	"github.com/twmb/avro"
)

// avroCost bounds the values of a record of a schema by what they would take in memory,
// so that no record takes long to go through. The bytes of a record do not bound them:
// a null takes no byte, so thirty kilobytes can hold millions of values, with a schema
// that anybody who may write to the topic may register.
type avroCost struct {
	// bytes is the least that a value takes in the record.
	bytes float64
	// memory is the most that a value takes in memory, in bytes, apart from the
	// elements of arrays and maps. It is infinite for types that double often
	// enough.
	memory float64
	// depth is the nesting of records, maps and arrays.
	depth int
	// density is, in the schema as a whole, the most memory that a byte of the
	// record can bring as part of an element of an array or map, or of a
	// recursive record.
	density float64
}

// of bounds the memory of a record of that many bytes, in bytes.
func (c *avroCost) of(size int) float64 { return c.memory + c.density*float64(size) }

// maxNodes bounds the values of a record by its memory. Each but the first is a
// field, an entry or an item, of which an item takes least.
func maxNodes(memory float64) float64 { return 1 + memory/itemMemory }

// What decoded values take, in bytes, rounded up: measured with Go 1.26 on 64
// bits.
const (
	scalarMemory  = 48
	decimalMemory = 1024
	recordMemory  = 320 // A Go map with its first group of entries.
	fieldMemory   = 80
	mapMemory     = 64
	entryMemory   = 344 // The first entry brings the group.
	arrayMemory   = 24
	itemMemory    = 48 // Arrays grow by doubling.
)

// endless is the depth of a recursive schema.
const endless = 1 << 30

func costOf(root *avro.SchemaNode) (avroCost, error) {
	w := costWalk{named: map[string]*avroCost{}, recursive: map[string]bool{}}
	cost := w.cost(root)
	cost.density = w.density
	return cost, w.err
}

// costWalk goes through a schema once, however often its types refer to each
// other.
type costWalk struct {
	named     map[string]*avroCost // Nil while the walk is inside the type.
	recursive map[string]bool
	namespace string // Of the definition around: names without a dot are of it.
	density   float64
	err       error
}

func (w *costWalk) cost(n *avro.SchemaNode) avroCost {
	switch n.Type {
	case "null":
		return avroCost{}
	case "boolean", "int", "long", "string":
		return avroCost{bytes: 1, memory: scalarMemory}
	case "float":
		return avroCost{bytes: 4, memory: scalarMemory}
	case "double":
		return avroCost{bytes: 8, memory: scalarMemory}
	case "bytes":
		return avroCost{bytes: 1, memory: w.binaryMemory(n)}
	case "fixed":
		return w.define(n, avroCost{bytes: float64(n.Size), memory: w.binaryMemory(n)})
	case "enum":
		return w.define(n, avroCost{bytes: 1, memory: scalarMemory})
	case "record", "error":
		return w.record(n)
	case "array":
		return w.array(n)
	case "map":
		values := w.cost(n.Values)
		w.repeated(values.memory+entryMemory, values.bytes+1)
		return avroCost{bytes: 1, memory: mapMemory, depth: 1 + values.depth}
	case "union":
		return w.union(n)
	}
	return w.reference(n.Type)
}

// binaryMemory also sees to it that no decimal has more digits than can be
// converted at once.
func (w *costWalk) binaryMemory(n *avro.SchemaNode) float64 {
	switch n.LogicalType {
	case "decimal":
		if n.Precision > maxDecimalDigits || n.Scale > maxDecimalDigits {
			w.err = fmt.Errorf("the schema has a decimal of %d digits: at most %d are supported", n.Precision, maxDecimalDigits)
		}
		return decimalMemory
	case "big-decimal":
		return decimalMemory
	}
	return scalarMemory
}

func (w *costWalk) record(n *avro.SchemaNode) avroCost {
	name, around := fullName(n), w.namespace
	w.named[name], w.namespace = nil, name[:max(0, strings.LastIndexByte(name, '.'))]
	cost := avroCost{memory: recordMemory}
	for i := range n.Fields {
		field := w.cost(&n.Fields[i].Type)
		cost.bytes += field.bytes
		cost.memory += field.memory + fieldMemory
		cost.depth = max(cost.depth, field.depth)
	}
	cost.depth++
	w.namespace = around
	if w.recursive[name] {
		w.repeated(cost.memory, cost.bytes)
		cost.depth = endless
	}
	return w.define(n, cost)
}

func (w *costWalk) array(n *avro.SchemaNode) avroCost {
	items := w.cost(n.Items)
	if items.bytes == 0 {
		w.err = fmt.Errorf("the schema has an array whose items (%s) take no bytes: a short record could hold any number of them", n.Items.Type)
		items.bytes = 1
	}
	w.repeated(items.memory+itemMemory, items.bytes)
	return avroCost{bytes: 1, memory: arrayMemory, depth: 1 + items.depth}
}

func (w *costWalk) union(n *avro.SchemaNode) avroCost {
	cost := avroCost{bytes: math.Inf(1)}
	for i := range n.Branches {
		branch := w.cost(&n.Branches[i])
		cost.bytes = min(cost.bytes, branch.bytes)
		cost.memory = max(cost.memory, branch.memory)
		cost.depth = max(cost.depth, branch.depth)
	}
	cost.bytes++
	return cost
}

// reference is the cost of a type that is defined before, or around, its use. A
// type that holds itself takes a byte at least: of the union, array or map through
// which it does.
func (w *costWalk) reference(name string) avroCost {
	if w.namespace != "" && !strings.Contains(name, ".") {
		name = w.namespace + "." + name
	}
	if cost := w.named[name]; cost != nil {
		return *cost
	}
	w.recursive[name] = true
	return avroCost{bytes: 1, depth: endless}
}

func (w *costWalk) define(n *avro.SchemaNode, cost avroCost) avroCost {
	w.named[fullName(n)] = &cost
	return cost
}

func (w *costWalk) repeated(memory, bytes float64) {
	w.density = max(w.density, memory/max(1, bytes))
}

func fullName(n *avro.SchemaNode) string {
	if n.Namespace == "" || strings.Contains(n.Name, ".") {
		return n.Name
	}
	return n.Namespace + "." + n.Name
}
