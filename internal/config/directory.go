package config

import (
	"reflect"
	"strings"

	commoncfg "github.com/prometheus/common/config"
)

// SetDirectory joins the relative paths of files, wherever they are, to dir: all
// keys that end in _file, _path or are called files.
func (c *Config) SetDirectory(dir string) {
	joinPaths(reflect.ValueOf(c).Elem(), dir, false)
}

// joinPaths walks down a value; path says that the texts in it are paths.
func joinPaths(v reflect.Value, dir string, path bool) {
	switch v.Kind() {
	case reflect.String:
		if path {
			v.SetString(commoncfg.JoinDir(dir, v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			joinPaths(v.Elem(), dir, path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			joinPaths(v.Index(i), dir, path)
		}
	case reflect.Map:
		joinMapPaths(v, dir)
	case reflect.Struct:
		if isSection(v.Type()) {
			joinSectionPaths(v, dir)
		}
	default:
	}
}

func joinSectionPaths(v reflect.Value, dir string) {
	for _, k := range sectionOf(v.Type()).keys {
		path := strings.HasSuffix(k.name, "_file") || strings.HasSuffix(k.name, "_path") || k.name == "files"
		joinPaths(v.FieldByIndex(k.index), dir, path)
	}
	joinInlinedMaps(v, dir)
}

// joinMapPaths walks the sections of a mapping. Values of a map cannot be changed
// in place.
func joinMapPaths(v reflect.Value, dir string) {
	if !isSection(deref(v.Type().Elem())) {
		return
	}
	for _, name := range v.MapKeys() {
		changed := reflect.New(v.Type().Elem()).Elem()
		changed.Set(v.MapIndex(name))
		joinPaths(changed, dir, false)
		v.SetMapIndex(name, changed)
	}
}

// joinInlinedMaps walks the sections under keys that the struct does not name.
func joinInlinedMaps(v reflect.Value, dir string) {
	for i := range v.NumField() {
		if field := v.Field(i); field.Kind() == reflect.Map && strings.HasPrefix(v.Type().Field(i).Tag.Get("yaml"), ",") {
			joinMapPaths(field, dir)
		}
	}
}
