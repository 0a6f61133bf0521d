package transform

import (
	"fmt"
	"strings"
	"unicode"
)

// fault says why a rule cannot make a sample.
type fault struct {
	reason Reason
	text   string
}

func faultf(reason Reason, format string, args ...any) *fault {
	return &fault{reason, fmt.Sprintf(format, args...)}
}

// at puts what the fault is about in front of its text.
func (f *fault) at(place string) *fault {
	f.text = place + ": " + f.text
	return f
}

// printable replaces what would garble a terminal or a log. Values are quoted
// already, but names of the configuration may have anything in them.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
