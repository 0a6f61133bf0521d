package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"go.yaml.in/yaml/v3"
)

// prefix of the variables that are the program's.
const prefix = "KAFKA2PROM_"

// serviceLink matches the variables that Kubernetes sets for every service of the
// namespace, one that is called kafka2prom or kafka2prom-metrics included.
var serviceLink = regexp.MustCompile(`^KAFKA2PROM_(?:[A-Z0-9]+_)*?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$`)

// environment is the layer of the variables.
type environment struct {
	// values by the parts of their key, joined by the separator.
	values map[string]*yaml.Node
	// variables by the path of the key that they set.
	variables map[string]string
	problems  []Problem
	// names of the pipelines in the file, in its order.
	names []string
}

// readEnvironment reads the variables. The file says which pipelines there are.
func readEnvironment(environ []string, root *yaml.Node) environment {
	e := environment{values: map[string]*yaml.Node{}, variables: map[string]string{}, names: pipelineNames(root)}
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		variable, value, _ := strings.Cut(entry, "=")
		rest, ours := strings.CutPrefix(variable, prefix)
		// An empty variable is one that is not set, as docker compose writes it.
		if !ours || rest == "CONFIG" || value == "" || serviceLink.MatchString(variable) {
			continue
		}
		e.read(variable, rest, value)
	}
	return e
}

func pipelineNames(root *yaml.Node) []string {
	var names []string
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "pipelines" {
			continue
		}
		for _, item := range root.Content[i+1].Content {
			name, _, _ := step(item, "name")
			if name == nil {
				name = null(1)
			}
			names = append(names, name.Value)
		}
	}
	return names
}

// read takes in one variable; rest is its name after the prefix.
func (e *environment) read(variable, rest, value string) {
	keys, t, err := e.resolve(rest)
	if err != nil {
		err.Variable = variable
		e.problems = append(e.problems, *err)
		return
	}
	path := pathOf(keys)
	if first := e.variables[path]; first != "" {
		e.problems = append(e.problems, Problem{Variable: variable, Path: path, Msg: first + " sets the same key"})
		return
	}
	c := checker{variable: variable}
	node := c.check(valueNode(value, t), t, path)
	e.problems = append(e.problems, c.problems...)
	if len(c.problems) == 0 {
		e.values[strings.Join(keys, separator)] = node
		e.variables[path] = variable
	}
}

// resolve finds the key that a variable names. Keys are matched in any case.
func (e *environment) resolve(rest string) (keys []string, t reflect.Type, problem *Problem) {
	t = reflect.TypeFor[Config]()
	around := []place{{"", t}}
	for rest != "" {
		part, after, _ := strings.Cut(rest, "__")
		switch {
		case t == reflect.TypeFor[[]Pipeline]():
			i, after, problem := e.pipeline(rest)
			if problem != nil {
				return nil, nil, problem
			}
			keys, t, rest = append(keys, strconv.Itoa(i)), t.Elem(), after
		case isSection(deref(t)):
			k, ok := foldedKey(sectionOf(deref(t)), part)
			if !ok {
				return nil, nil, e.unknown(part, around)
			}
			keys, t, rest = append(keys, k.name), k.typ, after
		case t.Kind() == reflect.Map:
			keys, t, rest = append(keys, rest), t.Elem(), ""
		default:
			return nil, nil, &Problem{Path: pathOf(keys), Msg: "a value without keys of its own: leave out __" + rest}
		}
		around = append(around, place{pathOf(keys), deref(t)})
	}
	if isSection(deref(t)) || t.Kind() == reflect.Slice && isSection(deref(t.Elem())) || t.Kind() == reflect.Map {
		return nil, nil, &Problem{Path: pathOf(keys), Msg: "a variable holds one value, or a list with commas, and no section: name one of its keys after __"}
	}
	return keys, t, nil
}

func foldedKey(s section, part string) (key, bool) {
	for _, k := range s.keys {
		if strings.EqualFold(k.name, part) {
			return k, true
		}
	}
	if s.rest != nil {
		return key{name: part, typ: s.rest}, true
	}
	return key{}, false
}

// pipeline finds the pipeline whose name is in front of rest, in any case and with
// - and _ alike. The longest name wins, since names may hold __ themselves.
func (e *environment) pipeline(rest string) (index int, after string, problem *Problem) {
	index = -1
	for i, name := range e.names {
		n := len(name)
		if n == 0 || n > len(rest) || alike(rest[:n]) != alike(name) || rest[n:] != "" && !strings.HasPrefix(rest[n:], "__") {
			continue
		}
		switch {
		case index < 0 || n > len(e.names[index]):
			index, problem = i, nil
		case n == len(e.names[index]):
			problem = &Problem{Path: "pipelines." + name, Msg: fmt.Sprintf("%q and %q are the same name in a variable: rename one", e.names[index], name)}
		}
	}
	if index < 0 {
		name, _, _ := strings.Cut(rest, "__")
		return 0, "", &Problem{Path: "pipelines." + strings.ToLower(name), Msg: "no pipeline of the file is called that: " + e.listNames()}
	}
	if problem != nil {
		return 0, "", problem
	}
	return index, strings.TrimPrefix(rest[len(e.names[index]):], "__"), nil
}

func (e *environment) listNames() string {
	if len(e.names) == 0 {
		return "it has no pipelines"
	}
	return "there is " + strings.Join(e.names, ", ")
}

func alike(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "-", "_"))
}

// unknown is the problem of a variable that names no key.
func (e *environment) unknown(part string, around []place) *Problem {
	p := unknown(nameNode(strings.ToLower(part), 0), around)
	p.Msg = "unknown key"
	if p.meant != "" && !strings.Contains(p.meant, "[]") {
		p.Msg += "; did you mean " + e.variableOf(p.meant) + "?"
	}
	return &p
}

var index = regexp.MustCompile(`^pipelines\[([0-9]+)\]`)

// variableOf is the name of the variable that sets the key at path.
func (e *environment) variableOf(path string) string {
	if m := index.FindStringSubmatch(path); m != nil {
		i, err := strconv.Atoi(m[1])
		if err == nil && i < len(e.names) {
			path = "pipelines." + strings.ReplaceAll(e.names[i], "-", "_") + path[len(m[0]):]
		}
	}
	return prefix + strings.ToUpper(strings.ReplaceAll(path, ".", "__"))
}

// pathOf writes the parts of a key as a path.
func pathOf(keys []string) string {
	path := ""
	for i, key := range keys {
		if i == 1 && keys[0] == "pipelines" {
			key = "[" + key + "]"
		}
		path = join(path, key)
	}
	return path
}

// valueNode is the value of a variable as YAML for a key of type t. Only numbers
// and truth values are read as YAML reads them; everything else is text, or a list
// of texts with commas between them.
func valueNode(value string, t reflect.Type) *yaml.Node {
	t = deref(t)
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int16, reflect.Int32, reflect.Uint64, reflect.Float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: value}
	case reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for item := range strings.SplitSeq(value, ",") {
			list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.TrimSpace(item)})
		}
		return list
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	}
}

// provider gives the layer to koanf. The variables have been read before, since
// what they may be called depends on the file.
func (e *environment) provider() *env.Env {
	return env.Provider(separator, env.Opt{
		EnvironFunc: func() []string {
			names := make([]string, 0, len(e.values))
			for name := range e.values {
				names = append(names, name+"=")
			}
			return names
		},
		TransformFunc: func(name, _ string) (string, any) { return name, e.values[name] },
	})
}

// origin is the variable that has set the key at path or the list around it, or,
// where the file has not begun the section, one that has.
func (e *environment) origin(path string, root *yaml.Node) string {
	for p := path; p != ""; p = parent(p) {
		if variable := e.variables[p]; variable != "" {
			return variable
		}
	}
	for p := path; p != "" && !exists(root, p); p = parent(p) {
		for _, set := range slices.Sorted(maps.Keys(e.variables)) {
			if within(set, p) {
				return e.variables[set]
			}
		}
	}
	return ""
}
