package transform

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// UnmarshalYAML reads a path, or the mapping.
func (t *TimestampSpec) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*t = TimestampSpec{Path: node.Value}
		return nil
	}
	type plain TimestampSpec
	return decodeStrictly(node, (*plain)(t), "path", "format", "zone")
}

// UnmarshalYAML reads a path or a template, or the mapping.
func (l *LabelSpec) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*l = LabelSpec{Path: node.Value}
		return nil
	}
	type plain LabelSpec
	return decodeStrictly(node, (*plain)(l), "path", "fixed", "required")
}

// decodeStrictly reads a mapping that has none but the given keys: a decoder's
// own strictness does not reach into types that unmarshal themselves.
func decodeStrictly(node *yaml.Node, into any, keys ...string) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want a path, or a mapping with the keys %s", node.Line, strings.Join(keys, ", "))
	}
	for i := 0; i < len(node.Content); i += 2 {
		if key := node.Content[i]; !slices.Contains(keys, key.Value) {
			return fmt.Errorf("line %d: the key %s is unknown: want %s", key.Line, key.Value, strings.Join(keys, ", "))
		}
	}
	return node.Decode(into)
}
