package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// join adds a key to a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	if key == "" || strings.HasPrefix(key, "[") {
		return path + key
	}
	return path + "." + key
}

// parent is the path of the section around a key, or of the list around an
// element.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// within says that path is section or a key somewhere below it.
func within(path, section string) bool {
	rest, ok := strings.CutPrefix(path, section)
	return ok && (rest == "" || section == "" || rest[0] == '.' || rest[0] == '[')
}

// nearest follows a path down the tree as far as it goes and returns the line
// where it ended.
func nearest(node *yaml.Node, path string) int {
	line := max(1, node.Line)
	for path != "" {
		next, at, rest := step(node, path)
		if next == nil {
			break
		}
		node, path = next, rest
		if at > 0 {
			line = at
		}
	}
	return line
}

// exists says that the tree has a path.
func exists(node *yaml.Node, path string) bool {
	for node != nil && path != "" {
		node, _, path = step(node, path)
	}
	return node != nil
}

// step takes the first part off a path. Keys may hold dots, so that the tree says
// where a part ends.
func step(node *yaml.Node, path string) (next *yaml.Node, line int, rest string) {
	switch node.Kind {
	case yaml.MappingNode:
		return stepByName(node, strings.TrimPrefix(path, "."))
	case yaml.SequenceNode:
		number, after, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
		i, err := strconv.Atoi(number)
		if ok && err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i].Line, after
		}
	default: // A scalar has nothing below it.
	}
	return nil, 0, path
}

// stepByName takes the longest key that the path begins with.
func stepByName(node *yaml.Node, path string) (next *yaml.Node, line int, rest string) {
	longest := 0
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if len(key.Value) > longest && within(path, key.Value) {
			longest = len(key.Value)
			next, line, rest = node.Content[i+1], key.Line, path[longest:]
		}
	}
	return next, line, rest
}
