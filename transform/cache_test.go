package transform

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// newTestCache has room for so many forms, and for any number of series.
func newTestCache(forms int) *seriesCache {
	return newSeriesCache(Limits{SeriesCache: forms, Series: 1 << 30}, newMetrics())
}

// use looks a raw form up in a batch, and adds it where it is not known.
func (c *seriesCache) use(raw, label string, batch uint64) *Series {
	if s := c.find([]byte(raw), batch); s != nil {
		return s
	}
	var labels []byte
	if label != "" {
		labels = encoded(Label{"__name__", "m"}, Label{"l", label})
	}
	return c.add([]byte(raw), labels, batch)
}

// requireConsistent checks what ties the tables together.
func (c *seriesCache) requireConsistent(t require.TestingT) {
	require.Len(t, c.byRaw, len(c.forms))
	forms := make(map[*Series]int32)
	for i, form := range c.forms {
		require.Equal(t, int32(i), c.byRaw[form.raw])
		forms[form.series]++
	}
	labelled := 0
	for s, n := range forms {
		require.Equal(t, n, s.forms)
		if s.Encoded != "" {
			labelled++
			require.Same(t, s, c.byLabel[s.Encoded])
		}
	}
	require.Len(t, c.byLabel, labelled)
	require.Equal(t, int64(labelled), c.series.Load())
}

func TestCacheSharesTheSeriesOfEqualLabels(t *testing.T) {
	c := newTestCache(10)
	a := c.use("raw 1", "x", 1)
	require.Same(t, a, c.use("raw 1", "x", 2))
	require.Same(t, a, c.use("raw 2", "x", 3))
	require.NotSame(t, a, c.use("raw 3", "y", 3))
	require.Equal(t, int64(2), c.series.Load())
	c.requireConsistent(t)
}

func TestCacheKeepsDroppedFormsApartFromSeries(t *testing.T) {
	c := newTestCache(10)
	a, b := c.use("raw 1", "", 1), c.use("raw 2", "", 1)
	require.Empty(t, a.Encoded)
	require.Same(t, a, c.use("raw 1", "", 1))
	require.NotSame(t, a, b, "they are evicted one by one")
	require.Zero(t, c.series.Load())
	c.requireConsistent(t)
}

func TestCacheStaysWithinItsBoundOnceBatchesLand(t *testing.T) {
	const limit = 100
	c := newTestCache(limit)
	for i := range uint64(50 * limit) {
		batch := i/10 + 1
		c.use(strconv.FormatUint(i, 10), strconv.FormatUint(i, 10), batch)
		if i%10 == 9 && batch > 2 {
			c.landed(batch - 2)
		}
		if i >= limit { // What has landed is enough to make room, and no more goes.
			require.Len(t, c.forms, limit)
		}
	}
	c.requireConsistent(t)
}

func TestCacheGrowsWhileNothingLandsAndShrinksAfterwards(t *testing.T) {
	const limit = 10
	c := newTestCache(limit)
	first := c.use("0", "0", 1)
	for i := range 100 {
		c.use(strconv.Itoa(i), strconv.Itoa(i), 1)
	}
	require.Len(t, c.forms, 100)
	require.Same(t, first, c.use("0", "0", 1))
	c.landed(1)
	for i := range 100 {
		c.use(fmt.Sprint("new ", i), fmt.Sprint("new ", i), 2)
		c.landed(2)
	}
	require.LessOrEqual(t, len(c.forms), limit)
	c.requireConsistent(t)
}

func TestCacheKeepsWhatIsUsedAgain(t *testing.T) {
	const limit = 100
	c := newTestCache(limit)
	hot := c.use("hot", "hot", 1)
	for i := range uint64(20 * limit) {
		batch := i/20 + 1
		c.landed(batch - 1)
		c.use(strconv.FormatUint(i, 10), strconv.FormatUint(i, 10), batch)
		require.Same(t, hot, c.use("hot", "hot", batch))
	}
	c.requireConsistent(t)
}

func TestCacheBoundsTheRawFormsOfOneSeries(t *testing.T) {
	const limit = 20
	c := newTestCache(limit)
	s := c.use("0", "x", 1)
	for i := range uint64(1000) {
		require.Same(t, s, c.use(strconv.FormatUint(i, 10), "x", i+1))
		c.landed(i)
	}
	require.LessOrEqual(t, len(c.forms), limit+handSteps)
	require.Equal(t, int64(1), c.series.Load())
	c.requireConsistent(t)
}

// TestCacheNeverHasTwoSeriesForOneLabelSetInFlight holds the promise of
// Sample.Series against random traffic.
func TestCacheNeverHasTwoSeriesForOneLabelSetInFlight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newTestCache(rapid.IntRange(1, 8).Draw(t, "limit"))
		type use struct {
			label  string
			series *Series
			batch  uint64
		}
		var inFlight []use
		batch, landed := uint64(1), uint64(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "action") {
			case 0:
				batch++
			case 1:
				landed = rapid.Uint64Range(landed, batch-1).Draw(t, "landed")
				c.landed(landed)
				for len(inFlight) > 0 && inFlight[0].batch <= landed {
					inFlight = inFlight[1:]
				}
			default:
				label := strconv.Itoa(rapid.IntRange(1, 12).Draw(t, "label"))
				raw := label + rapid.SampledFrom([]string{"", " ", "  "}).Draw(t, "spelling")
				s := c.use(raw, label, batch)
				for _, u := range inFlight {
					require.Equal(t, u.label == label, u.series == s)
				}
				inFlight = append(inFlight, use{label, s, batch})
			}
		}
		c.requireConsistent(t)
	})
}

func TestSeriesTakeLittleMemory(t *testing.T) {
	const series, goal = 100000, 600
	m, err := NewMapper(mapLabelsConfig(), Options{})
	require.NoError(t, err)
	records := benchmarkRecords(mapLabelsRecord, 1)
	var out Output
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	for i := range series {
		records[0].Value = fmt.Appendf(records[0].Value[:0], mapLabelsRecord, i)
		_, err := m.Apply(records[0], 1, &out)
		require.NoError(t, err)
		out.Reset()
	}
	require.Equal(t, series, m.Series())
	per := (heap() - before) / series
	t.Logf("%d bytes a series", per)
	require.Less(t, per, uint64(goal))
	runtime.KeepAlive(m)
}
