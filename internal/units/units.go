// Package units holds the scalar types of the configuration that the standard
// library lacks.
package units

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bytes is a size: a number of bytes, or a number with one of the suffixes B, kB,
// MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024).
type Bytes int64

var suffixes = []struct {
	name string
	size int64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"B", 1},
}

// ParseBytes reads a size.
func ParseBytes(s string) (Bytes, error) {
	number, size := strings.TrimSpace(s), int64(1)
	for _, x := range suffixes {
		if rest, ok := strings.CutSuffix(number, x.name); ok {
			number, size = strings.TrimSpace(rest), x.size
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= 0 && f*float64(size) <= 1<<60) { // NaN, too.
		return 0, fmt.Errorf("%q is not a size: want a number of bytes such as 1048576, 512KiB, 16MiB or 1GB", s)
	}
	return Bytes(f * float64(size)), nil
}

// UnmarshalYAML reads a size from a number or a string.
func (b *Bytes) UnmarshalYAML(node *yaml.Node) error {
	v, err := ParseBytes(node.Value)
	if err != nil {
		return err
	}
	*b = v
	return nil
}

// String writes the size with the largest binary suffix that divides it.
func (b Bytes) String() string {
	for _, x := range []struct {
		name string
		size Bytes
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b >= x.size && b%x.size == 0 {
			return strconv.FormatInt(int64(b/x.size), 10) + x.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalYAML writes the size as String does.
func (b Bytes) MarshalYAML() (any, error) { return b.String(), nil }

// StringList is a list of strings; a single string is a list of one.
type StringList []string

// UnmarshalYAML reads a string or a list of strings.
func (l *StringList) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		if node.Tag != "!!null" {
			*l = StringList{node.Value}
		}
		return nil
	}
	var list []string
	if err := node.Decode(&list); err != nil {
		return err
	}
	*l = list
	return nil
}
