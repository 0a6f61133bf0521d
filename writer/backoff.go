package writer

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds what a receiver may ask for.
const maxRetryAfter = 5 * time.Minute

// slowest is the least that the longest back-off may be where something has to be
// mended: nobody mends it within a second.
const slowest = 5 * time.Second

// delay is how long to wait after attempt number n, which counts from 1.
// What the receiver asks for comes first; else the wait doubles up to the
// maximum and is drawn from all of it (full jitter), so that shards which failed
// together do not come back together.
func (c RetryConfig) delay(n int, r result) time.Duration {
	if r.retryAfter > 0 {
		return r.retryAfter
	}
	if r.outcome == misconfigured {
		longest := max(c.MaxBackoff, slowest)
		return longest/2 + rand.N(longest/2+1)
	}
	longest := c.MinBackoff
	for i := 1; i < n && longest < c.MaxBackoff; i++ {
		longest *= 2
	}
	return rand.N(min(longest, c.MaxBackoff) + 1)
}

// retryAfter reads the header of the same name: seconds, or a date. 0: there is
// none that can be read.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), maxRetryAfter)
}
