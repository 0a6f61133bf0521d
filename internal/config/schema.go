package config

import (
	"reflect"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"
)

// section is what a mapping of the file may hold, as the yaml tags of a Go struct
// say.
type section struct {
	keys []key
	// rest is the type of the values under any other key; nil: there are none.
	rest reflect.Type
}

// key is one key of a section.
type key struct {
	name string
	typ  reflect.Type
	// index leads to the field, through the structs that are inlined.
	index []int
}

// find returns the key of a name.
func (s section) find(name string) (key, bool) {
	for _, k := range s.keys {
		if k.name == name {
			return k, true
		}
	}
	return key{}, false
}

// sectionOf reads the tags of a struct type.
func sectionOf(t reflect.Type) section {
	var s section
	for i := range t.NumField() {
		field := t.Field(i)
		tag, tagged := field.Tag.Lookup("yaml")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case !field.IsExported() && !field.Anonymous, name == "-":
		case strings.Contains(options, "inline") && field.Type.Kind() == reflect.Map:
			s.rest = field.Type.Elem()
		case strings.Contains(options, "inline"):
			inner := sectionOf(field.Type)
			for _, k := range inner.keys {
				k.index = append([]int{i}, k.index...)
				s.keys = append(s.keys, k)
			}
			if inner.rest != nil {
				s.rest = inner.rest
			}
		case tagged && field.IsExported():
			s.keys = append(s.keys, key{name: name, typ: field.Type, index: []int{i}})
		}
	}
	return s
}

// Types that are read in a way of their own.
var (
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
	urlType      = reflect.TypeFor[commoncfg.URL]()
	secretType   = reflect.TypeFor[commoncfg.Secret]()

	unmarshaler      = reflect.TypeFor[yaml.Unmarshaler]()
	olderUnmarshaler = reflect.TypeFor[interface{ UnmarshalYAML(func(any) error) error }]()
)

// readsItself says that a type has its own way to read YAML.
func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(unmarshaler) || p.Implements(olderUnmarshaler)
}

// isSection says that values of the type are mappings with fixed keys. A struct
// without any tag, such as a URL, is a scalar that reads itself.
func isSection(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t == timeType {
		return false
	}
	s := sectionOf(t)
	return len(s.keys) > 0 || s.rest != nil
}

// deref is the type behind a pointer.
func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
