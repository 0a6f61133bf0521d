package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/kafka2prom/kafka2prom/writer"
)

var (
	lineInfo = regexp.MustCompile(`^line [0-9]+: `)
	indices  = regexp.MustCompile(`\[[0-9]*\]`)
)

// unknown is the problem of a key that none of the sections around it has.
func unknown(name *yaml.Node, around []place) Problem {
	here := around[len(around)-1]
	p := Problem{Line: name.Line, Path: join(here.path, name.Value), unknown: true}
	if answer := elsewhere(name.Value, here.path); answer != "" {
		p.Msg, p.meant = "unknown key; here it is "+quoted([]string{answer}), rooted(here.path, answer)
		return p
	}
	reader := here.typ
	if reader == reflect.TypeFor[Pipeline]() {
		// What people paste from prometheus.yml may end up one level too high.
		reader = reflect.TypeFor[writer.RemoteWriteConfig]()
	}
	if answer := answerOf(reader, name.Value); answer != "" {
		p.Msg = "unknown key; " + answer
		return p
	}
	p.Msg = "unknown key"
	if meant := suggest(name.Value, around); len(meant) > 0 {
		p.Msg += "; did you mean " + quoted(meant) + "?"
		p.meant = rooted(here.path, meant[0])
	}
	return p
}

func quoted(names []string) string {
	return `"` + strings.Join(names, `" or "`) + `"`
}

// rooted makes a path from the root of one that may be relative to a section.
func rooted(section, path string) string {
	if strings.HasPrefix(path, "kafka.") || strings.HasPrefix(path, "pipelines[") {
		return path
	}
	return join(section, path)
}

// answerOf asks a section that reads itself what it says to the key.
func answerOf(t reflect.Type, name string) string {
	if !readsItself(t) {
		return ""
	}
	alone := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{nameNode(name, 1), null(1)}}
	err := alone.Decode(reflect.New(t).Interface())
	if err == nil || !strings.Contains(err.Error(), name+" is not a key of ") {
		return ""
	}
	_, answer, _ := strings.Cut(cleaned(err), ": ")
	return answer
}

// suggest looks for the keys that were probably meant: a similar one of the same
// section, else the same name somewhere below, else further up and down again. A
// path below is relative, one from further up is whole.
func suggest(name string, around []place) []string {
	plain := folded(name)
	here := around[len(around)-1]
	if best := closest(plain, sectionOf(here.typ)); best != "" {
		return []string{best}
	}
	for level, section := range slices.Backward(around) {
		found := below(plain, section.typ, 0)
		if path := joined(plain, section.typ); len(found) == 0 && path != "" {
			found = []string{path}
		}
		if len(found) == 0 {
			continue
		}
		if level < len(around)-1 {
			for i := range found {
				found[i] = join(section.path, found[i])
			}
		}
		return found
	}
	return nil
}

// closest is the key that needs the fewest edits to be the name, if they are few.
func closest(name string, s section) string {
	best, fewest := "", 1+min(2, (len(name)+1)/3)
	for _, k := range s.keys {
		if d := distance(name, k.name); d < fewest {
			best, fewest = k.name, d
		}
	}
	return best
}

// maxDepth is how deep the sections of the configuration are nested, lists
// included.
const maxDepth = 5

// below returns the paths of the keys of that name that are the fewest sections
// down.
func below(name string, t reflect.Type, depth int) []string {
	t = deref(t)
	if t.Kind() == reflect.Slice {
		t = deref(t.Elem())
	}
	if depth > maxDepth || !isSection(t) {
		return nil
	}
	s := sectionOf(t)
	if k, ok := s.find(name); ok {
		return []string{k.name}
	}
	var found []string
	for _, k := range s.keys {
		at := k.name
		if k.typ.Kind() == reflect.Slice {
			at += "[]"
		}
		for _, path := range below(name, k.typ, depth+1) {
			path = join(at, path)
			if len(found) > 0 && strings.Count(path, ".") < strings.Count(found[0], ".") {
				found = nil
			}
			if len(found) == 0 || strings.Count(path, ".") == strings.Count(found[0], ".") {
				found = append(found, path)
			}
		}
	}
	return found
}

// joined is the path of the key whose name has been written together with those of
// its sections, as in log_level.
func joined(name string, t reflect.Type) string {
	t = deref(t)
	if !isSection(t) {
		return ""
	}
	for _, k := range sectionOf(t).keys {
		rest, ok := strings.CutPrefix(name, k.name)
		if ok && rest == "" {
			return k.name
		}
		if path := joined(strings.TrimPrefix(rest, "_"), k.typ); ok && path != "" {
			return join(k.name, path)
		}
	}
	return ""
}

// folded writes a name as the keys are written: in lower case, with underscores
// between words.
func folded(name string) string {
	var out strings.Builder
	lower := false
	for _, r := range name {
		if unicode.IsUpper(r) && lower {
			out.WriteByte('_')
		}
		lower = unicode.IsLower(r)
		if r == '-' || r == '.' || r == ' ' {
			r = '_'
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// distance is the number of edits between two names: a letter more, less,
// another, or two that have changed places.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, above2 := rows[i%3], rows[(i+2)%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], above2[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
