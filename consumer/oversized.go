package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// oversized returns the batch that a fetch error speaks of, where that batch would
// become larger than kafka.max_decompressed_bytes; nil for any other error. The
// client does not fetch the partition again until it is told to go on behind it.
func oversized(err error) *kgo.ErrDecompressTooLarge {
	e, _ := errors.AsType[*kgo.ErrDecompressTooLarge](err)
	return e
}

// oversizedError ends a pipeline under on_data_loss: fail.
func (c *Consumer) oversizedError(e *kgo.ErrDecompressTooLarge) error {
	return fmt.Errorf("topic %s partition %d: the record batch from offset %d up to %d takes more than %v once it is decompressed; "+
		"raise kafka.max_decompressed_bytes to read it, or set on_data_loss: continue to skip it",
		e.Topic, e.Partition, e.Offset, e.NextOffset-1, c.opts.Kafka.MaxDecompressedBytes)
}

// skipBatch has a partition go on behind a batch that cannot be held in memory. Its
// offsets are counted as lost, and they pass through the batches in the order of
// the log like those of any record: what is committed never gets ahead of what is in
// front of them. Consumer.mu is held.
func (c *Consumer) skipBatch(l *lease, e *kgo.ErrDecompressTooLarge) {
	j := jump{lease: l, to: kgo.EpochOffset{Epoch: e.Epoch, Offset: e.NextOffset}}
	if l.read < 0 { // The group had no offset.
		l.begin(kgo.EpochOffset{Epoch: -1, Offset: e.Offset})
		j.first = true
	}
	c.metrics.decompressed.Inc()
	lost := e.NextOffset - max(e.Offset, l.read)
	c.countLoss(l.partition, lost, "skipped a record batch that is too large once it is decompressed",
		zap.Int64("from_offset", e.NextOffset-lost), zap.Int64("to_offset", e.NextOffset-1),
		zap.Stringer("max_decompressed_bytes", c.opts.Kafka.MaxDecompressedBytes))
	l.read = e.NextOffset
	c.pending = append(c.pending, run{lease: l, skipped: j.to})
	c.jumps = append(c.jumps, j)
}

// pass moves the position of a partition behind a batch that is skipped. It
// returns what mapRun does. Consumer.mu is held.
func (c *Consumer) pass(_ context.Context, r run, now time.Time) (rest run, more bool) {
	l, next := r.lease, r.skipped.Offset
	if l.stop >= 0 {
		next = min(next, l.stop)
	}
	if !l.held.Load() || l.halted || l.broken || next <= l.mapped {
		return run{}, true
	}
	if c.open == nil && c.slotGone() {
		return r, false
	}
	p := c.openBatch(now).at(l)
	p.next, p.epoch = next, r.skipped.Epoch
	l.mapped, l.epoch = p.next, p.epoch
	return run{}, true
}

// jump is a fetch position that the client has to be told.
type jump struct {
	lease *lease
	to    kgo.EpochOffset
	// first says that the client knows no offset of the partition in the group yet.
	first bool
}

// jumpAhead tells the client where to go on fetching. The lock is not held, because
// callbacks of the client take it; and no rebalance can come in between, because
// the poll has not been left yet.
func (c *Consumer) jumpAhead() {
	c.mu.Lock()
	jumps := c.jumps
	c.jumps = nil
	c.mu.Unlock()
	for _, j := range jumps {
		if !j.lease.held.Load() {
			continue
		}
		if j.first {
			// The client moves partitions only of which it knows an offset.
			c.marks.MarkCommitOffsets(offsetsOf(j.lease.partition, kgo.EpochOffset{Epoch: -1, Offset: j.lease.began}))
		}
		// The client takes what it is told here for committed, and drops marks that are
		// older. They are compared by their epoch first: without one every mark of a
		// batch that is still in flight counts, and that of the skipped batch itself.
		c.client.SetOffsets(offsetsOf(j.lease.partition, kgo.EpochOffset{Epoch: -1, Offset: j.to.Offset}))
	}
}

func offsetsOf(p partition, at kgo.EpochOffset) map[string]map[int32]kgo.EpochOffset {
	return map[string]map[int32]kgo.EpochOffset{p.topic: {p.id: at}}
}
