package transform

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/twmb/avro"
)

const (
	uuidBytes     = 16
	durationBytes = 12
)

// maxUnscaledBytes bounds a decimal, so that no value takes long to convert.
const maxUnscaledBytes = 32 << 10

// scalar reads a value of a type without others in it.
func (w *avroWalker) scalar(t *avroType, i int, into *value) int {
	start := i
	switch t.wire {
	case wireInt:
		n, i := w.int(i)
		if i == failed {
			return failed
		}
		return w.intValue(t, n, i, into)
	case wireLong:
		n, i := w.long(i)
		if i == failed {
			return failed
		}
		return w.longValue(t, n, i, into)
	case wireSized:
		var s string
		if s, i = w.string(i); i == failed {
			return failed
		}
		start = i - len(s)
	default:
		if i = w.over(i, t.size); i == failed {
			return failed
		}
	}
	return w.content(t, start, i, into)
}

// content takes the bytes of a value, and returns their end.
func (w *avroWalker) content(t *avroType, start, i int, into *value) int {
	switch t.kind {
	case avroText, avroFixed:
		into.kind, into.text = text, w.text[start:i]
	case avroNull, avroBoolean, avroFloat, avroDouble:
		plainValue(t, w.data[start:i], into)
	default:
		if !w.logicalValue(t, w.data[start:i], into) {
			return failed
		}
	}
	return i
}

// plainValue takes the bytes of a type that has as many in every value.
func plainValue(t *avroType, b []byte, into *value) {
	switch t.kind {
	case avroDouble:
		into.kind, into.bits = double, binary.LittleEndian.Uint64(b)
	case avroFloat:
		into.kind, into.bits = single, math.Float64bits(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	case avroBoolean:
		into.kind, into.bits = boolean, 0
		if b[0] == 1 { // Any other byte is false, as in Avro for Java.
			into.bits = 1
		}
	default:
		into.kind = null
	}
}

func (w *avroWalker) intValue(t *avroType, n int64, i int, into *value) int {
	switch t.kind {
	case avroEnum:
		if n < 0 || n >= int64(len(t.symbols)) {
			return w.failf("byte %d: the enum has no symbol %d", i, n)
		}
		into.kind, into.text = text, t.symbols[n]
	case avroDate:
		*into = instantValue(time.Unix(n*24*60*60, 0))
	case avroTimeMillis:
		*into = secondsValue(time.Duration(n) * time.Millisecond)
	default:
		into.kind, into.bits = integer, uint64(n)
	}
	return i
}

func (w *avroWalker) longValue(t *avroType, n int64, i int, into *value) int {
	switch t.kind {
	case avroTimestampMillis:
		*into = instantValue(time.UnixMilli(n))
	case avroTimestampMicros:
		*into = instantValue(time.UnixMicro(n))
	case avroTimestampNanos:
		*into = instantValue(time.Unix(0, n))
	case avroLocalMillis:
		w.localTime(time.UnixMilli(n), into)
	case avroLocalMicros:
		w.localTime(time.UnixMicro(n), into)
	case avroLocalNanos:
		w.localTime(time.Unix(0, n), into)
	case avroTimeMicros:
		if most := int64(math.MaxInt64 / time.Microsecond); n > most || n < -most {
			return w.failf("byte %d: %d microseconds are no time", i, n)
		}
		*into = secondsValue(time.Duration(n) * time.Microsecond)
	default:
		into.kind, into.bits = integer, uint64(n)
	}
	return i
}

// secondsValue is a duration in Prometheus' base unit.
func secondsValue(d time.Duration) value {
	return value{kind: double, bits: math.Float64bits(d.Seconds())}
}

// localTime writes a local timestamp as text that names no zone, so that the zone of
// the rule applies to it and not UTC.
func (w *avroWalker) localTime(at time.Time, into *value) {
	if into == &w.none {
		return
	}
	start := len(w.made)
	w.made = at.UTC().AppendFormat(w.made, "2006-01-02T15:04:05.999999999")
	into.kind, into.text = text, textOf(w.made[start:])
}

// logicalValue takes the bytes of a logical type of bytes or fixed. They are checked
// where nothing wants the value, too, but not converted.
func (w *avroWalker) logicalValue(t *avroType, b []byte, into *value) bool {
	wanted := into != &w.none
	switch {
	case t.kind == avroBigDecimal:
		f, err := bigDecimal(b)
		if err != nil {
			w.failf("%v", err)
			return false
		}
		into.kind, into.bits = double, math.Float64bits(f)
	case t.kind != avroUUID && t.kind != avroDuration && len(b) > maxUnscaledBytes:
		w.failf("a decimal of %d bytes is too long", len(b))
		return false
	case !wanted:
	case t.kind == avroUUID:
		w.uuid(b, into)
	case t.kind == avroDuration: // Months and days have no fixed length, so a duration is no number.
		into.kind, into.text = text, avro.DurationFromBytes(b).String()
	default:
		into.kind, into.bits = double, math.Float64bits(decimal(b, t.scale))
	}
	return true
}

func (w *avroWalker) uuid(b []byte, into *value) {
	start := len(w.made)
	for n, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if n > 0 {
			w.made = append(w.made, '-')
		}
		w.made = hex.AppendEncode(w.made, part)
	}
	into.kind, into.text = text, textOf(w.made[start:])
}

// maxExactDigits is the greatest power of ten that a double has without rounding.
const maxExactDigits = 22

// decimal is the double that is nearest to a number in two's complement, big endian,
// divided by a power of ten.
func decimal(unscaled []byte, scale int) float64 {
	if len(unscaled) <= 8 && scale >= 0 && scale <= maxExactDigits {
		n := int64(0)
		if len(unscaled) > 0 {
			n = int64(int8(unscaled[0]))
			for _, b := range unscaled[1:] {
				n = n<<8 | int64(b)
			}
		}
		if f := float64(n); math.Abs(f) <= 1<<53 { // Both are exact, so one division rounds once.
			return f / math.Pow10(scale)
		}
	}
	return asNumber(avro.RatFromBytes(unscaled, scale))
}

// bigDecimal decodes a decimal that brings its own scale: the unscaled value as
// Avro bytes and the scale as an Avro int. A scale of any size would cost a thousand
// bytes of memory for each byte of a record.
func bigDecimal(b []byte) (float64, error) {
	size, n := binary.Varint(b)
	if n <= 0 || size < 0 || size > int64(len(b)-n) {
		return 0, errors.New("big-decimal: the length of its unscaled value is wrong")
	}
	unscaled, rest := b[n:n+int(size)], b[n+int(size):]
	scale, n := binary.Varint(rest)
	if n <= 0 || n != len(rest) {
		return 0, errors.New("big-decimal: no scale follows its unscaled value")
	}
	if scale < -maxDecimalDigits || scale > maxDecimalDigits || len(unscaled) > maxDecimalDigits {
		return 0, fmt.Errorf("big-decimal: more than %d digits", maxDecimalDigits)
	}
	return decimal(unscaled, int(scale)), nil
}

// asNumber is the double that is nearest.
func asNumber(r *big.Rat) float64 {
	f, _ := r.Float64()
	return f
}
