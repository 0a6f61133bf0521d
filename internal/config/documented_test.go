package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// documented is config.yaml in the root of the repository.
const documented = "../../config.yaml"

// uncommented is config.yaml with the keys that it leaves out, and the lines that
// they are on.
func uncommented(t *testing.T) (root *yaml.Node, lines []string, left map[int]bool) {
	t.Helper()
	text, err := os.ReadFile(documented)
	require.NoError(t, err)
	key := regexp.MustCompile(`^( *)#([^ ].*)$`)
	left = map[int]bool{}
	lines = strings.Split(string(text), "\n")
	for i, line := range lines {
		if m := key.FindStringSubmatch(line); m != nil {
			lines[i], left[i+1] = m[1]+m[2], true
		}
	}
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(strings.Join(lines, "\n")), &doc))
	return doc.Content[0], lines, left
}

func TestTheDocumentedConfigurationRunsAsItStands(t *testing.T) {
	c, err := Load(Source{Path: documented})

	require.NoError(t, err)
	require.Equal(t, []string{"localhost:9092"}, c.Kafka.Brokers)
	require.Len(t, c.Pipelines, 1)
	p := c.Pipelines[0]
	require.Equal(t, "sensors", p.Name)
	require.Equal(t, []string{"sensors"}, p.Consumer.Topics)
	require.Equal(t, "sensors.dead", p.Consumer.DeadLetter.Topic)
	require.True(t, p.Consumer.DeadLetter.Create)
	require.Equal(t, "dead_letter", p.Consumer.OnError)
	require.Equal(t, "room_temperature_celsius", p.Mapping.Samples[0].Name)
	require.Equal(t, "http://localhost:9090/api/v1/write", p.RemoteWrite.URL.String())
	require.Empty(t, c.Warnings())
}

func TestEveryKeyIsDocumentedAndEveryDocumentedKeyExists(t *testing.T) {
	root, _, _ := uncommented(t)
	d := documentation{sections: map[reflect.Type]bool{}}
	d.walk(root, reflect.TypeFor[Config](), "")

	require.Empty(t, d.unknown, "config.yaml has keys that the program has not")
	missing := d.missing(reflect.TypeFor[Config](), "", map[reflect.Type]bool{})
	require.Empty(t, missing, "the program has keys that config.yaml does not mention")
}

// documentation is what config.yaml mentions.
type documentation struct {
	paths   []string
	unknown []string
	// sections are the types of which some section has been found with keys.
	sections map[reflect.Type]bool
}

func (d *documentation) walk(node *yaml.Node, t reflect.Type, path string) {
	t = elem(t)
	switch {
	case node.Kind == yaml.SequenceNode:
		for _, item := range node.Content {
			d.walk(item, t, path)
		}
	case node.Kind != yaml.MappingNode || t.Kind() == reflect.Interface:
	case valuesOf(t) != t:
		for i := 1; i < len(node.Content); i += 2 {
			d.walk(node.Content[i], valuesOf(t), path)
		}
	case isSection(t):
		d.sections[t] = true
		for i := 0; i < len(node.Content); i += 2 {
			k, ok := sectionOf(t).find(node.Content[i].Value)
			at := join(path, node.Content[i].Value)
			if !ok {
				d.unknown = append(d.unknown, at)
				continue
			}
			d.paths = append(d.paths, at)
			d.walk(node.Content[i+1], k.typ, at)
		}
	}
}

// missing are the keys that are not mentioned. What a section of a type means is
// said at one place, so that it is enough if another of its kind has the key.
func (d *documentation) missing(t reflect.Type, path string, seen map[reflect.Type]bool) []string {
	t = valuesOf(elem(t))
	if !isSection(t) || seen[t] {
		return nil
	}
	seen[t] = true
	var missing []string
	for _, k := range sectionOf(t).keys {
		at := join(path, k.name)
		// Secret managers, which only Prometheus' own distribution has, are refused.
		if strings.HasSuffix(k.name, "_ref") {
			continue
		}
		if !d.mentions(at, k.name, t) {
			missing = append(missing, at)
		}
		missing = append(missing, d.missing(k.typ, at, seen)...)
	}
	return missing
}

// mentions says whether the key is there, or is in another section of the type.
func (d *documentation) mentions(path, name string, t reflect.Type) bool {
	for _, p := range d.paths {
		if p == path || d.sections[t] && strings.HasSuffix(p, "."+name) && typeAt(parent(p)) == t {
			return true
		}
	}
	return false
}

// typeAt is the type of the section at a path without indices and names that are
// the user's.
func typeAt(path string) reflect.Type {
	t := reflect.TypeFor[Config]()
	for name := range strings.SplitSeq(path, ".") {
		if path == "" {
			break
		}
		k, ok := sectionOf(t).find(name)
		if !ok {
			return nil
		}
		t = valuesOf(elem(k.typ))
	}
	return t
}

// valuesOf is the type of the values where the names are the user's, else t.
func valuesOf(t reflect.Type) reflect.Type {
	switch {
	case t.Kind() == reflect.Map && !readsItself(t):
		return elem(t.Elem())
	case isSection(t) && sectionOf(t).rest != nil:
		return elem(sectionOf(t).rest)
	}
	return t
}

// elem is the type behind pointers and lists.
func elem(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && !readsItself(t) {
		t = t.Elem()
	}
	return t
}

func TestTheDocumentedDefaultsAreTheRealOnes(t *testing.T) {
	root, lines, left := uncommented(t)
	c, err := Load(Source{Path: documented})
	require.NoError(t, err)
	c.SetDirectory("")
	allSections(reflect.ValueOf(c).Elem())
	c.SetDefaults()

	checked := 0
	compareDefaults(root, reflect.ValueOf(c).Elem(), "", func(key, value *yaml.Node, field reflect.Value, path string) {
		if !left[key.Line] || within(path, "pipelines.samples") { // A rule has no defaults.
			return
		}
		if strings.Contains(lines[key.Line-1], "# Example.") {
			require.True(t, isUnset(field), "line %d: %s has a default", key.Line, path)
			return
		}
		want := reflect.New(field.Type())
		checker := checker{}
		require.NoError(t, checker.check(value, field.Type(), path).Decode(want.Interface()), path)
		require.Empty(t, checker.problems)
		require.Equal(t, asText(t, field.Interface()), asText(t, want.Elem().Interface()), "line %d: %s", key.Line, path)
		checked++
	})
	require.Greater(t, checked, 60, "most defaults are documented")
}

// allSections makes the sections that are left out, so that they get defaults.
func allSections(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if isSection(v.Type().Elem()) && v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			empty := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			_ = empty.Decode(v.Interface()) // Keys that must be there do not matter.
		}
		if !v.IsNil() {
			allSections(v.Elem())
		}
	case reflect.Slice:
		if v.Len() == 0 && isSection(deref(v.Type().Elem())) {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		for i := range v.Len() {
			allSections(v.Index(i))
		}
	case reflect.Struct:
		if isSection(v.Type()) {
			for _, k := range sectionOf(v.Type()).keys {
				allSections(v.FieldByIndex(k.index))
			}
		}
	default:
	}
}

// compareDefaults visits every key of the file that has a value, beside the field
// of the configuration.
func compareDefaults(node *yaml.Node, v reflect.Value, path string, visit func(key, value *yaml.Node, field reflect.Value, path string)) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case node.Kind == yaml.SequenceNode && v.Kind() == reflect.Slice && isSection(deref(v.Type().Elem())):
		compareDefaults(node.Content[0], v.Index(0), path, visit)
	case node.Kind == yaml.MappingNode && isSection(v.Type()):
		for i := 0; i < len(node.Content); i += 2 {
			k, ok := sectionOf(v.Type()).find(node.Content[i].Value)
			if !ok {
				continue
			}
			value, field, at := node.Content[i+1], v.FieldByIndex(k.index), join(path, k.name)
			if value.Kind == yaml.ScalarNode || value.Style&yaml.FlowStyle != 0 {
				visit(node.Content[i], value, field, at)
			} else {
				compareDefaults(value, field, at, visit)
			}
		}
	}
}

// isUnset says that a field has no default.
func isUnset(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer && !v.IsNil() && isSection(v.Type().Elem()) {
		v = v.Elem()
	}
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0
	}
	if isSection(v.Type()) {
		return true // Its keys have the defaults.
	}
	return v.IsZero()
}

// asText is a value as YAML: regular expressions cannot be compared otherwise.
func asText(t *testing.T, value any) string {
	t.Helper()
	text, err := yaml.Marshal(map[string]any{"value": value})
	require.NoError(t, err, "%T", value)
	return string(text)
}
