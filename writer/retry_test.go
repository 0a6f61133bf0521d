package writer

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

func TestTheSameBytesAreSentUntilTheyLand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(status(503), status(429), status(408), status(425), status(500),
			receiver.Answer{Drop: true}, receiver.Answer{Before: time.Hour}))
		w := start(t, r.RoundTripper(), nil)
		c := catalogue{}
		b := deliver(w, sample(c.named("x"), 1, 1), sample(c.named("y"), 1, 1))

		require.Empty(t, b.Refused())
		log := r.Requests()
		require.Len(t, log, 8)
		for i, q := range log {
			require.Equal(t, log[0].Hash, q.Hash)
			require.Equal(t, [...]string{"", "1", "2", "3", "4", "5", "6", "7"}[i], q.Attempt)
		}
		require.Equal(t, map[string]int64{"written": 2}, totals(w))
	})
}

func TestSamplesThatComeMeanwhileDoNotJoinARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(status(503)))
		w := start(t, r.RoundTripper(), func(c *Config) { c.Retry.MinBackoff, c.Retry.MaxBackoff = time.Second, time.Second })
		c := catalogue{}
		first := submit(w, sample(c.named("x"), 1, 1))
		synctest.Wait()
		second := submit(w, sample(c.named("x"), 2, 1), sample(c.named("y"), 2, 1))
		third := submit(w, sample(c.named("x"), 3, 1))
		<-first.Landed()
		<-second.Landed()
		<-third.Landed()
		log := r.Requests()
		require.Len(t, log, 3, "everything that was queued goes together")
		require.Equal(t, log[0].Hash, log[1].Hash)
		require.Equal(t, 3, log[2].Samples)
		require.Empty(t, r.Violations())
	})
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(receiver.Answer{Status: 503, Header: http.Header{"Retry-After": {"90"}}}))
		w := start(t, r.RoundTripper(), nil)
		begin := time.Now()
		deliver(w, sample(catalogue{}.named("x"), 1, 1))
		require.Equal(t, 90*time.Second, time.Since(begin))
	})
}

func TestAMisconfigurationIsToldAndHealed(t *testing.T) {
	for _, code := range []int{301, 401, 403, 404, 405, 407, 415, 451} {
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(receiver.Modern, 0)
			r.SetHook(func(*receiver.Request) receiver.Answer { return receiver.Answer{Status: code, Body: "no entry"} })
			w := start(t, r.RoundTripper(), nil)
			b := submit(w, sample(catalogue{}.named("x"), 1, 1))
			time.Sleep(5 * time.Minute)

			require.False(t, hasLanded(b))
			text, bad := w.Misconfigured()
			require.True(t, bad)
			require.Contains(t, text, "no entry")
			require.Less(t, len(r.Requests()), 70, "it is tried slowly")
			require.Equal(t, map[string]int64{"in_flight": 1}, totals(w))

			r.SetHook(nil)
			<-b.Landed()
			_, bad = w.Misconfigured()
			require.False(t, bad)
			require.Equal(t, 1, stored(r))
		})
	}
}

func TestUsedUpAttemptsFailTheWriterAndLandNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(*receiver.Request) receiver.Answer { return status(503) })
		w := start(t, r.RoundTripper(), func(c *Config) { c.Retry.MaxAttempts = 3 })
		require.NoError(t, w.Err())
		b := submit(w, sample(catalogue{}.named("x"), 1, 1))
		<-w.Failed()
		require.EqualError(t, w.Err(), "writing to http://receiver.test/api/v1/write: giving up after 3 attempts: 503 Service Unavailable")
		time.Sleep(time.Hour)
		require.Len(t, r.Requests(), 3)
		require.False(t, hasLanded(b))
		require.True(t, w.Idle())

		w.Drain(t.Context())
		require.True(t, hasLanded(b))
		require.Len(t, b.Abandoned(), 1)
		require.Equal(t, map[string]int64{"abandoned": 1}, totals(w))
	})
}

func TestARefusalAfterAnAmbiguousAttemptMayBeOurOwnSample(t *testing.T) {
	f := func(want transform.Reason, answers ...receiver.Answer) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(receiver.Modern, 0)
			r.SetHook(script(append(answers, status(400))...))
			w := start(t, r.RoundTripper(), nil)
			b := deliver(w, sample(catalogue{}.named("x"), 1, 1))
			require.Equal(t, []string{string(want)}, reasons(b))
		})
	}
	f(transform.ReasonRefused)
	f(transform.ReasonRefused, status(429))
	f(transform.ReasonPossiblyStored, status(503))
	f(transform.ReasonPossiblyStored, receiver.Answer{Drop: true})
	f(transform.ReasonPossiblyStored, receiver.Answer{After: time.Hour, Store: true, Drop: true})
}

func TestARefusalOfAReplayedRecordMayBeOurOwnSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		w := start(t, r.RoundTripper(), nil)
		c := catalogue{}
		deliver(w, sample(c.named("x"), 1, 1), sample(c.named("x"), 2, 1), sample(c.named("y"), 2, 1))
		b := &Batch{
			Samples:  []transform.Sample{sample(c.named("x"), 1, 1), sample(c.named("y"), 1, 1), sample(c.named("y"), 3, 1)},
			Replayed: func(rec *kgo.Record) bool { return rec == nil || rec.Offset < 1 },
		}
		b.Samples[0].Record = record(0)
		w.Submit(b)
		<-b.Landed()
		require.Equal(t, []string{"possibly_stored", "refused"}, reasons(b))
		require.Equal(t, []int64{2, 3}, times(r, c.named("y")))
	})
}

func TestAConnectionThatWasNeverMadeLeavesNoDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		w := start(t, roundTripper(func(req *http.Request) (*http.Response, error) {
			attempts++
			if attempts == 1 {
				_ = req.Body.Close()
				return nil, errors.New("connection refused")
			}
			return respond(400, "no")(req)
		}), nil)
		b := deliver(w, sample(catalogue{}.named("x"), 1, 1))
		require.Equal(t, []string{"refused"}, reasons(b))
	})
}

func TestWhatGetsNothingBut5xxIsSaidLoudlyAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w, poison := poisoned(t, poisonBlock)
		b := submit(w, poison)
		keepLanding(w, b, 30*time.Minute)
		require.False(t, hasLanded(b))
		require.Equal(t, 1, w.Status().Poisoned)

		r.SetHook(nil)
		<-b.Landed()
		require.Empty(t, b.Refused())
		require.Zero(t, w.Status().Poisoned)
	})
}

func TestWhatGetsNothingBut5xxIsIsolatedIfThatIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w, poison := poisoned(t, poisonIsolate)
		c := catalogue{}
		mates := []transform.Sample{poison}
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
			mates = append(mates, sample(c.named(name), 5, 1))
		}
		b := submit(w, mates...)
		keepLanding(w, b, 30*time.Minute)
		require.True(t, hasLanded(b))
		require.Equal(t, []string{"poison"}, reasons(b))
		for _, s := range mates[1:] {
			require.Equal(t, []int64{5}, times(r, s.Series))
		}
		require.Equal(t, int64(1), w.metrics.read().refused[transform.ReasonPoison])
	})
}

func TestAnOutageIsNoPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(*receiver.Request) receiver.Answer { return status(500) })
		w := start(t, r.RoundTripper(), func(c *Config) { c.Shards, c.RemoteWrite.Poison5xx = 4, poisonIsolate })
		c := catalogue{}
		b := submit(w, sample(c.named("a"), 1, 1), sample(c.named("b"), 1, 1), sample(c.named("c"), 1, 1))
		time.Sleep(5 * time.Hour)
		require.False(t, hasLanded(b))
		require.Zero(t, w.Status().Poisoned)
		r.SetHook(nil)
		<-b.Landed()
		require.Empty(t, b.Refused())
	})
}

// poisoned makes a writer with several shards to a receiver that breaks at one
// sample.
func poisoned(t *testing.T, policy string) (*receiver.Receiver, *Writer, transform.Sample) {
	t.Helper()
	poison := sample(catalogue{}.named("poison"), 5, 1)
	r := clockwork(receiver.Modern, 0)
	r.SetHook(func(q *receiver.Request) receiver.Answer {
		for _, s := range q.Series {
			if s.Labels.Get("__name__") == "poison" {
				return status(500)
			}
		}
		return receiver.Answer{}
	})
	w := start(t, r.RoundTripper(), func(c *Config) { c.Shards, c.RemoteWrite.Poison5xx = 4, policy })
	return r, w, poison
}

// keepLanding sends samples of other series until a batch has landed or the time is
// over.
func keepLanding(w *Writer, b *Batch, d time.Duration) {
	c := catalogue{}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for i := int64(1); ctx.Err() == nil && !hasLanded(b); i++ {
		submit(w, sample(c.named("other1"), i, 1), sample(c.named("other2"), i, 1), sample(c.named("other3"), i, 1))
		time.Sleep(time.Second)
	}
}

// What is at fault for another reason stays at fault where a replay is possible, and
// gets its dead letter.
func TestARefusalThatGivesAnotherReasonIsNoReplay(t *testing.T) {
	f := func(want transform.Reason, said string) {
		t.Run(said, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := clockwork(receiver.Modern, 0)
				r.SetHook(script(receiver.Answer{Status: 400, Body: said}))
				w := start(t, r.RoundTripper(), nil)
				b := &Batch{Samples: []transform.Sample{sample(catalogue{}.named("x"), 1, 1)}, Replayed: func(*kgo.Record) bool { return true }}
				w.Submit(b)
				<-b.Landed()
				require.Equal(t, []string{string(want)}, reasons(b))
			})
		})
	}
	f(transform.ReasonPossiblyStored, "")
	f(transform.ReasonPossiblyStored, "out of order sample")
	f(transform.ReasonPossiblyStored, "out of bounds")
	f(transform.ReasonPossiblyStored, "too old sample")
	f(transform.ReasonPossiblyStored, "duplicate sample for timestamp 1; overrides not allowed: existing 1, new value 9")
	f(transform.ReasonPossiblyStored, "the sample has been rejected because ... (err-mimir-sample-out-of-order)")
	f(transform.ReasonRefused, "out of bounds: timestamp is too far in the future")
	f(transform.ReasonRefused, "received a sample whose timestamp is too far in the future (err-mimir-too-far-in-future)")
	f(transform.ReasonRefused, "label name \"__name__\" is not unique: invalid sample")
	f(transform.ReasonRefused, "per-user series limit of 150000 exceeded")
	// The words of labels are not those of the receiver.
	f(transform.ReasonPossiblyStored, `out of order sample for series {__name__="gas_future_price", market="the {future}"}`)
	f(transform.ReasonPossiblyStored, `sample rejected (err-mimir-sample-out-of-order). The affected sample is from series gas_future_price{}`)
	f(transform.ReasonRefused, `label value too long for series {__name__="x", job="duplicate, out of order and too old"}`)
}
