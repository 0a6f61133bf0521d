package transform

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// admits looks a series up in a batch, and says whether it may be used.
func (c *seriesCache) admits(series string, batch uint64) bool {
	return c.use(series, series, batch) != nil
}

// newCountingCache holds so many forms, and admits so many series.
func newCountingCache(forms, series int) *seriesCache {
	return newSeriesCache(Limits{SeriesCache: forms, Series: series}, newMetrics())
}

func TestKnownSeriesGoOnWhereNewOnesAreRefused(t *testing.T) {
	for _, forms := range []int{1, 3, 100} { // Also where the cache evicts all but one.
		c := newCountingCache(forms, 3)
		for batch := range uint64(20) {
			c.begin(batch+1, time.UnixMilli(recordTime))
			for _, known := range []string{"a", "b", "c"} {
				require.True(t, c.admits(known, batch+1))
				c.landed(batch)
			}
			require.False(t, c.admits(fmt.Sprint("new ", batch), batch+1))
			require.EqualValues(t, 3, c.known.Load())
		}
		c.requireConsistent(t)
	}
}

func TestSeriesThatAreNoLongerUsedGiveUpTheirPlaces(t *testing.T) {
	start := time.UnixMilli(recordTime)
	for _, forms := range []int{1, 100} {
		c := newCountingCache(forms, 3)
		batch := uint64(0)
		at := func(after time.Duration) {
			c.landed(batch)
			batch++
			c.begin(batch, start.Add(after))
		}
		at(0)
		require.True(t, c.admits("gone", batch))
		at(time.Minute)
		require.True(t, c.admits("stays", batch))
		require.True(t, c.admits("late", batch))
		at(59 * time.Minute)
		require.True(t, c.admits("late", batch))
		at(60 * time.Minute)
		require.True(t, c.admits("stays", batch))
		at(119 * time.Minute)
		require.False(t, c.admits("new", batch), "the first was used in the hour before")
		at(120 * time.Minute)
		require.True(t, c.admits("stays", batch))
		require.True(t, c.admits("new", batch))
		require.True(t, c.admits("new too", batch))
		require.False(t, c.admits("gone", batch), "its place is taken")
		require.EqualValues(t, 3, c.known.Load())
		at(10 * time.Hour)
		for _, s := range []string{"x", "y", "z"} {
			require.True(t, c.admits(s, batch), "nothing was used for hours")
		}
		require.False(t, c.admits("stays", batch))
		c.requireConsistent(t)
	}
}

// Whoever looks at how many are known is not told of those that are gone.
func TestWhatIsForgottenIsNotCountedAlthoughNobodyWantsItsPlace(t *testing.T) {
	for _, forms := range []int{1, 100} {
		c := newCountingCache(forms, 3)
		c.begin(1, time.UnixMilli(recordTime))
		for _, s := range []string{"a", "b"} {
			require.True(t, c.admits(s, 1))
		}
		c.landed(1)
		c.begin(2, time.UnixMilli(recordTime).Add(time.Hour))
		require.EqualValues(t, 2, c.known.Load())
		c.landed(2)
		c.begin(3, time.UnixMilli(recordTime).Add(2*time.Hour))
		require.Zero(t, c.known.Load())
		require.Zero(t, c.series.Load())
		c.requireConsistent(t)
	}
}

func TestSeriesInFlightKeepTheirPlaces(t *testing.T) {
	c := newCountingCache(10, 1)
	c.begin(1, time.UnixMilli(recordTime))
	series := c.use("a", "a", 1)
	c.begin(2, time.UnixMilli(recordTime).Add(5*time.Hour))
	require.False(t, c.admits("b", 2), "the receiver is down, and has not taken the first")
	require.Same(t, series, c.use("a", "a", 2))
}

func TestRelabelledAwaySeriesDoNotCount(t *testing.T) {
	c := newCountingCache(10, 1)
	require.True(t, c.admits("a", 1))
	require.NotNil(t, c.use("dropped", "", 1))
	require.EqualValues(t, 1, c.known.Load())
}

func TestAClockThatGoesBackForgetsNothing(t *testing.T) {
	c := newCountingCache(1, 2)
	now := time.UnixMilli(recordTime)
	for batch := uint64(1); batch < 10; batch++ {
		c.begin(batch, now)
		now = now.Add(-3 * time.Hour)
		c.landed(batch - 1)
		require.True(t, c.admits(strconv.Itoa(int(batch%2)), batch))
		if batch > 1 {
			require.False(t, c.admits("new", batch))
		}
	}
}

// TestTheCensusAgreesWithAListOfUses holds the limit against a model that remembers
// when each series was used last.
func TestTheCensusAgreesWithAListOfUses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		c := newCountingCache(rapid.IntRange(1, 8).Draw(t, "forms"), limit)
		now, batch := time.UnixMilli(recordTime), uint64(1)
		c.begin(batch, now)
		hour, turned := 0, now
		used := map[string]int{} // The hour of the last use.
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.IntRange(0, 9).Draw(t, "action") == 0 {
				now = now.Add(time.Duration(rapid.IntRange(0, 70).Draw(t, "minutes")) * time.Minute)
				c.landed(batch)
				batch++
				c.begin(batch, now)
				if hours := int(now.Sub(turned) / time.Hour); hours > 0 {
					hour, turned = hour+hours, now
				}
				continue
			}
			s := strconv.Itoa(rapid.IntRange(1, 8).Draw(t, "series"))
			lately := 0
			for _, h := range used {
				if h >= hour-1 {
					lately++
				}
			}
			last, known := used[s]
			known = known && last >= hour-1
			admitted := c.admits(s, batch)
			require.Equal(t, known || lately < limit, admitted)
			if admitted {
				used[s] = hour
			}
			require.LessOrEqual(t, c.known.Load(), int64(limit))
			require.Equal(t, c.series.Load()+int64(c.census.size()), c.known.Load())
		}
		c.requireConsistent(t)
	})
}

func TestTheMapperGivesTheCensusItsTime(t *testing.T) {
	now := time.UnixMilli(recordTime)
	m, err := NewMapper(parseConfig(t, `{samples: [{name: m, value: v, labels: {l: l}}], limits: {series: 1}}`),
		Options{Now: func() time.Time { return now }})
	require.NoError(t, err)
	f := func(batch uint64, label, want string) {
		t.Helper()
		var out Output
		v, err := m.Apply(testRecord(`{"v":1,"l":"`+label+`"}`), batch, &out)
		require.NoError(t, err)
		require.Equal(t, want, outcome(v, &out))
		m.Landed(batch)
	}
	const refused = "series_limit: samples[0] (m): found a new series while 1 are known, want at most 1 (limits.series)\n"
	f(1, "a", "m{l=\"a\"} 1\n")
	f(1, "b", refused)
	now = now.Add(time.Hour)
	f(2, "b", refused)
	now = now.Add(time.Hour)
	f(2, "b", refused)
	f(3, "b", "m{l=\"b\"} 1\n")
	f(3, "a", refused)
}
