package writer

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// twoShards names two series that belong to different shards of two.
func twoShards(t *testing.T) (c catalogue, first, second string) {
	t.Helper()
	c = catalogue{}
	shard := func(name string) uint64 { return c.named(name).Hash >> 63 }
	first, second = "a", "b"
	for shard(first) == shard(second) {
		second += "b"
	}
	return c, first, second
}

// named runs a hook for the requests that have a series of this name; the others are
// left to the receiver.
func named(name string, hook receiver.Hook) receiver.Hook {
	return func(q *receiver.Request) receiver.Answer {
		for _, s := range q.Series {
			if s.Labels.Get("__name__") == name {
				return hook(q)
			}
		}
		return receiver.Answer{}
	}
}

// later answers 503 and asks for a wait.
func later(seconds string) receiver.Answer {
	return receiver.Answer{Status: 503, Header: http.Header{"Retry-After": {seconds}}}
}

func TestEachRequestHasItsOwnAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		w := start(t, r.RoundTripper(), func(c *Config) { c.Retry.MaxAttempts = 2 })
		c := catalogue{}
		for i := range int64(5) {
			r.SetHook(script(status(503)))
			deliver(w, sample(c.named("x"), i+1, 1))
		}
		require.NoError(t, w.Err())
	})
}

// A shard whose attempts are used up fails the writer: then no other goes on either,
// although it has attempts left.
func TestWhenTheWriterHasFailedNoShardGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, first, second := twoShards(t)
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(q *receiver.Request) receiver.Answer {
			if q.Series[0].Labels.Get("__name__") == first {
				return later("3600")
			}
			return status(503)
		})
		w := start(t, r.RoundTripper(), func(c *Config) { c.Shards, c.Retry.MaxAttempts = 2, 5 })
		submit(w, sample(c.named(first), 1, 1), sample(c.named(second), 1, 1))
		<-w.Failed()
		time.Sleep(100 * time.Hour)
		require.Len(t, r.Requests(), 5+2, "the one that was under way, and none after it")
	})
}

// One answer of another kind shows that it is not the samples that break the
// receiver.
func TestWhatWasNot5xxEachTimeIsNoPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w, poison := poisoned(t, poisonIsolate)
		breaks := script(receiver.Answer{Drop: true})
		r.SetHook(named("poison", func(q *receiver.Request) receiver.Answer {
			if a := breaks(q); a.Drop {
				return a
			}
			return status(500)
		}))
		b := submit(w, poison)
		keepLanding(w, b, 30*time.Minute)
		require.False(t, hasLanded(b))
		require.Zero(t, w.Status().Poisoned)
	})
}

// An attempt leaves doubt by itself: that an earlier one was read does not make one
// doubtful that never reached the receiver.
func TestDoubtIsOfTheAttemptThatFailed(t *testing.T) {
	f := func(want string, attempts ...roundTripper) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			w := start(t, roundTripper(func(req *http.Request) (*http.Response, error) {
				next := attempts[0]
				attempts = attempts[1:]
				return next(req)
			}), nil)
			b := deliver(w, sample(catalogue{}.named("x"), 1, 1))
			require.Equal(t, []string{want}, reasons(b))
		})
	}
	lost := func(read func(io.Reader)) roundTripper {
		return func(req *http.Request) (*http.Response, error) {
			defer req.Body.Close()
			read(req.Body)
			return nil, errors.New("connection lost")
		}
	}
	unread := lost(func(io.Reader) {})
	f("refused", respond(429, ""), unread, respond(400, ""))
	f("possibly_stored", lost(func(b io.Reader) { _, _ = b.Read(make([]byte, 1)) }), unread, respond(400, ""))
	f("possibly_stored", lost(func(b io.Reader) { _, _ = io.Copy(io.Discard, b) }), respond(400, ""))
	f("possibly_stored", respond(500, ""), respond(400, ""))
	f("possibly_stored", respond(502, ""), respond(429, ""), respond(400, ""))
}

// The receiver is asked again once for an outage that several shards have seen, and
// not for one that it was asked after.
func TestAnOutageHasTheReceiverAskedOnce(t *testing.T) {
	f := func(meanwhile receiver.Answer, want ...string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			c, first, second := twoShards(t)
			r := clockwork(receiver.Modern, 0)
			w := start(t, r.RoundTripper(), func(c *Config) { auto(c); c.Shards = 2 })
			deliver(w, sample(c.named(first), 1, 1))
			time.Sleep(time.Second)

			r.SetHook(script(later("60")))
			slow := submit(w, sample(c.named(second), 1, 1))
			synctest.Wait()
			r.SetHook(script(meanwhile))
			deliver(w, sample(c.named(first), 2, 1))
			time.Sleep(time.Second)
			deliver(w, sample(c.named(first), 3, 1))
			<-slow.Landed()
			deliver(w, sample(c.named(first), 4, 1))
			require.Equal(t, want, protocols(r))
		})
	}
	f(later("1"), "2.0 empty", "2.0", "2.0", "2.0", "2.0", "2.0 empty", "2.0", "2.0", "2.0")
	f(status(415), "2.0 empty", "2.0", "2.0", "2.0", "1.0", "1.0", "2.0", "1.0")
}

// Somebody has mended it as soon as one shard lands, although another waits to see
// for itself.
func TestALandingEndsAMisconfigurationForAllShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, first, second := twoShards(t)
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(receiver.Answer{Status: 403, Header: http.Header{"Retry-After": {"60"}}}))
		w := start(t, r.RoundTripper(), func(c *Config) { c.Shards = 2 })
		b := submit(w, sample(c.named(first), 1, 1))
		synctest.Wait()
		_, bad := w.Misconfigured()
		require.True(t, bad)
		deliver(w, sample(c.named(second), 1, 1))
		_, bad = w.Misconfigured()
		require.False(t, bad)
		require.False(t, hasLanded(b))
	})
}
