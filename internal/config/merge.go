package config

import (
	"slices"
	"strconv"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"
)

// separator stands between the parts of a key inside koanf. It is a character
// that no key can hold: YAML does not allow it, and dots are common in names.
const separator = "\x1f"

// merged lays the environment over the file. Scalars and lists stay YAML nodes on
// the way, so that 1.0 stays the text that it is until its type is known; the
// defaults are the values that the tree is decoded over.
func merged(root *yaml.Node, env environment) *yaml.Node {
	ko := koanf.New(separator)
	// Neither provider can fail: both hold what has been read already.
	_ = ko.Load(confmap.Provider(layer(root), ""), nil)
	_ = ko.Load(env.provider(), nil)
	return tree(ko.Raw(), "")
}

// layer is a section as koanf takes it: mappings as maps, and so the list of
// pipelines, whose keys can be set one by one.
func layer(section *yaml.Node) map[string]any {
	values := make(map[string]any, len(section.Content)/2)
	for i := 0; i+1 < len(section.Content); i += 2 {
		name, value := section.Content[i].Value, section.Content[i+1]
		switch {
		case value.Kind == yaml.MappingNode:
			values[name] = layer(value)
		case name == "pipelines" && value.Kind == yaml.SequenceNode:
			values[name] = pipelineLayer(value)
		default:
			values[name] = value
		}
	}
	return values
}

func pipelineLayer(list *yaml.Node) map[string]any {
	values := make(map[string]any, len(list.Content))
	for i, item := range list.Content {
		values[strconv.Itoa(i)] = item
		if item.Kind == yaml.MappingNode {
			values[strconv.Itoa(i)] = layer(item)
		}
	}
	return values
}

// tree is the inverse of layer.
func tree(values map[string]any, path string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1}
	if path == "pipelines" {
		node.Kind, node.Tag = yaml.SequenceNode, "!!seq"
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.SortFunc(names, byNumber)
	for _, name := range names {
		value, ok := values[name].(*yaml.Node)
		if section, isSection := values[name].(map[string]any); isSection {
			value, ok = tree(section, join(path, name)), true
		}
		if !ok {
			continue
		}
		if node.Kind == yaml.MappingNode {
			node.Content = append(node.Content, nameNode(name, 1))
		}
		node.Content = append(node.Content, value)
	}
	return node
}

// byNumber sorts the indices of the pipelines as numbers.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return slices.Compare([]byte(a), []byte(b))
}
