package writer

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// drained says how long Drain takes.
func drained(w *Writer, limit time.Duration) time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	begin := time.Now()
	w.Drain(ctx)
	return time.Since(begin)
}

func TestDrainLetsWhatIsQueuedAndOnTheWireFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(*receiver.Request) receiver.Answer { return receiver.Answer{Before: 3 * time.Second} })
		w := start(t, r.RoundTripper(), nil)
		c := catalogue{}
		first := submit(w, sample(c.named("x"), 1, 1))
		synctest.Wait()
		second := submit(w, sample(c.named("x"), 2, 1))
		require.Equal(t, 6*time.Second, drained(w, 20*time.Second))
		require.True(t, hasLanded(first))
		require.True(t, hasLanded(second))
		require.Empty(t, second.Abandoned())
		require.Equal(t, map[string]int64{"written": 2}, totals(w))
	})
}

func TestDrainAbandonsABackOffAndEverythingBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(*receiver.Request) receiver.Answer { return status(503) })
		w := start(t, r.RoundTripper(), func(c *Config) { c.Retry.MinBackoff, c.Retry.MaxBackoff = time.Hour, time.Hour })
		c := catalogue{}
		first := submit(w, sample(c.named("x"), 1, 1), sample(c.named("y"), 1, 1))
		synctest.Wait()
		second := submit(w, sample(c.named("x"), 2, 1))
		r.SetHook(nil)
		require.Zero(t, drained(w, 20*time.Second))
		require.Equal(t, []*kgo.Record{first.Samples[0].Record, first.Samples[1].Record}, first.Abandoned())
		require.Equal(t, []*kgo.Record{second.Samples[0].Record}, second.Abandoned())
		require.Empty(t, r.Samples())
		require.Equal(t, map[string]int64{"abandoned": 3}, totals(w))
	})
}

func TestDrainGivesARequestOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(*receiver.Request) receiver.Answer { return receiver.Answer{Status: 503, Before: time.Second} })
		w := start(t, r.RoundTripper(), nil)
		c := catalogue{}
		first := submit(w, sample(c.named("x"), 1, 1))
		synctest.Wait()
		second := submit(w, sample(c.named("x"), 2, 1))
		require.Equal(t, time.Second, drained(w, 20*time.Second))
		require.Len(t, r.Requests(), 1)
		require.Len(t, first.Abandoned(), 1)
		require.Len(t, second.Abandoned(), 1)
	})
}

func TestDrainCancelsWhatIsOnTheWireWhenItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(*receiver.Request) receiver.Answer { return receiver.Answer{Before: 25 * time.Second} })
		w := start(t, r.RoundTripper(), nil)
		b := submit(w, sample(catalogue{}.named("x"), 1, 1))
		synctest.Wait()
		require.Equal(t, 20*time.Second, drained(w, 20*time.Second))
		require.Len(t, b.Abandoned(), 1)
	})
}

func TestDrainEndsAnIsolationInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		samples := grid(8, 1, 2)
		r := clockwork(receiver.Modern, 0)
		requests := 0
		r.SetHook(func(*receiver.Request) receiver.Answer {
			requests++
			switch {
			case requests > 4:
				return status(503)
			case requests == 1:
				return status(400)
			}
			return receiver.Answer{Before: time.Second}
		})
		w := start(t, r.RoundTripper(), nil)
		b := submit(w, samples...)
		time.Sleep(500 * time.Millisecond)
		drained(w, 20*time.Second)
		require.True(t, hasLanded(b))
		require.Empty(t, b.Refused())
		require.NotEmpty(t, b.Abandoned())
		require.Equal(t, len(samples), stored(r)+int(totals(w)["abandoned"]))
		require.Equal(t, int64(stored(r)), totals(w)["written"])
	})
}

func TestABatchAfterDrainIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, clockwork(receiver.Modern, 0).RoundTripper(), nil)
		w.Drain(t.Context())
		b := submit(w, sample(catalogue{}.named("x"), 1, 1))
		require.True(t, hasLanded(b))
		require.Len(t, b.Abandoned(), 1)
		require.Equal(t, map[string]int64{"abandoned": 1}, totals(w))
	})
}

func TestABatchWithoutSamplesHasLanded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, clockwork(receiver.Modern, 0).RoundTripper(), nil)
		b := &Batch{Dropped: 3}
		w.Submit(b)
		require.True(t, hasLanded(b))
		require.Equal(t, map[string]int64{"dropped": 3}, totals(w))
	})
}

// lease is a partition that can be taken away.
type lease struct{ gone atomic.Bool }

// batch makes samples that are ours as long as their partition is: those of odd
// offsets go with the lease.
func (l *lease) batch(samples ...transform.Sample) *Batch {
	return &Batch{Samples: samples, Held: func(r *kgo.Record) bool { return r.Offset%2 == 0 || !l.gone.Load() }}
}

func TestAFenceTakesSamplesOutOfQueuesAndRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(status(503)))
		w := start(t, r.RoundTripper(), func(c *Config) { c.Retry.MinBackoff, c.Retry.MaxBackoff = time.Minute, time.Minute })
		c := catalogue{}
		var l lease
		first := l.batch(sample(c.named("x"), 1, 1), sample(c.named("y"), 2, 1), sample(c.named("x"), 3, 1))
		w.Submit(first)
		synctest.Wait() // It waits for its second attempt now.
		second := l.batch(sample(c.named("x"), 5, 1), sample(c.named("y"), 6, 1))
		w.Submit(second)
		l.gone.Store(true)
		w.Fence()
		<-first.Landed()
		<-second.Landed()
		require.Equal(t, []*kgo.Record{first.Samples[0].Record, first.Samples[2].Record}, first.Abandoned())
		require.Equal(t, []*kgo.Record{second.Samples[0].Record}, second.Abandoned())
		require.Equal(t, map[string][]receiver.Point{
			`{__name__="y"}`: {{Timestamp: 2, Value: 1}, {Timestamp: 6, Value: 1}},
		}, r.Samples())
		require.Equal(t, map[string]int64{"written": 2, "abandoned": 3}, totals(w))
	})
}

func TestAFenceLandsABatchAtOnceOfWhichNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(*receiver.Request) receiver.Answer { return status(503) })
		w := start(t, r.RoundTripper(), func(c *Config) { c.Retry.MinBackoff, c.Retry.MaxBackoff = time.Hour, time.Hour })
		c := catalogue{}
		var l lease
		first, second := l.batch(sample(c.named("x"), 1, 1)), l.batch(sample(c.named("x"), 3, 1))
		w.Submit(first)
		synctest.Wait()
		w.Submit(second)
		l.gone.Store(true)
		w.Fence()
		synctest.Wait()
		require.True(t, hasLanded(first))
		require.True(t, hasLanded(second))
		require.Len(t, r.Requests(), 1)
	})
}

func TestAFenceThatTakesEverythingEndsTheTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(*receiver.Request) receiver.Answer { return status(404) })
		w := start(t, r.RoundTripper(), func(c *Config) { c.Retry.MaxAttempts = 3 })
		c := catalogue{}
		var l lease
		w.Submit(l.batch(sample(c.named("x"), 1, 1)))
		time.Sleep(6 * time.Second)
		_, bad := w.Misconfigured()
		require.True(t, bad)
		l.gone.Store(true)
		w.Fence()
		synctest.Wait()
		_, bad = w.Misconfigured()
		require.False(t, bad)

		r.SetHook(script(status(503), status(503)))
		deliver(w, sample(c.named("x"), 2, 1)) // It has its own attempts.
		require.NoError(t, w.Err())
	})
}

func TestAFenceReachesARequestThatIsBeingIsolated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		samples := grid(16, 1, 2)
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(status(400), status(400), receiver.Answer{Status: 503, Header: map[string][]string{"Retry-After": {"60"}}}))
		w := start(t, r.RoundTripper(), nil)
		var l lease
		b := l.batch(samples...)
		w.Submit(b)
		time.Sleep(time.Second)
		l.gone.Store(true)
		w.Fence()
		<-b.Landed()
		require.Equal(t, []*kgo.Record{samples[0].Record}, b.Abandoned())
		require.Empty(t, b.Refused())
		require.Equal(t, map[string]int64{"written": 16, "abandoned": 16}, totals(w))
		for name, points := range r.Samples() {
			require.Equal(t, []receiver.Point{{Timestamp: 2, Value: 2}}, points, name)
		}
	})
}

func TestAFenceDoesNotShortenABackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(receiver.Answer{Status: 503, Header: map[string][]string{"Retry-After": {"60"}}}))
		w := start(t, r.RoundTripper(), nil)
		c := catalogue{}
		var l lease
		b := l.batch(sample(c.named("x"), 1, 1), sample(c.named("y"), 2, 1))
		begin := time.Now()
		w.Submit(b)
		time.Sleep(time.Second)
		l.gone.Store(true)
		w.Fence()
		<-b.Landed()
		require.Equal(t, time.Minute, time.Since(begin))
		require.Equal(t, map[string]int64{"written": 1, "abandoned": 1}, totals(w))
	})
}

func TestAFenceLeavesTheWireAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(*receiver.Request) receiver.Answer { return receiver.Answer{Before: time.Second} })
		w := start(t, r.RoundTripper(), nil)
		var l lease
		b := l.batch(sample(catalogue{}.named("x"), 1, 1))
		w.Submit(b)
		synctest.Wait()
		l.gone.Store(true)
		w.Fence()
		<-b.Landed()
		require.Empty(t, b.Abandoned())
		require.Equal(t, 1, stored(r))
	})
}

func TestWhatIsHeldIsNotAskedForWithoutAFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, clockwork(receiver.Modern, 0).RoundTripper(), nil)
		w.Fence() // One that was before the batch.
		synctest.Wait()
		asked := false
		b := &Batch{
			Samples: []transform.Sample{sample(catalogue{}.named("x"), 1, 1)},
			Held:    func(*kgo.Record) bool { asked = true; return true },
		}
		w.Submit(b)
		<-b.Landed()
		require.False(t, asked)
	})
}

func TestIdleMeansThatNothingIsOnTheWireNorAboutToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(receiver.Answer{Before: time.Second}, receiver.Answer{Status: 503, Before: time.Second}))
		w := start(t, r.RoundTripper(), func(c *Config) { c.Retry.MinBackoff, c.Retry.MaxBackoff = time.Hour, time.Hour })
		c := catalogue{}
		require.True(t, w.Idle())
		first := submit(w, sample(c.named("x"), 1, 1))
		require.False(t, w.Idle(), "as soon as it is submitted")
		synctest.Wait()
		require.False(t, w.Idle(), "on the wire")
		<-first.Landed()
		synctest.Wait()
		require.True(t, w.Idle())

		second := submit(w, sample(c.named("x"), 2, 1))
		time.Sleep(2 * time.Second)
		require.True(t, w.Idle(), "waiting for its next attempt")
		submit(w, sample(c.named("x"), 3, 1))
		synctest.Wait()
		require.True(t, w.Idle(), "what is behind it waits, too")
		require.False(t, hasLanded(second))
	})
}
