package config

import (
	"errors"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

// finder gives findings about the meaning of keys the place that they came from.
type finder struct {
	// problems are all so far. The first of them, known before, are about the form
	// of the configuration; findings that only repeat one of those are left out.
	problems []Problem
	known    int
	root     *yaml.Node
	env      environment
}

func (f *finder) addError(err error) {
	if at, ok := errors.AsType[*fielderr.Error](err); ok {
		f.add(at.Path, at.Msg)
		return
	}
	f.add("", err.Error())
}

// add places a finding: the variable that has set the key or something in its
// section, else the line of the key, else that of the section.
func (f *finder) add(path, msg string) {
	if slices.ContainsFunc(f.problems[:f.known], func(p Problem) bool { return p.hides(path) }) {
		return
	}
	p := Problem{Path: path, Msg: msg, Variable: f.env.origin(path, f.root)}
	if p.Variable == "" {
		p.Line = nearest(f.root, path)
	}
	f.problems = append(f.problems, p)
}
