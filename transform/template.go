package transform

import (
	"fmt"
	"strings"
)

// templatePart is fixed text, or a path whose value takes its place.
type templatePart struct {
	fixed string
	path  *path
}

// isTemplate says whether text has parts to fill in.
func isTemplate(s string) bool { return strings.Contains(s, "${") }

// parseTemplate reads text with ${path} parts.
func parseTemplate(s string) ([]templatePart, error) {
	var parts []templatePart
	for pos := 0; pos < len(s); {
		i := strings.Index(s[pos:], "${")
		if i < 0 {
			return append(parts, templatePart{fixed: s[pos:]}), nil
		}
		if i > 0 {
			parts = append(parts, templatePart{fixed: s[pos : pos+i]})
		}
		p := pathParser{s: s, pos: pos + i + len("${"), end: '}'}
		got, err := p.path()
		if err != nil {
			return nil, err
		}
		if p.pos == len(s) {
			return nil, fmt.Errorf("at position %d of %q: ${ is never closed", pos+i+1, s)
		}
		parts = append(parts, templatePart{path: &got})
		pos = p.pos + len("}")
	}
	return parts, nil
}
