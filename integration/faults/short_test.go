//go:build faults

package faults

import (
	"testing"
	"time"
)

// scaled is how often, or for how long, something is done: for the table of the
// documentation, and with -short, as CI has it.
func scaled[N int | time.Duration](full, short N) N {
	if testing.Short() {
		return short
	}
	return full
}
