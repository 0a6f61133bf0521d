package units

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

var daysAndWeeks = regexp.MustCompile(`([0-9]*\.?[0-9]+)([dw])`)

// ParseDuration reads a duration in Go's syntax, with d (24 hours) and w (7
// days) as further units.
func ParseDuration(s string) (time.Duration, error) {
	hours := daysAndWeeks.ReplaceAllStringFunc(s, func(part string) string {
		n, err := strconv.ParseFloat(part[:len(part)-1], 64)
		if err != nil {
			return part
		}
		if part[len(part)-1] == 'w' {
			n *= 7
		}
		return strconv.FormatFloat(24*n, 'f', -1, 64) + "h"
	})
	d, err := time.ParseDuration(hours)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: want a number with a unit such as 500ms, 10s, 5m, 6h or 2d", s)
	}
	return d, nil
}
