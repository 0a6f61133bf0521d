package harness

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func ledger(entries ...func(*Ledger)) *Ledger {
	var l Ledger
	for _, enter := range entries {
		enter(&l)
	}
	return &l
}

func entry(name string, timestamp int64, value float64) func(*Ledger) {
	return func(l *Ledger) { l.Add(map[string]string{"__name__": name}, timestamp, value) }
}

func TestCompareFindsEveryKindOfDifference(t *testing.T) {
	f := func(name string, produced, stored *Ledger, want Difference) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			got := Compare(produced, stored)
			require.Len(t, got.Examples, want.Missing+want.Wrong+want.Phantom)
			got.Examples = nil
			require.Equal(t, want, got)
		})
	}
	a := entry("a", 1, 2)
	f("equal", ledger(a), ledger(a), Difference{})
	f("both empty", ledger(), ledger(), Difference{})
	f("missing sample", ledger(a, entry("a", 2, 2)), ledger(a), Difference{Missing: 1})
	f("missing series", ledger(a, entry("b", 1, 2)), ledger(a), Difference{Missing: 1})
	f("wrong value", ledger(a), ledger(entry("a", 1, 3)), Difference{Wrong: 1})
	f("wrong by one bit", ledger(a), ledger(entry("a", 1, math.Nextafter(2, 3))), Difference{Wrong: 1})
	f("wrong sign of zero", ledger(entry("a", 1, 0)), ledger(entry("a", 1, math.Copysign(0, -1))), Difference{Wrong: 1})
	f("equal NaN", ledger(entry("a", 1, math.NaN())), ledger(entry("a", 1, math.Float64frombits(0x7ff8000000000002))), Difference{})
	f("phantom sample", ledger(a), ledger(a, entry("a", 2, 2)), Difference{Phantom: 1})
	f("phantom series", ledger(a), ledger(a, entry("b", 1, 2)), Difference{Phantom: 1})
	f("moved in time", ledger(a), ledger(entry("a", 2, 2)), Difference{Missing: 1, Phantom: 1})
}

func TestLargeDifferencesAreCountedWholeAndPrintedInPart(t *testing.T) {
	var produced Ledger
	for timestamp := range int64(100) {
		produced.Add(map[string]string{"__name__": "a"}, timestamp, 1)
	}
	got := Compare(&produced, ledger())
	require.Equal(t, 100, got.Missing)
	require.Len(t, got.Examples, examplesPerKind)
	require.Contains(t, got.String(), "100 missing, 0 wrong, 0 phantom\nmissing: __name__=\"a\" @0: 1")
	require.Empty(t, Difference{}.String())
}

func TestLedgerKnowsItsSizeAndBounds(t *testing.T) {
	l := ledger(entry("a", 5, 1), entry("b", -3, 1), entry("a", 9, 1), entry("a", 9, 2))
	first, last := l.Bounds()
	require.Equal(t, []int64{-3, 9, 3}, []int64{first, last, int64(l.Len())})
	first, last = ledger().Bounds()
	require.Equal(t, []int64{0, 0}, []int64{first, last})
}

func TestNamesOfSeriesDoNotDependOnTheOrderOfLabels(t *testing.T) {
	require.Equal(t, `__name__="up" a="1 \"x\"" b="2" `, Name(map[string]string{"b": "2", "__name__": "up", "a": `1 "x"`}))
}
