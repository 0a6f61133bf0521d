package writer

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// point is a sample as the receiver sees it.
type point struct {
	series    string
	timestamp int64
}

// guilty answers 400 to every request that carries one of the points, and leaves
// the others to a receiver without an out-of-order window.
func guilty(points map[point]bool) receiver.Hook {
	return func(q *receiver.Request) receiver.Answer {
		for _, s := range q.Series {
			for _, p := range s.Points {
				if points[point{s.Labels.String(), p.Timestamp}] {
					return receiver.Answer{Status: http.StatusBadRequest, Body: "one is at fault"}
				}
			}
		}
		return receiver.Answer{}
	}
}

func pointOf(s transform.Sample) point { return point{seriesText(s.Series.Encoded), s.Timestamp} }

// unit is the binary logarithm of a number of samples, the unit of the bounds.
func unit(n int) int { return max(1, bits.Len(uint(n-1))) }

// grid makes samples of some series at each of some times, in order of time, and
// with a record for each time.
func grid(series int, times ...int64) (samples []transform.Sample) {
	c := catalogue{}
	for _, ts := range times {
		rec := record(ts)
		for i := range series {
			samples = append(samples, transform.Sample{
				Series: c.named(fmt.Sprintf("s%05d", i)), Record: rec, Timestamp: ts, Value: float64(ts),
			})
		}
	}
	return samples
}

// upTo lists the times from begin to end.
func upTo(begin, end int64) (ts []int64) {
	for t := begin; t <= end; t++ {
		ts = append(ts, t)
	}
	return ts
}

// stored counts the samples that a receiver has.
func stored(r *receiver.Receiver) (n int) {
	for _, points := range r.Samples() {
		n += len(points)
	}
	return n
}

// isolate sends the samples as one request of 1.0 to a receiver for which the
// points are at fault. It checks that no sample is unaccounted for and that nothing
// is done that must not be, and returns the number of requests.
func isolate(t tester, samples []transform.Sample, points map[point]bool) (*receiver.Receiver, *Batch, int) {
	r := clockwork(receiver.Modern, 0)
	r.SetHook(guilty(points))
	w := start(t, r.RoundTripper(), nil)
	b := deliver(w, samples...)
	require.Empty(t, r.Violations())
	require.Equal(t, int64(stored(r)), totals(w)["written"], "written and stored")
	refused := len(b.Refused()) // They are too many to be listed by a failure.
	require.Equal(t, len(samples)-stored(r), refused, "refused and not stored")
	require.Equal(t, totals(w)["refused"], int64(refused))
	return r, b, len(r.Requests())
}

// blamed are the points of the refusals that are exact.
func blamed(b *Batch) map[point]bool {
	points := map[point]bool{}
	for _, r := range b.Refused() {
		if r.Exact {
			points[point{seriesText(r.Series.Encoded), r.Timestamp}] = true
		}
	}
	return points
}

func TestIsolatingFindsExactlyTheGuiltyAndLandsTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := grid(rapid.IntRange(1, 40).Draw(t, "series"), upTo(1, rapid.Int64Range(1, 8).Draw(t, "times"))...)
		points := map[point]bool{}
		for _, at := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(samples)-1), 0, 3, rapid.ID).Draw(t, "guilty") {
			points[pointOf(samples[at])] = true
		}
		_, b, requests := isolate(t, samples, points)
		require.Equal(t, points, blamed(b))
		require.Len(t, b.Refused(), len(points))
		require.LessOrEqual(t, requests, 1+len(points)*(2*unit(len(samples))+6))
	})
}

func TestIsolatingTakesAsManyRequestsAsAreWorthIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := grid(rapid.IntRange(1, 60).Draw(t, "series"), upTo(1, rapid.Int64Range(1, 10).Draw(t, "times"))...)
		points := map[point]bool{}
		share := rapid.IntRange(1, 100).Draw(t, "per cent")
		for _, s := range samples {
			if rapid.IntRange(1, 100).Draw(t, "guilty") <= share {
				points[pointOf(s)] = true
			}
		}
		r, b, requests := isolate(t, samples, points)
		require.Subset(t, points, blamed(b), "an innocent sample is blamed")
		require.LessOrEqual(t, requests, 2+9*unit(len(samples))+stored(r))
	})
}

func TestIsolatingIsCheapWhereTheGuiltyFormAPattern(t *testing.T) {
	f := func(name string, samples []transform.Sample, isGuilty func(transform.Sample) bool, units int) {
		t.Run(name, func(t *testing.T) {
			points := map[point]bool{}
			for _, s := range samples {
				if isGuilty(s) {
					points[pointOf(s)] = true
				}
			}
			r, b, requests := isolate(t, samples, points)
			require.Equal(t, 0, len(b.Refused())-len(points), "an innocent sample is refused")
			require.Equal(t, len(samples)-len(points), stored(r))
			t.Logf("%d samples, %d guilty, %d requests, log2(n) is %d", len(samples), len(points), requests, unit(len(samples)))
			require.LessOrEqual(t, requests, units*unit(len(samples)))
		})
	}
	everything := func(transform.Sample) bool { return true }
	seriesNumber := func(n int) func(transform.Sample) bool {
		name := catalogue{}.named(fmt.Sprintf("s%05d", n)).Encoded
		return func(s transform.Sample) bool { return s.Series.Encoded == name }
	}
	f("one sample", grid(1000, upTo(1, 10)...), func(s transform.Sample) bool { return s.Timestamp == 7 && seriesNumber(711)(s) }, 2)
	f("one series of many", grid(1000, upTo(1, 10)...), seriesNumber(711), 3)
	f("one long series", grid(10, upTo(1, 1000)...), seriesNumber(7), 6)
	f("one record of many", grid(1000, upTo(1, 10)...), func(s transform.Sample) bool { return s.Timestamp == 7 && s.Series.Hash%100 == 0 }, 12)
	f("everything", grid(1000, upTo(1, 10)...), everything, 10)
	f("everything, one sample a series", grid(10000, 1), everything, 10)
	f("a single series", grid(1, upTo(1, 1000)...), everything, 6)
}

func TestOneInTenIsFoundOneByOne(t *testing.T) {
	samples := grid(500, upTo(1, 4)...)
	points := map[point]bool{}
	for at, s := range samples {
		if at*7%10 == 0 {
			points[pointOf(s)] = true
		}
	}
	_, b, _ := isolate(t, samples, points)
	require.Equal(t, points, blamed(b))
	require.Len(t, b.Refused(), len(points))
}

// replay stores the first samples, and sends all of them again.
func replay(t tester, samples []transform.Sample, first int) (r *receiver.Receiver, again *Batch, requests int) {
	r = clockwork(receiver.Modern, 0)
	w := start(t, r.RoundTripper(), nil)
	deliver(w, samples[:first]...)
	before := len(r.Requests())
	again = &Batch{Samples: samples, Replayed: func(*kgo.Record) bool { return true }}
	w.Submit(again)
	<-again.Landed()
	require.Equal(t, len(samples), stored(r), "a new sample is not stored")
	require.Empty(t, r.Violations())
	for _, refusal := range again.Refused() {
		require.Equal(t, transform.ReasonPossiblyStored, refusal.Reason)
	}
	return r, again, len(r.Requests()) - before
}

func TestAReplayIsCheap(t *testing.T) {
	f := func(name string, samples []transform.Sample, first, units int) {
		t.Run(name, func(t *testing.T) {
			_, _, requests := replay(t, samples, first)
			t.Logf("%d samples, %d are stored, %d requests, log2(n) is %d", len(samples), first, requests, unit(len(samples)))
			require.LessOrEqual(t, requests, units*unit(len(samples)))
		})
	}
	f("of a part", grid(1000, upTo(1, 10)...), 5_000, 10)
	f("of a part of a time", grid(1000, upTo(1, 10)...), 5_400, 10)
	f("of two times", grid(5000, 1, 2), 5_050, 7)
	f("of one time", grid(1000, upTo(1, 10)...), 1_000, 1)
	f("of everything", grid(1000, upTo(1, 10)...), 10_000, 11)
	f("of a few series", grid(10, upTo(1, 100)...), 200, 12)
}

// The receiver may have stored what is not in the request as well.
func TestAReplayThatEndsBehindTheRequest(t *testing.T) {
	samples := grid(5000, 1, 2)
	r := clockwork(receiver.Modern, 0)
	w := start(t, r.RoundTripper(), nil)
	deliver(w, samples...)
	before := len(r.Requests())
	again := &Batch{Samples: samples[:5000], Replayed: func(*kgo.Record) bool { return true }}
	w.Submit(again)
	<-again.Landed()
	require.Len(t, again.Refused(), 5000)
	require.LessOrEqual(t, len(r.Requests())-before, 6*unit(5000))
}

// Many series may be at fault at once where a replay is possible, too: a record of
// a device that has the time wrong.
func TestABurstOfBadSamplesIsNotTakenForAReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		series := rapid.IntRange(20, 60).Draw(t, "series")
		samples := grid(series, upTo(1, 12)...)
		dice := rand.New(rand.NewPCG(0, rapid.Uint64().Draw(t, "seed")))
		points := map[point]bool{}
		until := rapid.Int64Range(1, 12).Draw(t, "until")
		wrong := dice.Perm(100)[:33]
		for at, s := range samples {
			if s.Timestamp <= until && slices.Contains(wrong, at%series) {
				points[pointOf(s)] = true
			}
		}
		r := clockwork(receiver.Modern, 0)
		r.SetHook(guilty(points))
		w := start(t, r.RoundTripper(), nil)
		b := &Batch{Samples: samples, Replayed: func(*kgo.Record) bool { return true }}
		w.Submit(b)
		<-b.Landed()
		require.Equal(t, len(samples)-len(points), stored(r))
	})
}

func TestAReplayAfterACrashLandsWhatIsNew(t *testing.T) {
	r := clockwork(receiver.Modern, 0)
	w := start(t, r.RoundTripper(), nil)
	samples := grid(100, upTo(1, 20)...)
	deliver(w, samples[:1200]...) // Before the crash.
	before := len(r.Requests())

	again := &Batch{Samples: samples, Replayed: func(rec *kgo.Record) bool { return rec.Offset <= 15 }}
	w.Submit(again)
	<-again.Landed()
	require.Equal(t, 2000, stored(r))
	require.LessOrEqual(t, len(r.Requests())-before, 12*unit(2000))
	for _, refusal := range again.Refused() {
		require.Equal(t, transform.ReasonPossiblyStored, refusal.Reason)
		require.LessOrEqual(t, refusal.Timestamp, int64(12))
	}
}
