package writer

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/kafka2prom/kafka2prom/transform"
)

// arranged fills a request with one batch.
func arranged(r *request, samples ...transform.Sample) *request {
	b := &Batch{Samples: samples}
	r.reset()
	for i := range samples {
		r.add(&samples[i], b)
	}
	r.arrange()
	return r
}

// listed writes what a request would carry, as name@time=value.
func listed(items []item) (list []string) {
	for _, it := range items {
		if it.batch != nil {
			list = append(list, fmt.Sprintf("%s=%g", entryOf(it.Series, it.Timestamp), it.Value))
		}
	}
	return list
}

func TestARequestIsArrangedBySeriesAndTime(t *testing.T) {
	c := catalogue{}
	a, b := c.named("a"), c.named("b")
	var r request
	f := func(want []string, samples ...transform.Sample) {
		t.Helper()
		require.Equal(t, want, listed(arranged(&r, samples...).items))
		require.Zero(t, a.Shard.Group)
		require.Zero(t, b.Shard.Group)
	}
	f([]string{"a@1=1", "b@1=2"}, sample(a, 1, 1), sample(b, 1, 2))
	f([]string{"a@1=1", "a@2=3", "b@1=2"}, sample(a, 1, 1), sample(b, 1, 2), sample(a, 2, 3))
	f([]string{"b@1=1", "b@2=1", "b@3=1", "a@5=1"}, sample(b, 3, 1), sample(a, 5, 1), sample(b, 1, 1), sample(b, 2, 1))
	f([]string{"a@-9223372036854775808=1", "a@0=1"}, sample(a, 0, 1), sample(a, math.MinInt64, 1))
	f(nil)
}

func TestRepetitionsAreMergedAndOtherValuesAreDoubles(t *testing.T) {
	a := catalogue{}.named("a")
	var r request
	f := func(kept, merged, doubles []string, samples ...transform.Sample) {
		t.Helper()
		arranged(&r, samples...)
		require.Equal(t, kept, listed(r.items))
		require.Equal(t, merged, listed(r.merged))
		require.Equal(t, doubles, listed(r.doubles))
	}
	f([]string{"a@1=1"}, []string{"a@1=1", "a@1=1"}, nil, sample(a, 1, 1), sample(a, 1, 1), sample(a, 1, 1))
	f([]string{"a@1=1"}, nil, []string{"a@1=2"}, sample(a, 1, 1), sample(a, 1, 2))
	f([]string{"a@1=1"}, []string{"a@1=1"}, []string{"a@1=2"}, sample(a, 1, 1), sample(a, 1, 2), sample(a, 1, 1))
	f([]string{"a@1=3", "a@2=1"}, nil, []string{"a@2=2"}, sample(a, 2, 1), sample(a, 1, 3), sample(a, 2, 2))
	f([]string{"a@1=0"}, nil, []string{"a@1=-0"}, sample(a, 1, 0), sample(a, 1, math.Copysign(0, -1)))
	f([]string{"a@1=NaN"}, []string{"a@1=NaN"}, nil, sample(a, 1, math.NaN()), sample(a, 1, math.NaN()))
}

func TestARequestHoldsWhatAMapWouldHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := catalogue{}
		var r request
		for range rapid.IntRange(1, 3).Draw(t, "requests") {
			type key struct {
				series *transform.Series
				at     int64
			}
			model := map[key]float64{}
			var samples []transform.Sample
			lost := 0
			for range rapid.IntRange(0, 60).Draw(t, "samples") {
				s := c.named(rapid.StringMatching(`[a-e]`).Draw(t, "series"))
				at, value := rapid.Int64Range(0, 9).Draw(t, "time"), float64(rapid.IntRange(0, 2).Draw(t, "value"))
				samples = append(samples, sample(s, at, value))
				if _, ok := model[key{s, at}]; ok {
					lost++
				} else {
					model[key{s, at}] = value
				}
			}
			arranged(&r, samples...)
			require.Len(t, r.items, len(samples))
			require.Equal(t, lost, len(r.merged)+len(r.doubles))
			seen := map[*transform.Series]bool{}
			var last item
			for _, it := range r.items {
				if it.batch == nil {
					continue
				}
				if it.Series == last.Series {
					require.Greater(t, it.Timestamp, last.Timestamp)
				} else {
					require.False(t, seen[it.Series], "a series stands in two places")
					seen[it.Series] = true
				}
				require.Equal(t, math.Float64bits(model[key{it.Series, it.Timestamp}]), math.Float64bits(it.Value))
				delete(model, key{it.Series, it.Timestamp})
				last = it
			}
			require.Empty(t, model)
		}
	})
}

func TestARequestIsNeverLargerThanItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := anyItems(t)
		var r request
		for i := range items {
			r.add(&items[i].Sample, &Batch{})
		}
		r.arrange()
		raw, _ := appendRequest1(nil, r.items)
		require.LessOrEqual(t, len(raw), r.size)
	})
}

func TestARequestLetsGoOfWhatItHeld(t *testing.T) {
	c := catalogue{}
	var r request
	arranged(&r, sample(c.named("a"), 2, 1), sample(c.named("a"), 1, 1), sample(c.named("a"), 1, 2), sample(c.named("a"), 1, 1))
	r.reset()
	for _, items := range [][]item{r.items, r.scratch, r.merged, r.doubles} {
		for _, it := range items[:cap(items)] {
			require.Zero(t, it)
		}
	}
	for _, g := range r.groups[:cap(r.groups)] {
		require.Zero(t, g)
	}
}
