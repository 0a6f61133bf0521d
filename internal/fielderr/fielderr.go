// Package fielderr tells which key of the configuration is at fault.
package fielderr

import (
	"fmt"
	"strconv"
)

// Error is a fault of one key.
type Error struct {
	// Path leads to the key, as in samples[0].value. It is relative to the
	// section that was validated; Under completes it on the way to the root.
	Path string
	// Msg says what is wrong and what would be right. It never holds a secret.
	Msg string
}

// New makes the error of the key at path.
func New(path, format string, args ...any) *Error {
	return &Error{Path: path, Msg: fmt.Sprintf(format, args...)}
}

// Error writes the path in front of the message.
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Msg
	}
	return e.Path + ": " + e.Msg
}

// Under puts the section's path in front of the path of each error. An error of
// another type becomes one of the section itself.
func Under(section string, errs []error) []error {
	under := make([]error, len(errs))
	for i, err := range errs {
		if e, ok := err.(*Error); ok { //nolint:errorlint // A wrapped one has words of its own around it.
			under[i] = &Error{Path: Join(section, e.Path), Msg: e.Msg}
			continue
		}
		under[i] = &Error{Path: section, Msg: err.Error()}
	}
	return under
}

// Join appends a key to the path of its section. Either may be empty.
func Join(section, key string) string {
	if section == "" || key == "" || key[0] == '[' {
		return section + key
	}
	return section + "." + key
}

// Index appends a position in a list to the path of the list.
func Index(list string, i int) string {
	return list + "[" + strconv.Itoa(i) + "]"
}
