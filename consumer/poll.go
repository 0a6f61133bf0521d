package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/transform"
	"github.com/kafka2prom/kafka2prom/writer"
)

// maxPollRecords bounds how long the lock is held for mapping: a few
// milliseconds.
const maxPollRecords = 5000

// maxPollWait bounds one poll, so that the clockwork of the loop (the age of the
// open batch, the ends of bounded runs) goes on where no record comes.
const maxPollWait = time.Second

// Why a batch was closed: a metric label.
const (
	closedFull   = "full"
	closedBytes  = "bytes"
	closedAge    = "age"
	closedRevoke = "revoke"
	closedEnd    = "end"
)

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
			c.client.AllowRebalance()
		}
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
	consumed := c.ledger.snapshot().consumed
	c.mapPending(ctx, now)
	c.pace(now, int(c.ledger.snapshot().consumed-consumed))
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
	if l == nil || len(f.Records) == 0 {
		return
	}
	l.lastFetch = now
	l.logStart = max(l.logStart, f.LogStartOffset)
	l.end = max(l.end, c.readable(f.HighWatermark, f.LastStableOffset))
	if l.read < 0 { // The group had no offset.
		l.begin(kgo.EpochOffset{Epoch: -1, Offset: f.Records[0].Offset})
	}
	c.noticeLoss(l, f.Records[0].Offset)
	l.read = f.Records[len(f.Records)-1].Offset + 1
	c.pending = append(c.pending, run{l, f.Records})
}

// readable is the end of what can be read of a partition.
func (c *Consumer) readable(highWatermark, lastStable int64) int64 {
	if c.cfg.Isolation == isolationUncommitted {
		return highWatermark
	}
	return lastStable
}

// mappable says that a polled record may be mapped now.
func (c *Consumer) mappable() bool {
	floor := c.eventFloor(time.Now())
	for i := range c.pending {
		if !c.ahead(c.pending[i].lease, floor) {
			return true
		}
	}
	return false
}

// mapPending maps what has been polled, oldest poll first, until the open batch is
// full and there is no further slot, or the schema registry is out of reach.
func (c *Consumer) mapPending(ctx context.Context, now time.Time) {
	if now.Before(c.notBefore) {
		return
	}
	kept := c.pending[:0]
	for i, r := range c.pending {
		if waits(kept, r.lease) {
			kept = append(kept, r)
			continue
		}
		rest, more := c.mapRun(ctx, r, now)
		if len(rest.records) > 0 {
			kept = append(kept, rest)
		}
		if !more {
			kept = append(kept, c.pending[i+1:]...)
			break
		}
	}
	clear(c.pending[len(kept):])
	c.pending = kept
}

// waits says that records of a lease have to wait: what was polled after them has
// to wait, too, because a position never goes back.
func waits(kept []run, l *lease) bool {
	return slices.ContainsFunc(kept, func(r run) bool { return r.lease == l })
}

// mapRun maps records of one partition. It returns what is left of the run, and
// whether the next run may be mapped.
func (c *Consumer) mapRun(ctx context.Context, r run, now time.Time) (rest run, more bool) {
	l := r.lease
	for len(r.records) > 0 {
		if !l.held.Load() || l.halted || l.broken || c.beyondStop(l, r.records[0]) {
			return run{}, true
		}
		if c.ahead(l, c.eventFloor(now)) {
			return r, true
		}
		if c.open == nil && c.slotGone() || ctx.Err() != nil {
			return r, false
		}
		n, err := c.mapStretch(l, r.records, now)
		r.records = r.records[n:]
		if err != nil {
			c.cannotMap(l, r.records[0], err)
			return r, false
		}
		if reason := c.full(); reason != "" {
			c.submit(reason)
		}
	}
	return r, true
}

// mapStretch maps records into the open batch until it is full, the run ends, or
// the partition gets ahead of the others. It returns how many it has mapped.
func (c *Consumer) mapStretch(l *lease, records []*kgo.Record, now time.Time) (n int, err error) {
	b := c.openBatch(now)
	p := b.at(l)
	floor, consumed := c.eventFloor(now), b.records
	for n < len(records) && c.full() == "" && !c.ahead(l, floor) && !c.beyondStop(l, records[n]) {
		if err = c.mapRecord(b, p, records[n]); err != nil {
			break
		}
		n++
	}
	c.ledger.consume(b.records - consumed)
	if n > 0 {
		p.runs = append(p.runs, stretch(records[:n]))
		l.mapped, l.epoch = p.next, p.epoch
	} else if p.next < 0 {
		b.positions = b.positions[:len(b.positions)-1]
	}
	return n, err
}

// mapRecord maps one record and moves the position behind it. A record that is
// refused under on_error: stop is left where it is.
func (c *Consumer) mapRecord(b *batch, p *position, rec *kgo.Record) error {
	if rec.Attrs.IsControl() {
		p.advance(rec)
		return nil
	}
	if !c.opts.Span.contains(rec.Timestamp) {
		b.count(p, rec)
		p.filter(rec, transform.ReasonOutOfSpan)
		p.advance(rec)
		return nil
	}
	samples, refused := len(b.out.Samples), len(b.out.Refused)
	verdict, err := c.opts.Mapper.Apply(rec, b.number, &b.out)
	if err != nil {
		return err
	}
	switch verdict {
	case transform.Filtered:
		p.filter(rec, b.out.Filtered)
	case transform.Refused:
		if c.cfg.OnError == onErrorStop {
			err := refusedError(b.out.Refused[refused:])
			b.out.Samples, b.out.Refused = b.out.Samples[:samples], b.out.Refused[:refused]
			return err
		}
		c.metrics.refused(b.out.Refused[refused:])
		if c.cfg.OnError == onErrorSkip {
			if c.skip(b, refused); len(b.out.Samples) == samples {
				p.filter(rec, transform.ReasonSkipped)
			}
		}
	case transform.Mapped:
	}
	b.count(p, rec)
	if len(b.out.Samples) > samples {
		p.lease.eventTime = b.out.MaxTimestamp
	}
	p.advance(rec)
	return nil
}

// count adds a record to the batch's measures.
func (b *batch) count(p *position, rec *kgo.Record) {
	p.records++
	b.records++
	b.bytes += recordBytes(rec)
}

// skip drops the refusals of a record, under on_error: skip. A record that gave
// samples beside them counts as written.
func (c *Consumer) skip(b *batch, from int) {
	c.metrics.skips.log(b.out.Refused[from])
	clear(b.out.Refused[from:])
	b.out.Refused = b.out.Refused[:from]
}

// cannotMap deals with a record that stays where it is: either the schema
// registry is out of reach, and it is tried again, or the pipeline stops at it.
func (c *Consumer) cannotMap(l *lease, rec *kgo.Record, err error) {
	var later *transform.RetryError
	if !errors.As(err, &later) {
		l.halted = true
		c.stop(err)
		return
	}
	c.notBefore = time.Now().Add(max(later.After, 100*time.Millisecond))
	c.metrics.mapRetries.Inc()
	c.metrics.retries.warn("mapping waits", zap.String("topic", rec.Topic), zap.Int32("partition", rec.Partition),
		zap.Int64("offset", rec.Offset), zap.Error(err))
}

// openBatch returns the open batch, a new one if there is none.
func (c *Consumer) openBatch(now time.Time) *batch {
	if c.open == nil {
		c.numbers++
		c.open = &batch{number: c.numbers, opened: now}
		if n := len(c.spare); n > 0 {
			c.open.out, c.spare = c.spare[n-1], c.spare[:n-1]
		}
	}
	return c.open
}

// full says why the open batch should be closed; "" where it should not.
func (c *Consumer) full() string {
	switch b := c.open; {
	case b == nil:
		return ""
	case len(b.out.Samples) >= c.opts.BatchSamples:
		return closedFull
	case b.bytes >= int64(c.cfg.Batch.MaxBytes), b.records >= maxBatchRecords:
		return closedBytes
	}
	return ""
}

// maxBatchRecords closes a batch whose records give few samples or none, so that
// their offsets are committed in time.
const maxBatchRecords = 1 << 20

// submit closes the open batch, if there is one, and hands it on. It does not
// block: the batch takes the slot that the loop acquired before it was opened.
// Consumer.mu is held.
func (c *Consumer) submit(reason string) {
	b := c.open
	c.open = nil
	if b == nil || b.empty() {
		return
	}
	samples := &writer.Batch{Samples: b.out.Samples, Dropped: b.out.Dropped, Held: b.held, Replayed: b.replayed}
	b.written = samples
	c.inFlight = append(c.inFlight, b)
	c.metrics.batches.WithLabelValues(reason).Inc()
	c.metrics.bytesInFlight.Add(float64(b.bytes))
	c.opts.Writer.Submit(samples)
	c.settling <- b
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
