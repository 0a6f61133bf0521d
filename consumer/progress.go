package consumer

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// progress remembers when things last happened: the watchdog and the status
// page ask it.
type progress struct {
	mu       sync.Mutex
	lastPoll time.Time
	lastLand time.Time
	lastTry  time.Time // To write dead letters.
	lastTime time.Time // The timestamp of the last record that was settled.
}

func (p *progress) begin(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastPoll, p.lastLand = now, now
}

func (p *progress) polled(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastPoll = now
}

func (p *progress) landed(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastLand = now
}

func (p *progress) tried(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastTry = now
}

func (p *progress) settled(last time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last.After(p.lastTime) {
		p.lastTime = last
	}
}

// snapshot is a copy without the lock.
func (p *progress) snapshot() (lastPoll, lastLand, lastTime time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastPoll, p.lastLand, p.lastTime
}

// last is when anything last happened.
func (p *progress) last() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.lastPoll
	for _, t := range []time.Time{p.lastLand, p.lastTry} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// Healthy is the watchdog: it fails when work is pending and for the stall
// timeout there was neither a poll nor a landing nor an attempt at one. A receiver
// or a dead-letter topic that is down while it is tried again and again is not ill
// health, nor is a rebalance. The writer tells when it last attempted something.
func (c *Consumer) Healthy(now, attempted time.Time) error {
	if !c.running.Load() || c.batchesInFlight() == 0 && !c.hasPending() {
		return nil
	}
	last := c.progress.last()
	if attempted.After(last) {
		last = attempted
	}
	if idle := now.Sub(last); idle > c.cfg.StallTimeout {
		return fmt.Errorf("work is pending, and for %s there was no poll, no landing and no attempt", idle.Round(time.Second))
	}
	return nil
}

func (c *Consumer) hasPending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending) > 0 || c.open != nil
}

// Ready says why the pipeline is not at work: it has not begun, or a partition
// cannot be fetched any more. Holding no partition is no reason: a rebalance must
// not turn a rollout into a storm of restarts.
func (c *Consumer) Ready() error {
	if !c.running.Load() {
		return errors.New("not consuming")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.leases {
		if l.failed != nil {
			return fmt.Errorf("topic %s partition %d cannot be fetched any more: %w", l.topic, l.id, l.failed)
		}
	}
	return nil
}
