package consumer

import (
	"fmt"
	"strings"
	"time"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

// parseStart reads where a group without offsets starts: earliest, latest, an RFC
// 3339 time, or a duration back from now such as -6h or -2d. It returns the time of
// the first record; zero: that of the start of the log.
//
// "latest" is the time of the start of the program and not the end of the log, so
// that a partition that is created later is read from its beginning.
func parseStart(s string, now time.Time) (time.Time, error) {
	switch s {
	case "earliest", "":
		return time.Time{}, nil
	case "latest":
		return now, nil
	}
	t, err := ParseTime(s, now)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no start: want earliest, latest, a time such as 2026-11-01T00:00:00Z, or a duration back from now such as -6h", s)
	}
	return t, nil
}

// ParseTime reads an RFC 3339 time, or a duration back from now such as -6h or
// -2d.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if back, ok := strings.CutPrefix(s, "-"); ok {
		d, err := units.ParseDuration(back)
		if err != nil {
			return time.Time{}, err
		}
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time: want RFC 3339 such as 2026-11-01T00:00:00Z, or a duration back from now such as -6h", s)
	}
	return t, nil
}
