package writer

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// The clocks of the two machines may be hours apart: a date that the receiver names is
// long past then, or far away. The next attempt is neither made at once nor put off
// for hours.
func TestAReceiverWithAnotherClockIsNeitherFloodedNorWaitedForLong(t *testing.T) {
	f := func(name string, ahead, least, most time.Duration) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := clockwork(receiver.Modern, 0)
				const attempts = 20
				answers := make([]receiver.Answer, attempts)
				for i := range answers {
					date := time.Now().Add(ahead).UTC().Format(http.TimeFormat)
					answers[i] = receiver.Answer{Status: 503, Header: http.Header{"Retry-After": {date}}}
				}
				r.SetHook(script(answers...))
				w := start(t, r.RoundTripper(), func(c *Config) { c.Retry.MinBackoff, c.Retry.MaxBackoff = time.Second, 10*time.Second })
				begin := time.Now()
				deliver(w, sample(catalogue{}.named("x"), 1, 1))
				require.GreaterOrEqual(t, time.Since(begin), attempts*least)
				require.LessOrEqual(t, time.Since(begin), attempts*most)
			})
		})
	}
	// Full jitter: the mean of twenty waits of up to ten seconds is hardly below one.
	f("behind", -5*time.Hour, time.Second, 10*time.Second)
	f("ahead", 50*time.Hour, maxRetryAfter, maxRetryAfter)
}

// The wall clock of this machine may jump: what decides is compared by the monotonic
// clock, as long as nobody takes its reading out of the times that are kept.
func TestTimesOfAnOutageDoNotFollowTheWallClock(t *testing.T) {
	r := clockwork(receiver.Modern, 0)
	r.SetHook(script(status(503), status(503))) // The question for the protocol, at first.
	w := start(t, r.RoundTripper(), func(c *Config) {
		c.RemoteWrite.Protocol, c.Retry.MinBackoff = protocolAuto, time.Millisecond
	})
	deliver(w, sample(catalogue{}.named("x"), 1, 1))
	require.Contains(t, w.Status().LastErrorAt.String(), " m=")
	require.Contains(t, w.Status().LastLanding.String(), " m=")
	w.negotiation.mu.Lock()
	defer w.negotiation.mu.Unlock()
	require.Contains(t, w.negotiation.since.String(), " m=")
}
