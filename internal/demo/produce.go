package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// history is the span before the start that the first records are from. Less than
// an hour: a database without an out-of-order window takes all of it, however far
// the partitions drift apart.
const history = 50 * time.Minute

// liveHistory is how many records that is where the stream goes on.
const liveHistory = 20_000

// tick is how often the live stream produces.
const tick = 50 * time.Millisecond

// Produce produces the records, and returns when the broker has all of them. Where
// there is no end, ctx is the end.
func (d *Demo) Produce(ctx context.Context) error {
	first := d.opts.Records
	if first == 0 {
		first = liveHistory
	}
	start, step := d.began.Add(-history), history/time.Duration(first)
	paced := d.opts.Records > 0 && d.opts.Rate > 0
	for i := 0; i < first && ctx.Err() == nil; i++ {
		if paced && !pause(ctx, d.due(i)) {
			break
		}
		if err := d.send(ctx, start.Add(time.Duration(i)*step)); err != nil {
			return err
		}
	}
	if d.opts.Records == 0 {
		if err := d.goOn(ctx); err != nil {
			return err
		}
	}
	if err := d.producer.Flush(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	_, err := d.ledger.snapshot()
	return err
}

// due is when a record of a stream with an end and a rate is produced.
func (d *Demo) due(i int) time.Time {
	return d.began.Add(time.Duration(float64(i) / d.opts.Rate * float64(time.Second)))
}

// goOn produces at the rate, in real time, until ctx ends.
func (d *Demo) goOn(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	began, sent := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			for due := int(now.Sub(began).Seconds() * d.opts.Rate); sent < due; sent++ {
				if err := d.send(ctx, now); err != nil {
					return err
				}
			}
		}
	}
}

// send produces the next record of the stream. What was begun is finished, also
// when ctx ends.
func (d *Demo) send(ctx context.Context, at time.Time) error {
	r, err := d.stream.read(at)
	if err != nil {
		return err
	}
	d.producer.Produce(context.WithoutCancel(ctx), r.record, func(rec *kgo.Record, err error) { d.ledger.add(r, rec, err) })
	return nil
}

// pause waits for a time; it is false when ctx ends first.
func pause(ctx context.Context, until time.Time) bool {
	if ctx.Err() != nil {
		return false
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// errStuck is what Settle says when nothing moves any more.
var errStuck = errors.New("the pipelines have made no progress")

// Settle waits until the pipelines have committed everything that was produced, and
// everything that is in the dead-letter topics has been read. It gives up when
// nothing moves for the patience.
func (d *Demo) Settle(ctx context.Context, patience time.Duration) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last, moved := int64(-1), time.Now()
	for {
		lag := d.cluster.lag()
		if lag == 0 && d.lettersRead() {
			return nil
		}
		if lag != last {
			last, moved = lag, time.Now()
		}
		if time.Since(moved) > patience {
			return fmt.Errorf("%w for %s: %d records are not committed", errStuck, patience, lag)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the pipelines: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

func (d *Demo) lettersRead() bool {
	for _, topic := range []string{deadLetters(sensorTopic), deadLetters(meterTopic)} {
		if !d.letters.caughtUp(topic, d.cluster.end(topic, 0)) {
			return false
		}
	}
	return true
}
