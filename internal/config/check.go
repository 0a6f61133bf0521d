package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

// checker holds a tree against the Go types that it is going to be decoded into.
// It writes durations in the syntax of the decoder, and takes out of the tree what
// is wrong, so that the rest can be checked further.
type checker struct {
	// variable is where the tree comes from; empty: from the file.
	variable string
	// whole says that the tree holds all layers, so that the sections which read
	// themselves must accept what they get.
	whole    bool
	problems []Problem
	// around are the sections around the present node, the outermost first.
	around []place
}

// place is a section on the way to a key.
type place struct {
	path string
	typ  reflect.Type
}

func (c *checker) report(line int, path, format string, args ...any) {
	c.add(Problem{Line: line, Path: path, Msg: fmt.Sprintf(format, args...)})
}

func (c *checker) add(p Problem) {
	p.Variable = c.variable
	c.problems = append(c.problems, p)
}

// check returns the node to decode into t; a wrong one is replaced by null.
func (c *checker) check(node *yaml.Node, t reflect.Type, path string) *yaml.Node {
	inner := deref(t)
	if node.ShortTag() == "!!null" {
		// A section that is there, though empty, such as kafka.tls.
		if t.Kind() == reflect.Pointer && isSection(inner) {
			return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: node.Line}
		}
		return node
	}
	before := len(c.problems)
	c.form(node, inner, path)
	switch {
	case len(c.problems) > before && isContainer(node, inner):
		return node
	case len(c.problems) > before || !c.decodes(node, inner, path):
		return null(node.Line)
	}
	return node
}

// form checks what kind of node it is, and what is inside.
func (c *checker) form(node *yaml.Node, t reflect.Type, path string) {
	switch {
	case t == durationType:
		c.duration(node, path)
	case isSection(t) && node.Kind == yaml.MappingNode:
		c.section(node, t, path)
	case readsItself(t):
	case isSection(t):
		c.report(node.Line, path, "want a section with keys, have %s", kindOf(node))
	case t.Kind() == reflect.Slice:
		c.list(node, t, path)
	case t.Kind() == reflect.Map:
		c.mapping(node, t, path)
	}
}

// isContainer says that wrong values inside the node have been taken out of it.
func isContainer(node *yaml.Node, t reflect.Type) bool {
	switch node.Kind {
	case yaml.MappingNode:
		return isSection(t) || t.Kind() == reflect.Map
	case yaml.SequenceNode:
		return t.Kind() == reflect.Slice && !readsItself(t)
	default:
		return false
	}
}

// section checks the keys of a mapping against the fields of a struct.
func (c *checker) section(node *yaml.Node, t reflect.Type, path string) {
	c.around = append(c.around, place{path, t})
	defer func() { c.around = c.around[:len(c.around)-1] }()

	s := sectionOf(t)
	kept := node.Content[:0:0]
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		k, ok := s.find(name.Value)
		switch {
		case ok:
			kept = append(kept, name, c.check(value, k.typ, join(path, name.Value)))
		case s.rest != nil:
			kept = append(kept, name, c.check(value, s.rest, join(path, name.Value)))
		default:
			c.add(unknown(name, c.around))
		}
	}
	node.Content = kept
}

// list checks the elements. Those with keys keep their place, so that paths stay
// true; of the others the wrong ones are left out.
func (c *checker) list(node *yaml.Node, t reflect.Type, path string) {
	if node.Kind != yaml.SequenceNode {
		c.report(node.Line, path, "want a list, have %s: write it in brackets, or each element after a dash", kindOf(node))
		return
	}
	kept := node.Content[:0:0]
	for i, item := range node.Content {
		at, before := fmt.Sprintf("%s[%d]", path, i), len(c.problems)
		if item.ShortTag() == "!!null" {
			c.report(item.Line, at, "nothing is there: remove the dash or write a value")
		} else {
			item = c.check(item, t.Elem(), at)
		}
		if len(c.problems) == before || isSection(t.Elem()) {
			kept = append(kept, item)
		}
	}
	node.Content = kept
}

func (c *checker) mapping(node *yaml.Node, t reflect.Type, path string) {
	if node.Kind != yaml.MappingNode {
		c.report(node.Line, path, "want a mapping from names to values, have %s", kindOf(node))
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		node.Content[i+1] = c.check(node.Content[i+1], t.Elem(), join(path, node.Content[i].Value))
	}
}

// duration writes a duration in Go's syntax, which knows no days.
func (c *checker) duration(node *yaml.Node, path string) {
	switch tag := node.ShortTag(); {
	case node.Kind != yaml.ScalarNode:
		c.report(node.Line, path, "want a duration such as 10s, have %s", kindOf(node))
		return
	case node.Value == "0":
	case tag == "!!int" || tag == "!!float" || isNumber(node.Value):
		c.report(node.Line, path, "%s of what? Add a unit, for example %ss or %sms", node.Value, node.Value, node.Value)
		return
	}
	d, err := units.ParseDuration(node.Value)
	if err != nil {
		c.report(node.Line, path, "%v", err)
		return
	}
	node.Value, node.Tag, node.Style = d.String(), "!!str", 0
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == ""
}

// decodes tries the node on a new value of its type, and says in plain words what
// it would have to be. A section that reads itself is tried when all layers are
// there, and only if nothing is wrong below it.
func (c *checker) decodes(node *yaml.Node, t reflect.Type, path string) bool {
	if node.Kind == yaml.MappingNode && isSection(t) && (!c.whole || !readsItself(t)) {
		return true
	}
	err := node.Decode(reflect.New(t).Interface())
	if err == nil && isInteger(t) && node.ShortTag() == "!!float" {
		err = whole(node.Value)
	}
	if err != nil {
		c.report(node.Line, path, "%s", complaint(node, t, err))
	}
	return err == nil
}

// isInteger says that a type holds whole numbers, and is no size or other type that
// reads itself.
func isInteger(t reflect.Type) bool {
	v := reflect.Zero(t)
	return (v.CanInt() || v.CanUint()) && !readsItself(t) && t != durationType
}

// whole refuses numbers such as 1.5, of which the decoder would take the whole
// part, but not 1e6.
func whole(text string) error {
	n, err := strconv.ParseFloat(text, 64)
	if err == nil && n != math.Trunc(n) {
		err = strconv.ErrSyntax
	}
	return err
}

// complaint is what to say about a value that its type has not taken. It quotes
// only where no secret can be.
func complaint(node *yaml.Node, t reflect.Type, err error) string {
	have := kindOf(node)
	if node.Kind == yaml.ScalarNode {
		have = fmt.Sprintf("%q", node.Value)
	}
	switch {
	case t == urlType:
		// The error of the URL parser quotes the URL, and that a password.
		return "not a URL: want one such as http://localhost:9090/api/v1/write"
	case t == secretType:
		return "want text, have " + kindOf(node)
	case t == timeType:
		return "want a time such as 2026-11-01T00:00:00Z, have " + have
	case readsItself(t):
		return cleaned(err)
	case t.Kind() == reflect.String:
		return "want text, have " + have
	case t.Kind() == reflect.Bool:
		return "want true or false, have " + have
	case isInteger(t):
		return "want a whole number, have " + have
	case t.Kind() == reflect.Float64:
		return "want a number, have " + have
	}
	return cleaned(err)
}

// cleaned is the message of an error without the preambles of the YAML library.
func cleaned(err error) string {
	var wrong *yaml.TypeError
	if errors.As(err, &wrong) && len(wrong.Errors) > 0 {
		messages := make([]string, len(wrong.Errors))
		for i, msg := range wrong.Errors {
			messages[i] = lineInfo.ReplaceAllString(msg, "")
		}
		return strings.Join(messages, "; ")
	}
	return syntaxLine.ReplaceAllString(err.Error(), "")
}

// kindOf names the kind of a node, in the words of somebody who writes the file.
func kindOf(node *yaml.Node) string {
	switch node.ShortTag() {
	case "!!map":
		return "a mapping"
	case "!!seq":
		return "a list"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	}
	return "text"
}
