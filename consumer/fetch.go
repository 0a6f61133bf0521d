package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// fetchError judges the error that a poll brought for a partition (or, with no
// lease, for the client). The client has already retried what can be retried.
// Consumer.mu is held.
func (c *Consumer) fetchError(ctx context.Context, l *lease, f kgo.FetchTopicPartition) {
	if ctx.Err() != nil || errors.Is(f.Err, context.DeadlineExceeded) || errors.Is(f.Err, context.Canceled) {
		return // The poll's own end.
	}
	c.metrics.fetchErrors.Inc()
	var loss *kgo.ErrDataLoss
	var session *kgo.ErrGroupSession
	switch {
	case errors.Is(f.Err, kgo.ErrClientClosed):
		return
	case errors.As(f.Err, &loss):
		c.countLoss(f.Topic, f.Partition, max(0, loss.ConsumedTo-loss.ResetTo), "the broker lost records that had been consumed", f.Err)
		if c.cfg.OnDataLoss == onDataLossFail {
			c.stop(fmt.Errorf("topic %s partition %d: %w", f.Topic, f.Partition, f.Err))
		}
	case errors.As(f.Err, &session):
		c.metrics.retries.warn("the group session failed; joining again", zap.Error(f.Err))
	case errors.Is(f.Err, kerr.OffsetOutOfRange) && l != nil:
		c.stop(fmt.Errorf("topic %s partition %d: retention has removed records from offset %d on before they were read; set on_data_loss: continue to go on from the start of the log: %w", f.Topic, f.Partition, l.read, f.Err))
	case errors.Is(f.Err, kerr.UnknownTopicID):
		c.stop(fmt.Errorf("topic %s was deleted or created anew while it was read: its offsets mean other records now; restart the program, and reset the group's offsets for the topic if it was created anew: %w", f.Topic, f.Err))
	case l != nil && !kerr.IsRetriable(f.Err):
		l.failed = f.Err
		c.metrics.retries.warn("a partition cannot be fetched any more; the others go on",
			zap.String("topic", f.Topic), zap.Int32("partition", f.Partition), zap.Int64("offset", l.read), zap.Error(f.Err))
	default:
		c.metrics.retries.warn("fetching failed; trying again", zap.String("topic", f.Topic), zap.Int32("partition", f.Partition), zap.Error(f.Err))
	}
}

const onDataLossFail = "fail"

// noticeLoss counts the records that retention removed before they were read:
// the log starts behind the offset that was expected, and what came first is
// not older. Gaps of compacted and transactional logs do not count. Consumer.mu
// is held.
func (c *Consumer) noticeLoss(l *lease, first int64) {
	if l.read < 0 || l.logStart <= l.read || first < l.logStart {
		return
	}
	lost := l.logStart - l.read
	l.read = l.logStart
	c.countLoss(l.topic, l.id, lost, "retention removed records before they were read", nil)
	if c.cfg.OnDataLoss == onDataLossFail {
		c.stop(fmt.Errorf("topic %s partition %d: retention removed %d records before they were read (on_data_loss is fail)", l.topic, l.id, lost))
	}
}

func (c *Consumer) countLoss(topic string, id int32, lost int64, what string, err error) {
	c.metrics.lost.WithLabelValues(topic).Add(float64(lost))
	c.log.Error(what, zap.String("topic", topic), zap.Int32("partition", id), zap.Int64("records", lost), zap.Error(err))
}

// closeGaps ends bounded partitions whose last offsets hold no record (they were
// compacted away): nothing of them is pending, and either a record behind the
// stop has come, or the log can be read up to the stop and fetching has brought
// nothing for a while. Consumer.mu is held.
func (c *Consumer) closeGaps(now time.Time) {
	if c.span == nil {
		return
	}
	quiet := 3*c.opts.Kafka.FetchMaxWait + time.Second
	for _, l := range c.leases {
		if l.stop < 0 || l.mapped >= l.stop || l.logStart >= l.stop || l.failed != nil || l.halted || c.isPending(l) {
			continue
		}
		reached := l.read >= l.stop || l.end >= l.stop && now.Sub(l.lastFetch) >= quiet
		if !reached || c.open == nil && c.slotGone() {
			continue
		}
		p := c.openBatch(now).at(l)
		p.next, p.epoch = l.stop, l.epoch
		l.mapped = l.stop
	}
}

// allMapped says that a bounded run has nothing left to map on what it holds.
// Consumer.mu is held.
func (c *Consumer) allMapped() bool {
	if c.span == nil {
		return false
	}
	for _, l := range c.leases {
		if l.stop >= 0 && l.mapped < l.stop && l.logStart < l.stop {
			return false
		}
	}
	return true
}

func (c *Consumer) isPending(l *lease) bool {
	for i := range c.pending {
		if c.pending[i].lease == l {
			return true
		}
	}
	return false
}

// beyondStop says that a record lies behind the end of a bounded run.
func (c *Consumer) beyondStop(l *lease, rec *kgo.Record) bool {
	return l.stop >= 0 && rec.Offset >= l.stop
}
