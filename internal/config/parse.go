package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what the aliases of a file may expand to.
const maxNodes = 100_000

// parse reads the file into a tree without aliases and merge keys, in which every
// mapping has text keys, each once. The problems have no file name yet. With
// problems the tree holds what is left; it is nil where nothing is.
func parse(data []byte) (*yaml.Node, []Problem) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, []Problem{{Line: 1, Msg: "the file is UTF-16: save it as UTF-8"}}
	}
	// Editors on Windows put a byte order mark in front of UTF-8.
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if at := firstBadByte(data); at >= 0 {
		line := 1 + bytes.Count(data[:at], []byte("\n"))
		return nil, []Problem{{Line: line, Msg: "a byte that is no text: the file must be UTF-8 without control characters"}}
	}

	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, []Problem{{Line: 1, Msg: "the file is empty: config.yaml of the distribution is a place to start"}}
	case err != nil:
		return nil, []Problem{syntaxProblem(data, err)}
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, []Problem{{Line: max(1, second.Line), Msg: "a second document begins here: a file holds one configuration"}}
	case !errors.Is(err, io.EOF):
		return nil, []Problem{syntaxProblem(data, err)}
	}

	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, []Problem{{Line: 1, Msg: "the file is empty: config.yaml of the distribution is a place to start"}}
	}
	p := plainer{active: map[*yaml.Node]bool{}}
	root = p.plain(root, "")
	return root, p.problems
}

// firstBadByte is the index of the first byte that YAML does not allow; -1: none.
func firstBadByte(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		control := r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f
		if r == utf8.RuneError && size == 1 || control {
			return i
		}
		i += size
	}
	return -1
}

var (
	syntaxLine    = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)
	unknownAnchor = regexp.MustCompile(`unknown anchor .* referenced`)
	tabIndent     = regexp.MustCompile(`(?m)^ *\t`)
)

// syntaxProblem puts an error of the YAML reader into words of ours.
func syntaxProblem(data []byte, err error) Problem {
	msg, line := err.Error(), 1
	if m := syntaxLine.FindStringSubmatch(msg); m != nil {
		msg = msg[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = max(1, n)
		}
	}
	// The grammar, unlike the scanner, counts lines from 0, and tells where the
	// section or bracket began that it could not finish.
	if strings.HasPrefix(msg, "did not find expected") {
		if line > 1 || strings.Contains(err.Error(), "line 1:") {
			line++
		}
		msg += ", here or in what begins here"
	}
	if at := tabIndent.FindIndex(data); at != nil {
		line = 1 + bytes.Count(data[:at[0]], []byte("\n"))
		return Problem{Line: line, Msg: "a tab in the indentation: YAML wants spaces"}
	}
	// The name of the anchor may be a password that nobody has quoted.
	if unknownAnchor.MatchString(msg) {
		msg = "an alias without an anchor: quote a value that starts with *"
		line = aliasLine(data, line)
	}
	return Problem{Line: line, Msg: "not YAML: " + msg}
}

// aliasLine looks for the line of an alias, which the reader does not tell.
func aliasLine(data []byte, line int) int {
	if line > 1 {
		return line
	}
	for i, text := range strings.Split(string(data), "\n") {
		if strings.Contains(text, ": *") || strings.Contains(text, "- *") || strings.Contains(text, "[*") {
			return i + 1
		}
	}
	return line
}

// plainer rebuilds a tree without aliases and merge keys.
type plainer struct {
	// active are the nodes around the present one: an alias to one of them would
	// never end.
	active   map[*yaml.Node]bool
	nodes    int
	problems []Problem
}

func (p *plainer) report(line int, path, format string, args ...any) {
	p.problems = append(p.problems, Problem{Line: max(1, line), Path: path, Msg: fmt.Sprintf(format, args...)})
}

// plain returns a copy of the node. A node that cannot be used becomes null.
func (p *plainer) plain(node *yaml.Node, path string) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		if p.active[node.Alias] {
			p.report(node.Line, path, "an alias to a section around it")
			return null(node.Line)
		}
		return p.plain(node.Alias, path)
	}
	if p.nodes++; p.nodes > maxNodes {
		if p.nodes == maxNodes+1 {
			p.report(node.Line, path, "more than %d values: do the aliases multiply?", maxNodes)
		}
		return null(node.Line)
	}
	p.active[node] = true
	defer delete(p.active, node)

	out := &yaml.Node{Kind: node.Kind, Style: node.Style &^ yaml.TaggedStyle, Tag: node.Tag, Value: node.Value, Line: max(1, node.Line), Column: node.Column}
	switch {
	case node.Style&yaml.TaggedStyle != 0 && !strings.HasPrefix(node.ShortTag(), "!!"):
		// The tag may be a password that nobody has quoted.
		p.report(node.Line, path, "a tag that means nothing here: quote a value that starts with !")
		return null(node.Line)
	case node.Kind == yaml.SequenceNode:
		for i, item := range node.Content {
			out.Content = append(out.Content, p.plain(item, fmt.Sprintf("%s[%d]", path, i)))
		}
	case node.Kind == yaml.MappingNode:
		p.mapping(out, node, path)
	}
	return out
}

// mapping copies the keys and values of a mapping into out. Its own keys win over
// merged ones, and of these the first.
func (p *plainer) mapping(out, node *yaml.Node, path string) {
	lines := map[string]int{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" {
			merged = append(merged, p.sources(value, path)...)
			continue
		}
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" {
			p.report(key.Line, path, "a key that is no text: quote it if it is a name or a template in braces")
			continue
		}
		if first, twice := lines[key.Value]; twice {
			p.report(node.Content[i].Line, join(path, key.Value), "the key is already there on line %d", first)
			continue
		}
		lines[key.Value] = node.Content[i].Line
		out.Content = append(out.Content, nameNode(key.Value, node.Content[i].Line), p.plain(value, join(path, key.Value)))
	}
	for _, source := range merged {
		for i := 0; i+1 < len(source.Content); i += 2 {
			if key := source.Content[i]; lines[key.Value] == 0 {
				lines[key.Value] = key.Line
				out.Content = append(out.Content, key, source.Content[i+1])
			}
		}
	}
}

// sources are the mappings that a merge key names.
func (p *plainer) sources(value *yaml.Node, path string) []*yaml.Node {
	value = p.plain(value, path)
	list := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		list = value.Content
	}
	for _, source := range list {
		if source.Kind != yaml.MappingNode {
			p.report(value.Line, path, "<< wants a mapping, or a list of mappings")
			return nil
		}
	}
	return list
}

func null(line int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: max(1, line)}
}

func nameNode(text string, line int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Line: max(1, line)}
}
