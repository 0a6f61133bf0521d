package transform

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// treeFunc is a decoder that decodes a record's value into a tree of Go values: nil,
// bool, numbers, string, []byte, time.Time, time.Duration, json.Number or *big.Rat for
// decimals, []any, and map[string]any for records and maps. It is the plain way that
// others are held against.
type treeFunc func(*kgo.Record) (any, error)

// treeOf decodes every record to the same tree.
func treeOf(tree any) treeFunc {
	return func(*kgo.Record) (any, error) { return tree, nil }
}

func (f treeFunc) fill(rec *kgo.Record, into *plan) error {
	tree, err := f(rec)
	if err == nil {
		into.walk(tree)
	}
	return err
}

func (f treeFunc) appendEntries(into []entry, object *value) []entry {
	tree := object.tree.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		into = append(into, entry{name, treeValue(tree[name])})
	}
	return into
}

func (f treeFunc) element(array *value, at cursor, into *plan) (cursor, bool) {
	list := array.tree.([]any)
	if at.pos == len(list) {
		return at, false
	}
	into.walk(list[at.pos])
	at.pos++
	return at, true
}

func (f treeFunc) appendKey(dst []byte, object *value) []byte {
	for _, e := range f.appendEntries(nil, object) {
		dst = append(appendSized(dst, e.name), byte(e.value.kind))
		scalar, _ := e.value.appendText(nil)
		dst = appendSized(dst, string(scalar))
	}
	return binary.AppendUvarint(dst, 0)
}

// walk fills the slots from a tree.
func (p *plan) walk(tree any) {
	p.reset()
	p.root.walk(tree)
}

func (n *node) walk(tree any) {
	if n.slot != nil {
		*n.slot = treeValue(tree)
	}
	switch x := tree.(type) {
	case map[string]any:
		for i, key := range n.keys {
			if v, ok := x[key]; ok {
				n.children[i].walk(v)
			}
		}
	case []any:
		for i, child := range n.elements[:min(len(n.elements), len(x))] {
			if child != nil {
				child.walk(x[i])
			}
		}
	}
}

// treeValue takes one node of a tree.
func treeValue(tree any) value {
	switch x := tree.(type) {
	case nil:
		return value{kind: null}
	case string:
		return value{kind: text, text: x}
	case []byte:
		return value{kind: text, text: string(x)}
	case map[string]any:
		return value{kind: object, tree: tree}
	case []any:
		return value{kind: array, tree: tree}
	case bool:
		if x {
			return value{kind: boolean, bits: 1}
		}
		return value{kind: boolean}
	case time.Time:
		return instantValue(x)
	}
	return numberValue(tree)
}

func numberValue(tree any) value {
	switch x := tree.(type) {
	case float64:
		return value{kind: double, bits: math.Float64bits(x)}
	case float32:
		return value{kind: single, bits: math.Float64bits(float64(x))}
	case int:
		return integerValue(int64(x))
	case int32:
		return integerValue(int64(x))
	case int64:
		return integerValue(x)
	case uint32:
		return integerValue(int64(x))
	case uint64:
		return value{kind: literal, text: strconv.FormatUint(x, 10)}
	case json.Number:
		return value{kind: literal, text: string(x)}
	case time.Duration: // In seconds, Prometheus' base unit.
		return value{kind: double, bits: math.Float64bits(x.Seconds())}
	case *big.Rat:
		f, _ := x.Float64()
		return value{kind: double, bits: math.Float64bits(f)}
	}
	panic(fmt.Sprintf("no rule can use a %T", tree))
}
