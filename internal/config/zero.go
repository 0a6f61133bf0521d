package config

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// zero is a number of the configuration that somebody has set to 0.
type zero struct {
	path  string
	value reflect.Value
}

// zeros finds the numbers that the tree sets to 0. Filling in defaults cannot tell
// them from numbers that are left out: those that have changed afterwards were
// not allowed to be 0, and somebody meant something by it.
func zeros(node *yaml.Node, v reflect.Value, path string) []zero {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch {
	case node.Kind == yaml.ScalarNode:
		if v.CanInt() && v.IsZero() && node.ShortTag() != "!!null" {
			return []zero{{path, v}}
		}
	case node.Kind == yaml.SequenceNode && v.Kind() == reflect.Slice:
		var found []zero
		for i := range min(v.Len(), len(node.Content)) {
			found = append(found, zeros(node.Content[i], v.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return found
	case node.Kind == yaml.MappingNode && isSection(v.Type()):
		return zerosOf(node, v, path)
	}
	return nil
}

func zerosOf(section *yaml.Node, v reflect.Value, path string) []zero {
	var found []zero
	s := sectionOf(v.Type())
	for i := 0; i+1 < len(section.Content); i += 2 {
		if k, ok := s.find(section.Content[i].Value); ok {
			found = append(found, zeros(section.Content[i+1], v.FieldByIndex(k.index), join(path, k.name))...)
		}
	}
	return found
}

// refused is what to say about a 0 that is not allowed; empty: it is.
func (z zero) refused() string {
	if z.value.IsZero() {
		return ""
	}
	return fmt.Sprintf("0 is not possible: leave the key out for the default, %v", z.value.Interface())
}
