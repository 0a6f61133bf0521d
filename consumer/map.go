package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/transform"
)

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
		advance := c.mapRun
		if len(r.records) == 0 {
			advance = c.pass
		}
		rest, more := advance(ctx, r, now)
		if !rest.empty() {
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
		c.submitFull(r.records)
	}
	return r, true
}

// mapStretch maps records into the open batch until it is full, the run ends, or
// the partition gets ahead of the others. It returns how many it has mapped.
func (c *Consumer) mapStretch(l *lease, records []*kgo.Record, now time.Time) (n int, err error) {
	b := c.openBatch(now)
	p := b.at(l)
	floor, consumed := c.eventFloor(now), b.records
	for n < len(records) && c.full() == "" && !c.overflows(records[n]) && !c.ahead(l, floor) && !c.beyondStop(l, records[n]) {
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
	before := b.out
	verdict, err := c.opts.Mapper.Apply(rec, b.number, &b.out)
	if err != nil {
		return err
	}
	switch verdict {
	case transform.Filtered:
		p.filter(rec, b.out.Filtered)
	case transform.Refused:
		if c.cfg.OnError == onErrorStop {
			err := refusedError(b.out.Refused[len(before.Refused):])
			b.out = before
			return err
		}
		c.metrics.refused(b.out.Refused[len(before.Refused):])
		if c.cfg.OnError == onErrorSkip {
			c.skip(b, p, &before)
		}
	case transform.Mapped:
	}
	b.count(p, rec)
	if len(b.out.Samples) > len(before.Samples) {
		p.lease.eventTime = b.out.MaxTimestamp
	}
	p.advance(rec)
	return nil
}

// skip drops the refusals of a record, under on_error: skip. A record that gave
// samples beside them counts as written.
func (c *Consumer) skip(b *batch, p *position, before *transform.Output) {
	first := b.out.Refused[len(before.Refused)]
	c.metrics.skips.log(first)
	clear(b.out.Refused[len(before.Refused):])
	b.out.Refused = before.Refused
	if len(b.out.Samples) == len(before.Samples) {
		p.filter(first.Record, transform.ReasonSkipped)
	}
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
