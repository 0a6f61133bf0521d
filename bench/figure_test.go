package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheMedianIsTheOneInTheMiddle(t *testing.T) {
	f := func(want float64, values ...float64) {
		t.Helper()
		require.InDelta(t, want, median(values), 0)
	}
	f(0)
	f(7, 7)
	f(3, 1, 5)
	f(2, 9, 1, 2)
	f(2.5, 4, 1, 3, 2)
	f(4, 4, 100, 1, 4, 90)

	given := []float64{3, 1, 2}
	median(given)
	require.Equal(t, []float64{3, 1, 2}, given, "it sorts a copy")
}

func TestAGoalIsReachedAtItsValue(t *testing.T) {
	f := func(g goal, value float64, want bool) {
		t.Helper()
		require.Equal(t, want, g.reached(value))
	}
	f(atLeast(60, "x"), 60, true)
	f(atLeast(60, "x"), 59.9, false)
	f(atMost(200, "x"), 200, true)
	f(atMost(200, "x"), 200.1, false)
}

func TestFiguresAreJudgedByTheGoalsOfTheirShape(t *testing.T) {
	s := shape{name: "Z", goals: []goal{atLeast(10, "speed"), atMost(5, "weight")}}
	var f findings
	f.add("speed", "", 11)
	f.add("colour", "", 3)
	f.add("weight", "kg", 6)
	f.costs = []cost{{}}
	require.NoError(t, f.judge(s))
	require.Equal(t, []string{"yes", "-", "no"}, []string{f.figures[0].verdict(), f.figures[1].verdict(), f.figures[2].verdict()})
	require.Equal(t, []string{"at least 10", "-", "at most 5 kg"}, []string{f.figures[0].goal(), f.figures[1].goal(), f.figures[2].goal()})
	require.Equal(t, "Z", f.figures[1].Shape)
	require.Equal(t, "Z", f.costs[0].Shape)

	empty := findings{}
	require.EqualError(t, empty.judge(s), `shape Z has a goal for "speed", which was not measured`)
}

func TestTheRatioIsOfTheMedians(t *testing.T) {
	run := func(records int64, cpu time.Duration) usage { return usage{Records: records, CPU: cpu} }
	c := cost{
		Ours:  []usage{run(60, time.Second), run(600, time.Second), run(1, time.Second)},
		Limit: []usage{run(100, time.Second), run(300, 2*time.Second), run(100, 2*time.Second)},
	}
	require.InDelta(t, 0.6, c.limitRatio(), 1e-9)
	require.Zero(t, cost{Ours: c.Ours}.limitRatio())
}

func TestAShareOfTheSamplesIsWithinAQuantile(t *testing.T) {
	var d delays
	now := time.UnixMilli(100_000)
	for ms := range int64(100) {
		d.add(now, []int64{now.UnixMilli() - ms - 1})
	}
	require.Equal(t, 50*time.Millisecond, d.quantile(0.5))
	require.Equal(t, 99*time.Millisecond, d.quantile(0.99))
	require.Zero(t, new(delays).quantile(0.99))

	d = delays{}
	d.add(now, []int64{now.UnixMilli() + 5, 0}) // A clock that went back, and a sample of long ago.
	require.Zero(t, d.quantile(0.5))
	require.Equal(t, longestDelay*time.Millisecond, d.quantile(1))
}
