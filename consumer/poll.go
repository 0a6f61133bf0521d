package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// maxPollRecords bounds how long the lock is held for mapping: a few
// milliseconds.
const maxPollRecords = 5000

// maxPollWait bounds one poll, so that the clockwork of the loop (the age of the
// open batch, the ends of bounded runs) goes on where no record comes.
const maxPollWait = time.Second

// consume polls and maps until ctx ends. The loop does not poll while all slots
// are taken: that is the whole back-pressure, heartbeats go on meanwhile.
func (c *Consumer) consume(ctx context.Context) {
	haveSlot := false // It is not given back at the end: the drain submits what is open.
	for ctx.Err() == nil {
		if !haveSlot {
			select {
			case c.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		wait, poll := c.nextStep(time.Now())
		var fetches kgo.Fetches
		switch {
		case poll:
			pollCtx, cancel := context.WithTimeout(ctx, wait)
			fetches = c.client.PollRecords(pollCtx, c.pollLimit())
			cancel()
		case wait > 0:
			sleep(ctx, wait)
		}
		haveSlot = c.intake(ctx, fetches)
		if poll {
			c.jumpAhead()
			c.client.AllowRebalance()
		}
		c.subscribeAnew(ctx)
		c.progress.polled(time.Now())
	}
}

// nextStep says how long the loop may wait, and whether it is to poll: not while
// records that were polled before can be mapped, nor while mapping has to wait.
func (c *Consumer) nextStep(now time.Time) (wait time.Duration, poll bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait, poll = maxPollWait, true
	if now.Before(c.notBefore) {
		wait, poll = min(wait, c.notBefore.Sub(now)), false
	} else if c.mappable() {
		return 0, false
	}
	if c.open != nil {
		wait = min(wait, max(0, c.open.opened.Add(c.cfg.Batch.MaxAge).Sub(now)))
	}
	return wait, poll
}

// pollLimit is how many records the next poll may bring.
func (c *Consumer) pollLimit() int {
	if c.limiter != nil {
		return min(maxPollRecords, c.limiter.Burst())
	}
	return maxPollRecords
}

// intake takes a poll in: every record gets its lease, and is mapped as far as
// the open batch has room. It reports whether the loop still has its slot.
func (c *Consumer) intake(ctx context.Context, fetches kgo.Fetches) (haveSlot bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	fetches.EachPartition(func(f kgo.FetchTopicPartition) { c.receive(ctx, f, now) })
	consumed := c.ledger.consumed()
	c.mapPending(ctx, now)
	c.pace(now, int(c.ledger.consumed()-consumed))
	c.closeGaps(now)
	c.alignFetching()
	if b := c.open; b != nil && !now.Before(b.opened.Add(c.cfg.Batch.MaxAge)) {
		c.submit(closedAge)
	} else if c.allMapped() {
		c.submit(closedEnd)
	}
	return !c.slotGone()
}

// pace holds mapping back after n records, where a rate is set.
func (c *Consumer) pace(now time.Time, n int) {
	if c.limiter == nil || n == 0 {
		return
	}
	for burst := c.limiter.Burst(); n > 0; n -= burst {
		c.notBefore = now.Add(c.limiter.ReserveN(now, min(n, burst)).DelayFrom(now))
	}
}

// slotGone says that the slot of the loop went with a batch: what the loop holds
// is one slot more than there are batches in flight, or none.
func (c *Consumer) slotGone() bool { return len(c.slots) <= len(c.inFlight) }

// receive takes one partition's part of a poll: bounds of the log, error, records.
// An error does not make the records beside it go away.
func (c *Consumer) receive(ctx context.Context, f kgo.FetchTopicPartition, now time.Time) {
	l := c.leases[partition{f.Topic, f.Partition}]
	if f.Err != nil {
		c.fetchError(ctx, l, f)
	}
	if l == nil {
		return
	}
	if len(f.Records) > 0 {
		c.take(l, f, now)
	}
	if e := oversized(f.Err); e != nil && c.cfg.OnDataLoss != onDataLossFail {
		c.skipBatch(l, e)
	}
}

// take takes in the records that a poll brought for a lease.
func (c *Consumer) take(l *lease, f kgo.FetchTopicPartition, now time.Time) {
	if f.Err == nil {
		l.failed = nil // What it was has passed.
	}
	l.lastFetch = now
	l.logStart = max(l.logStart, f.LogStartOffset)
	l.end = max(l.end, c.readable(f.HighWatermark, f.LastStableOffset))
	if l.read < 0 { // The group had no offset, and could not be given one.
		c.beginWith(l, f.Records[0])
	}
	c.noticeLoss(l, f.Records[0].Offset)
	l.read = f.Records[len(f.Records)-1].Offset + 1
	c.pending = append(c.pending, run{lease: l, records: f.Records})
}

// readable is the end of what can be read of a partition.
func (c *Consumer) readable(highWatermark, lastStable int64) int64 {
	if c.cfg.Isolation == isolationUncommitted {
		return highWatermark
	}
	return lastStable
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
