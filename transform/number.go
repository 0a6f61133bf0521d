package transform

import (
	"errors"
	"math"
	"strconv"
)

// canonicalNaN are the bits of every NaN that leaves the mapper: not those of the
// stale marker, which would end the series.
const canonicalNaN = 0x7ff8000000000001

// number reads a sample's value: a number, a numeric string or a boolean. It
// returns the reason where it cannot, else "".
func (m *Mapper) number(v *value) (float64, Reason) {
	switch v.kind {
	case literal:
		return parseFloat(v.text)
	case text:
		return parseNumericText(v.text)
	case escaped:
		m.scratch = appendUnescaped(m.scratch[:0], v.text)
		return parseNumericText(string(m.scratch))
	case integer:
		return float64(int64(v.bits)), ""
	case double, single:
		return canonical(v.float()), ""
	case boolean:
		return float64(v.bits), ""
	case instant: // In seconds, Prometheus' base unit.
		return float64(int64(v.bits)) + float64(v.nanos)/1e9, ""
	case missing, null, object, array:
	}
	return 0, ReasonWrongType
}

func canonical(f float64) float64 {
	if math.IsNaN(f) {
		return math.Float64frombits(canonicalNaN)
	}
	return f
}

// parseNumericText reads a decimal number in Go's syntax, without underscores and
// without the hexadecimal form, or one of the words for what decimals cannot
// say.
func parseNumericText(s string) (float64, Reason) {
	switch s {
	case "NaN":
		return math.Float64frombits(canonicalNaN), ""
	case "Inf", "+Inf":
		return math.Inf(1), ""
	case "-Inf":
		return math.Inf(-1), ""
	}
	for i := range len(s) {
		if c := s[i]; c-'0' > 9 && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, ReasonNotANumber
		}
	}
	return parseFloat(s)
}

func parseFloat(s string) (float64, Reason) {
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err == nil:
		return f, ""
	case errors.Is(err, strconv.ErrRange):
		return 0, ReasonOutOfRange
	}
	return 0, ReasonNotANumber
}
