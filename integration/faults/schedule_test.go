package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawn is any seed, number and length of an epoch.
func drawn(t *rapid.T) (seed, number uint64, length time.Duration) {
	return rapid.Uint64().Draw(t, "seed"), rapid.Uint64Max(1<<40).Draw(t, "number"),
		time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second
}

func TestASeedGivesOneSchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, number, length := drawn(t)
		first, again := NewEpoch(seed, number, length), NewEpoch(seed, number, length)
		require.Equal(t, first, again)
	})
	require.NotEqual(t, NewEpoch(1, 0, time.Minute).Steps, NewEpoch(2, 0, time.Minute).Steps)
	require.NotEqual(t, NewEpoch(1, 0, time.Minute).Steps, NewEpoch(1, 1, time.Minute).Steps)
}

func TestEveryInjuryHealsAndALaneHasOneAtATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := NewEpoch(drawn(t))
		require.True(t, slices.IsSortedFunc(e.Steps, func(a, b Step) int { return int(a.At - b.At) }))
		require.Contains(t, groupLines(), e.Group)
		require.Contains(t, []string{"1.0", "2.0"}, e.Protocol)
		free := make([]time.Duration, len(lanes()))
		for _, step := range e.Steps {
			require.Greater(t, step.At, free[step.Lane], "%s", step)
			free[step.Lane] = step.Ends()
			require.GreaterOrEqual(t, step.For, time.Duration(0))
			require.LessOrEqual(t, step.For, 10*time.Second)
			require.LessOrEqual(t, step.Ends(), e.Length)
			require.Contains(t, []int{0, 1}, step.Member)
			require.True(t, step.Share >= 0.1 && step.Share <= 1, "%s", step)
			require.True(t, step.Count >= 1 && step.Count <= 20, "%s", step)
		}
	})
}

func TestAShorterEpochIsTheBeginOfALongerOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, number, length := drawn(t)
		long, short := NewEpoch(seed, number, length+time.Minute), NewEpoch(seed, number, length)
		require.Equal(t, []string{long.Protocol, long.Group}, []string{short.Protocol, short.Group})
		require.Subset(t, long.Steps, short.Steps)
		for _, step := range long.Steps {
			if step.Ends() <= length {
				require.Contains(t, short.Steps, step, "it would have fitted")
			}
		}
	})
}

func TestALongSoakMeetsEverything(t *testing.T) {
	met := map[string]bool{}
	for number := range uint64(30) {
		e := NewEpoch(42, number, 2*time.Minute)
		met[e.Protocol], met[e.Group] = true, true
		for _, step := range e.Steps {
			met[string(step.Injury)] = true
		}
	}
	for _, l := range lanes() {
		for _, c := range l.choices {
			require.True(t, met[string(c.injury)], "%s", c.injury)
		}
	}
	for group := range groupLines() {
		require.True(t, met[group], "%s", group)
	}
	require.True(t, met["1.0"] && met["2.0"])
}

func TestAScheduleIsPrintedWhole(t *testing.T) {
	e := Epoch{
		Seed: 7, Number: 3, Length: time.Minute, Protocol: "2.0", Group: "static",
		Steps: []Step{{At: 2500 * time.Millisecond, For: time.Second, Injury: InstanceKilled, Member: 1, Share: 0.5, Count: 4}},
	}
	require.Equal(t, "seed 7, epoch 3: 1m0s of faults, remote write 2.0, group static\n"+
		"    2.50 s to   3.50 s: kill -9 of an instance (member 1, share 0.50, count 4)", e.String())
}
