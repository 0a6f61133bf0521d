package config

import (
	"cmp"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Source says where the configuration comes from.
type Source struct {
	// Path of the file. Empty: the variable KAFKA2PROM_CONFIG, else config.yaml in
	// the working directory.
	Path string
	// Data is used in place of the file's content unless it is nil.
	Data []byte
	// Environ are the variables as name=value, as os.Environ gives them. Those that
	// do not begin with KAFKA2PROM_ are ignored.
	Environ []string
}

// Load reads, completes and checks the configuration. Its error is an *Error with
// everything that is wrong.
func Load(src Source) (*Config, error) {
	path := cmp.Or(src.Path, pathVariable(src.Environ), "config.yaml")
	data := src.Data
	if data == nil {
		var err error
		if data, err = os.ReadFile(path); err != nil { //nolint:gosec // The user names the file.
			return nil, &Error{Problems: []Problem{{File: path, Msg: "reading the file: " + reason(err)}}}
		}
	}
	root, problems := parse(data)
	if root != nil {
		file := checker{problems: problems}
		root = file.check(root, reflect.TypeFor[Config](), "")
		problems = file.problems
	}
	if root == nil || root.Kind != yaml.MappingNode {
		return nil, in(path, problems)
	}
	env := readEnvironment(src.Environ, root)

	// What is wrong so far has been taken out of the layers, so that the rest can tell
	// what else is.
	problems = slices.Concat(problems, env.problems)
	found := finder{problems: problems, known: len(problems), root: root, env: env}
	c := complete(merged(root, env), path, &found)
	for _, err := range c.Validate() {
		found.addError(err)
	}
	if len(found.problems) > 0 {
		return nil, in(path, found.problems)
	}
	return c, nil
}

// complete decodes the tree of all layers over the defaults.
func complete(tree *yaml.Node, path string, found *finder) *Config {
	all := checker{whole: true}
	tree = all.check(tree, reflect.TypeFor[Config](), "")
	for _, p := range all.problems {
		found.add(p.Path, p.Msg)
	}
	c := &Config{path: path}
	if err := tree.Decode(c); err != nil {
		found.add("", cleaned(err))
	}
	written := zeros(tree, reflect.ValueOf(c).Elem(), "")
	c.SetDefaults()
	for _, z := range written {
		if msg := z.refused(); msg != "" {
			found.add(z.path, msg)
		}
	}
	c.SetDirectory(filepath.Dir(path))
	return c
}

func pathVariable(environ []string) string {
	for _, entry := range environ {
		if path, ok := strings.CutPrefix(entry, prefix+"CONFIG="); ok {
			return path
		}
	}
	return ""
}

// reason leaves out the path, which stands in front of the message.
func reason(err error) string {
	if p, ok := err.(*os.PathError); ok { //nolint:errorlint // It comes from os.ReadFile.
		return p.Err.Error()
	}
	return err.Error()
}

// in names the file in the problems that are in it.
func in(path string, problems []Problem) error {
	for i := range problems {
		if problems[i].Variable == "" {
			problems[i].File = path
		}
	}
	return asError(problems)
}
