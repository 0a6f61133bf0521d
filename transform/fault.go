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
	limit  limit // The one that is exceeded; empty: none.
}

func faultf(reason Reason, format string, args ...any) *fault {
	return &fault{reason: reason, text: fmt.Sprintf(format, args...)}
}

// exceeds says by how much a limit is. The text ends with the limit's key.
func exceeds(key limit, format string, args ...any) *fault {
	reason := ReasonTooLarge
	switch key {
	case limitMinTimestamp, limitMaxFuture:
		reason = ReasonTimestampRange
	case limitSeries:
		reason = ReasonSeriesLimit
	case limitRecordBytes, limitDepth, limitNodes, limitSamplesPerRecord, limitLabels, limitNameBytes, limitValueBytes:
	}
	return &fault{reason, fmt.Sprintf(format, args...) + " (limits." + string(key) + ")", key}
}

// decodeError is the fault of a record as a whole.
func (f *fault) decodeError() *decodeError {
	return &decodeError{Reason: f.reason, Text: f.text, limit: f.limit}
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
