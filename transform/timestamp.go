package transform

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/timefmt-go"
)

// timeFormat is how a timestamp is written.
type timeFormat uint8

const (
	autoTime timeFormat = iota // Text is RFC 3339, a number is milliseconds.
	rfc3339Time
	epochTime    // A number since 1970, as a number or as text.
	strftimeTime // Text in the timeReader's layout.
)

// timeReader reads timestamps as one rule writes them.
type timeReader struct {
	format timeFormat
	// unit is the power of ten that a number is to be multiplied with to get
	// milliseconds.
	unit   int
	layout string
	zone   *time.Location
}

// newTimeReader compiles a format of TimestampSpec.
func newTimeReader(format string, zone *time.Location) (timeReader, error) {
	t := timeReader{layout: format, zone: zone}
	switch format {
	case "":
		t.format = autoTime
	case "rfc3339":
		t.format = rfc3339Time
	case "s":
		t.format, t.unit = epochTime, 3
	case "ms":
		t.format = epochTime
	case "us":
		t.format, t.unit = epochTime, -3
	case "ns":
		t.format, t.unit = epochTime, -6
	default:
		if !strings.Contains(format, "%") {
			return t, fmt.Errorf("%q is unknown: want rfc3339, s, ms, us, ns or a strftime layout such as %%Y-%%m-%%d %%H:%%M:%%S", format)
		}
		t.format = strftimeTime
		return t, t.checkLayout()
	}
	return t, nil
}

// checkLayout says whether a day that is written in the layout can be read again.
func (t *timeReader) checkLayout() error {
	day := time.Date(2024, 8, 15, 0, 0, 0, 0, t.zone)
	at, err := timefmt.ParseInLocation(timefmt.Format(day, t.layout), t.layout, t.zone)
	if err != nil {
		return fmt.Errorf("%q is not a strftime layout that can be read: %w", t.layout, err)
	}
	if !at.Equal(day) {
		return fmt.Errorf("%q does not tell the year, the month and the day", t.layout)
	}
	return nil
}

// String says for people what the reader wants.
func (t *timeReader) String() string {
	switch t.format {
	case rfc3339Time:
		return "RFC 3339 text such as 2024-08-15T17:00:00Z"
	case epochTime:
		return map[int]string{3: "seconds", 0: "milliseconds", -3: "microseconds", -6: "nanoseconds"}[t.unit] + " since 1970"
	case strftimeTime:
		return "text as " + strconv.Quote(t.layout)
	case autoTime:
	}
	return "RFC 3339 text, or a number of milliseconds"
}

// milliseconds reads a timestamp. It returns the reason where it cannot, else "".
func (t *timeReader) milliseconds(v *value, scratch *[]byte) (int64, Reason) {
	switch v.kind {
	case text:
		return t.text(v.text)
	case escaped:
		*scratch = appendUnescaped((*scratch)[:0], v.text)
		return t.text(string(*scratch))
	case instant:
		return v.time().UnixMilli(), ""
	case literal, integer, double, single:
		return t.number(v, scratch)
	case missing, null, boolean, object, array:
	}
	return 0, ReasonBadTimestamp
}

func (t *timeReader) text(s string) (int64, Reason) {
	switch t.format {
	case epochTime:
		return parseEpoch(s, t.unit)
	case strftimeTime:
		at, err := timefmt.ParseInLocation(s, t.layout, t.zone)
		if err != nil {
			return 0, ReasonBadTimestamp
		}
		return at.UnixMilli(), ""
	case autoTime, rfc3339Time:
	}
	ms, ok := parseRFC3339(s, t.zone)
	if !ok {
		return 0, ReasonBadTimestamp
	}
	return ms, ""
}

func (t *timeReader) number(v *value, scratch *[]byte) (int64, Reason) {
	switch {
	case t.format == rfc3339Time:
		return 0, ReasonBadTimestamp
	case v.kind == literal && t.format != strftimeTime:
		return parseEpoch(v.text, t.unit)
	case v.kind == integer && t.format != strftimeTime && t.unit == 0:
		return int64(v.bits), ""
	}
	*scratch, _ = v.appendText((*scratch)[:0])
	if t.format == strftimeTime {
		return t.text(string(*scratch))
	}
	return parseEpoch(string(*scratch), t.unit)
}

// parseEpoch multiplies a decimal number with a power of ten, exactly, and rounds
// it down.
func parseEpoch(s string, unit int) (int64, Reason) {
	if n, ok := parseDigits(s); ok && unit == 0 {
		return n, ""
	}
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	digits, exponent, ok := cutExponent(s)
	whole, fraction, _ := strings.Cut(digits, ".")
	if !ok || whole == "" && fraction == "" || !allDigits(whole, fraction) {
		return 0, ReasonBadTimestamp
	}
	n, rest, ok := scaled(whole, fraction, len(whole)+exponent+unit)
	if !ok {
		return 0, ReasonTimestampRange
	}
	if negative {
		n = -n
		if rest {
			n--
		}
	}
	return n, ""
}

// cutExponent splits a decimal number; without an exponent it is 0.
func cutExponent(s string) (digits string, exponent int, ok bool) {
	e := strings.IndexAny(s, "eE")
	if e < 0 {
		return s, 0, true
	}
	// Beyond the limit a number is zero, or too large, whatever its digits are: they
	// are fewer than that.
	const limit = 1 << 40
	exponent, err := strconv.Atoi(s[e+1:])
	return s[:e], min(max(exponent, -limit), limit), err == nil || errors.Is(err, strconv.ErrRange)
}

// scaled reads the first count digits of whole and fraction, as if zeros
// followed them, as an integer. It tells whether anything but zeros is left, and
// whether the integer fits.
func scaled(whole, fraction string, count int) (n int64, rest, ok bool) {
	total := len(whole) + len(fraction)
	for i := range total {
		var c byte
		if i < len(whole) {
			c = whole[i] - '0'
		} else {
			c = fraction[i-len(whole)] - '0'
		}
		if i >= count {
			rest = rest || c != 0
			continue
		}
		if n >= math.MaxInt64/10 {
			return 0, false, false
		}
		n = 10*n + int64(c)
	}
	for i := total; i < count && n > 0; i++ {
		if n >= math.MaxInt64/10 {
			return 0, false, false
		}
		n *= 10
	}
	return n, rest, true
}

// parseDigits is the short way for what nearly all timestamps are.
func parseDigits(s string) (n int64, ok bool) {
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = 10*n + int64(c)
	}
	return n, true
}

func allDigits(parts ...string) bool {
	for _, s := range parts {
		for i := range len(s) {
			if s[i]-'0' > 9 {
				return false
			}
		}
	}
	return true
}

// formatMillis writes a timestamp for people.
func formatMillis(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
