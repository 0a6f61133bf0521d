package writer

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheBackOffDoublesUpToTheMaximumWithFullJitter(t *testing.T) {
	cfg := RetryConfig{MinBackoff: 100 * time.Millisecond, MaxBackoff: time.Second}
	f := func(attempt int, longest time.Duration) {
		t.Helper()
		least, most := longest, time.Duration(0)
		for range 2000 {
			d := cfg.delay(attempt, result{outcome: retry})
			least, most = min(least, d), max(most, d)
		}
		require.LessOrEqual(t, most, longest)
		require.Greater(t, most, longest*9/10, "not all of the range is used")
		require.Less(t, least, longest/10, "not all of the range is used")
	}
	f(1, 100*time.Millisecond)
	f(2, 200*time.Millisecond)
	f(3, 400*time.Millisecond)
	f(4, 800*time.Millisecond)
	f(5, time.Second)
	f(1_000_000, time.Second)
}

func TestWhatTheReceiverAsksForComesFirst(t *testing.T) {
	cfg := RetryConfig{MinBackoff: time.Millisecond, MaxBackoff: time.Second}
	require.Equal(t, 7*time.Second, cfg.delay(1, result{outcome: retry, retryAfter: 7 * time.Second}))
}

func TestAMisconfigurationIsTriedSlowly(t *testing.T) {
	f := func(maximum, least, most time.Duration) {
		t.Helper()
		cfg := RetryConfig{MinBackoff: time.Millisecond, MaxBackoff: maximum}
		for range 100 {
			d := cfg.delay(1, result{outcome: misconfigured})
			require.GreaterOrEqual(t, d, least)
			require.LessOrEqual(t, d, most)
		}
	}
	f(time.Second, 2500*time.Millisecond, 5*time.Second)
	f(time.Minute, 30*time.Second, time.Minute)
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f := func(text string, want time.Duration) {
		t.Helper()
		require.Equal(t, want, retryAfter(http.Header{"Retry-After": {text}}, now), text)
	}
	f("3", 3*time.Second)
	f("0", 0)
	f("-1", 0)
	f("86400", maxRetryAfter)
	f("9223372036854775807", maxRetryAfter)
	f("1.5", 0)
	f("soon", 0)
	f("Sun, 22 Nov 2026 12:00:10 GMT", 10*time.Second)
	f("Sun, 22 Nov 2026 11:00:00 GMT", 0)
	f("Sun, 22 Nov 2037 12:00:00 GMT", maxRetryAfter)
	require.Zero(t, retryAfter(http.Header{}, now))
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Sun, 22 Nov 2026 12:00:10 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		d := retryAfter(http.Header{"Retry-After": {text}}, time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
		require.GreaterOrEqual(t, d, time.Duration(0))
		require.LessOrEqual(t, d, maxRetryAfter)
	})
}
