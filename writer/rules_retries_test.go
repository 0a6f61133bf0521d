package writer

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

func TestSenderMustRetryOn5xx(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		var answers []receiver.Answer
		for code := 500; code < 600; code++ {
			answers = append(answers, status(code))
		}
		r.SetHook(script(answers...))
		w := start(t, overHTTP(t, r), speaking(t.protocol))
		require.Empty(t, deliver(w, sample(catalogue{}.named("x"), 1, 1)).Refused())

		log := r.Requests()
		require.Len(t, log, len(answers)+1)
		for i, q := range log {
			require.Equal(t, log[0].Hash, q.Hash)
			require.Equal(t, i > 0, q.Attempt == strconv.Itoa(i))
		}
		require.Equal(t, map[string]int64{"written": 1}, totals(w))
	})
}

func TestSenderMustBackOff(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(q *receiver.Request) receiver.Answer {
			if q.Number > 100 {
				return receiver.Answer{}
			}
			return [...]receiver.Answer{status(503), status(429), {Drop: true}}[q.Number%3]
		})
		w := start(t, overHTTP(t, r), func(c *Config) {
			c.RemoteWrite.Protocol, c.Retry = t.protocol, RetryConfig{MinBackoff: time.Second, MaxBackoff: 8 * time.Second}
		})
		require.Empty(t, deliver(w, sample(catalogue{}.named("x"), 1, 1)).Refused())

		log := r.Requests()
		require.Len(t, log, 101)
		longest := time.Second
		for i := 1; i < len(log); i++ {
			require.LessOrEqual(t, log[i].Time.Sub(log[i-1].Time), longest)
			longest = min(2*longest, 8*time.Second)
		}
		// The waits are drawn from all of the span, so that they come to half of it: 4 s
		// each, with a standard deviation of 23 s for all of them.
		require.Greater(t, log[len(log)-1].Time.Sub(log[0].Time), 200*time.Second)
	})
}

func TestSenderMayRetryOn429(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(slices.Repeat([]receiver.Answer{status(429)}, 50)...))
		w := start(t, overHTTP(t, r), speaking(t.protocol))
		require.Empty(t, deliver(w, sample(catalogue{}.named("x"), 1, 1)).Refused())
		require.Len(t, r.Requests(), 51)
		require.Equal(t, r.Requests()[0].Hash, r.Requests()[50].Hash)
	})
}

func TestSenderMayHonourRetryAfter(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		f := func(code int, text string, want time.Duration) {
			t.Helper()
			r := clockwork(receiver.Modern, 0)
			r.SetHook(script(receiver.Answer{Status: code, Header: http.Header{"Retry-After": {text}}}))
			begin := time.Now()
			deliver(start(t, overHTTP(t, r), speaking(t.protocol)), sample(catalogue{}.named("x"), 1, 1))
			require.Equal(t, want, time.Since(begin), "%d %s", code, text)
		}
		in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
		for _, code := range []int{429, 503, 500, 404} {
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // Dates have no fractions.
			f(code, "90", 90*time.Second)
			f(code, in(40*time.Second), 40*time.Second)
			f(code, "86400", 5*time.Minute)
			f(code, in(24*time.Hour), 5*time.Minute)
		}
	})
}

func TestSenderMustNotRetryOn2xx(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		w := start(t, overHTTP(t, r), speaking(t.protocol))
		c := catalogue{}
		for n := 1; n <= 100; n++ {
			a := counting(199+n, "Samples", "1")
			a.Header.Set("Retry-After", "1")
			r.SetHook(script(a))
			require.Empty(t, deliver(w, sample(c.named("x"), int64(n), 1)).Refused())
			require.Len(t, r.Requests(), n, "%d", 199+n)
		}
		require.Equal(t, map[string]int64{"written": 100}, totals(w))
	})
}

func TestSenderMustNotRetryOn4xxExcept429(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		var final []int
		for code := 400; code < 500; code++ {
			r := clockwork(receiver.Modern, 0)
			r.SetHook(script(status(code)))
			w := start(t, overHTTP(t, r), speaking(t.protocol))
			b := deliver(w, sample(catalogue{}.named("x"), 1, 1))
			if len(r.Requests()) == 1 {
				final = append(final, code)
				require.Len(t, b.Refused(), 1, "%d", code)
				continue
			}
			require.Len(t, r.Requests(), 2, "%d", code)
			require.Equal(t, r.Requests()[0].Hash, r.Requests()[1].Hash, "%d", code)
			require.Empty(t, b.Refused(), "%d", code)
		}
		require.Equal(t, []int{400, 409, 413, 422}, final)
	})
}

func TestSenderMayRetryTheWholeRequestAfterAPartialWrite(t *testing.T) {
	for _, code := range []int{429, 500, 503} {
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(receiver.Modern, 0)
			a := counting(code, "Samples", "1")
			a.Body = `out of order sample for series {__name__="y"}`
			r.SetHook(script(a))
			c := catalogue{}
			w := start(t, overHTTP(t, r), speaking(protocolV2))
			require.Empty(t, deliver(w, sample(c.named("x"), 1, 1), sample(c.named("y"), 1, 1)).Refused())
			log := r.Requests()
			require.Len(t, log, 2)
			require.Equal(t, log[0].Hash, log[1].Hash)
			require.Equal(t, 2, log[1].Samples)
		})
	}
}
