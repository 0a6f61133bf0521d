package transform

import (
	"strings"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// naming is what is done with names that not every receiver takes.
type naming uint8

const (
	sanitiseNames naming = iota // What the legacy character set lacks becomes an underscore.
	utf8Names                   // Any UTF-8 is a name.
	strictNames                 // What the legacy character set lacks is refused.
)

// parseNaming reads label_names.
func parseNaming(s string) (naming, bool) {
	switch s {
	case "sanitize":
		return sanitiseNames, true
	case "utf8":
		return utf8Names, true
	case "strict":
		return strictNames, true
	}
	return 0, false
}

// scheme is Prometheus' word for the names that are valid in the end.
func (n naming) scheme() model.ValidationScheme {
	if n == utf8Names {
		return model.UTF8Validation
	}
	return model.LegacyValidation
}

// label returns the valid name for a label, if there is one.
func (n naming) label(name string) (string, bool) {
	if n == sanitiseNames {
		name = sanitised(name, false)
	}
	return name, n.scheme().IsValidLabelName(name)
}

// metric returns the valid name for a metric, if there is one.
func (n naming) metric(name string) (string, bool) {
	if n == sanitiseNames {
		name = sanitised(name, true)
	}
	return name, n.scheme().IsValidMetricName(name)
}

// sanitised puts an underscore in place of each character that legacy names do
// not have, and in front of a digit that comes first.
func sanitised(name string, colons bool) string {
	if isLegacy(name, colons) {
		return name
	}
	var b strings.Builder
	b.Grow(len(name) + 1)
	for i, r := range name {
		if i == 0 && r >= '0' && r <= '9' {
			b.WriteByte('_')
		}
		if r >= utf8.RuneSelf || !isLegacyByte(byte(r), colons) {
			r = '_'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isLegacy(name string, colons bool) bool {
	for i := range len(name) {
		if !isLegacyByte(name[i], colons) || i == 0 && name[i] <= '9' {
			return false
		}
	}
	return true
}

func isLegacyByte(c byte, colons bool) bool {
	return c|0x20-'a' <= 'z'-'a' || c-'0' <= 9 || c == '_' || c == ':' && colons
}
