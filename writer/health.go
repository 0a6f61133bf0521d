package writer

import (
	"sync"
	"time"
)

// health is what is known about the receiver, and shown to people. It is safe for
// concurrent use.
type health struct {
	mu          sync.Mutex
	shards      []shardHealth
	lastError   string
	lastErrorAt time.Time
	complained  time.Time
}

type shardHealth struct {
	landedAt      time.Time // The last request that the receiver judged.
	misconfigured string    // What it says instead of judging; "": nothing.
	poisoned      bool
}

func newHealth(shards int) *health {
	return &health{shards: make([]shardHealth, shards)}
}

// failing notes an attempt that has to be made again.
func (h *health) failing(shard int, r result, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastError, h.lastErrorAt = r.words(), now
	h.shards[shard].misconfigured = ""
	if r.outcome == misconfigured {
		h.shards[shard].misconfigured = h.lastError
	}
}

// answered notes that the receiver has judged a request: then nothing is wrong with
// the way to it, for no shard.
func (h *health) answered(shard int, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shards[shard] = shardHealth{landedAt: now}
	for i := range h.shards {
		h.shards[i].misconfigured = ""
	}
}

// relieved notes that nothing is left of a shard's request.
func (h *health) relieved(shard int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shards[shard] = shardHealth{landedAt: h.shards[shard].landedAt}
}

// poisoned notes that a shard's request seems to break the receiver.
func (h *health) poisoned(shard int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shards[shard].poisoned = true
}

func (h *health) poisonedShards() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.shards {
		if h.shards[i].poisoned {
			n++
		}
	}
	return n
}

// landedSince says whether the receiver has judged a request of another shard since
// a time.
func (h *health) landedSince(since time.Time, shard int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.shards {
		if i != shard && h.shards[i].landedAt.After(since) {
			return true
		}
	}
	return false
}

// misconfigured returns what a shard hears from the receiver instead of a
// judgement.
func (h *health) misconfigured() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.shards {
		if text := h.shards[i].misconfigured; text != "" {
			return text
		}
	}
	return ""
}

// mayComplain says whether a refusal is to be logged: now and then.
func (h *health) mayComplain() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if now.Sub(h.complained) < logEvery {
		return false
	}
	h.complained = now
	return true
}

func (h *health) lastLanding() (last time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.shards {
		if h.shards[i].landedAt.After(last) {
			last = h.shards[i].landedAt
		}
	}
	return last
}
