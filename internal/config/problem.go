package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	// File and Line say where it is: the line of the key, or of the nearest section
	// around a key that is missing. Line is 0 where the file could not be read.
	File string
	Line int
	// Variable is the environment variable that the value came from; File and Line
	// are empty then.
	Variable string
	// Path is the key, such as pipelines[0].samples[1].value; empty: the file itself.
	Path string
	// Msg never holds a secret, nor a value that may be one.
	Msg string

	// meant is the path of the key that was probably meant.
	meant string
	// unknown says that the key at Path is not one of ours.
	unknown bool
}

// String is the problem on one line.
func (p Problem) String() string {
	parts := make([]string, 0, 3)
	switch {
	case p.Variable != "":
		parts = append(parts, p.Variable)
	case p.Line > 0:
		parts = append(parts, fmt.Sprintf("%s:%d", p.File, p.Line))
	default:
		parts = append(parts, p.File)
	}
	if p.Path != "" {
		parts = append(parts, p.Path)
	}
	// Keys may hold line ends.
	return strings.ReplaceAll(strings.Join(append(parts, p.Msg), ": "), "\n", `\n`)
}

// hides says that a finding about the meaning of path would only repeat the
// problem: a misspelt key is also a missing one.
func (p Problem) hides(path string) bool {
	return p.Path == "" || within(path, p.Path) || within(p.Path, path) ||
		p.unknown && parent(p.Path) == parent(path) ||
		p.meant != "" && within(p.meant, path)
}

// Error is everything that is wrong with a configuration.
type Error struct {
	// Problems are sorted by line; those of the environment come last.
	Problems []Problem
}

// Error is one line for each problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// asError sorts the problems; without any it is nil.
func asError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Variable, b.Variable),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Msg, b.Msg),
		)
	})
	return &Error{Problems: slices.CompactFunc(problems, func(a, b Problem) bool { return a.String() == b.String() })}
}
