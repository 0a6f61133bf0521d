// Package harness runs the kafka2prom binary against real servers, keeps the
// ledger of what was produced, and reads back what was stored.
package harness

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Ledger holds samples by series and timestamp: those that were produced, or
// those that a receiver has stored. Its zero value is empty. It is not safe for
// concurrent use.
type Ledger struct {
	series map[string]map[int64]float64
}

// Name writes a series the way that the ledger knows it: the metric name and the
// labels sorted by name. It is no text format of Prometheus, only unambiguous.
func Name(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&b, "%s=%q ", name, labels[name])
	}
	return b.String()
}

// Add enters one sample; the timestamp is in milliseconds since the epoch. A
// later value for the same time takes the place of the earlier.
func (l *Ledger) Add(labels map[string]string, timestamp int64, value float64) {
	l.AddNamed(Name(labels), timestamp, value)
}

// AddNamed is Add for callers that enter many samples of a series.
func (l *Ledger) AddNamed(series string, timestamp int64, value float64) {
	if l.series == nil {
		l.series = make(map[string]map[int64]float64)
	}
	points := l.series[series]
	if points == nil {
		points = make(map[int64]float64)
		l.series[series] = points
	}
	points[timestamp] = value
}

// Len is the number of samples.
func (l *Ledger) Len() int {
	n := 0
	for _, points := range l.series {
		n += len(points)
	}
	return n
}

// Bounds returns the first and the last timestamp of all samples; both are 0 where
// there are none.
func (l *Ledger) Bounds() (first, last int64) {
	first, last = math.MaxInt64, math.MinInt64
	for _, points := range l.series {
		for timestamp := range points {
			first, last = min(first, timestamp), max(last, timestamp)
		}
	}
	if first > last {
		return 0, 0
	}
	return first, last
}

// Difference counts what a receiver's ledger has otherwise than the producer's.
type Difference struct {
	Missing int // Produced, but not stored.
	Wrong   int // Stored with another value.
	Phantom int // Stored, but never produced.
	// Examples are the first few of each kind.
	Examples []string
}

// examplesPerKind bounds what is printed of a large difference.
const examplesPerKind = 5

// Compare holds what was stored against what was produced, sample by sample and bit
// by bit; all NaNs are equal.
func Compare(produced, stored *Ledger) Difference {
	var d Difference
	for _, series := range slices.Sorted(maps.Keys(produced.series)) {
		points := produced.series[series]
		for _, timestamp := range slices.Sorted(maps.Keys(points)) {
			want := points[timestamp]
			got, ok := stored.series[series][timestamp]
			switch {
			case !ok:
				d.note(&d.Missing, "missing: %s@%d: %s", series, timestamp, text(want))
			case !same(got, want):
				d.note(&d.Wrong, "wrong: %s@%d: %s instead of %s", series, timestamp, text(got), text(want))
			}
		}
	}
	for _, series := range slices.Sorted(maps.Keys(stored.series)) {
		for timestamp, value := range stored.series[series] {
			if _, ok := produced.series[series][timestamp]; !ok {
				d.note(&d.Phantom, "phantom: %s@%d: %s", series, timestamp, text(value))
			}
		}
	}
	return d
}

func (d *Difference) note(count *int, format string, args ...any) {
	*count++
	if *count <= examplesPerKind {
		d.Examples = append(d.Examples, fmt.Sprintf(format, args...))
	}
}

// same tells values apart exactly: -0 from 0, and each double from its neighbours.
func same(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b)
}

// text writes a value as exactly as same tells it apart.
func text(value float64) string { return strconv.FormatFloat(value, 'g', -1, 64) }

// String says what differs; it is empty where nothing does.
func (d Difference) String() string {
	if d.Missing+d.Wrong+d.Phantom == 0 {
		return ""
	}
	return fmt.Sprintf("%d missing, %d wrong, %d phantom\n%s", d.Missing, d.Wrong, d.Phantom, strings.Join(d.Examples, "\n"))
}
