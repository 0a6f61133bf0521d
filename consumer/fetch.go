package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// fetchError judges the error that a poll brought for a partition (or, with no
// lease, for the client). The client has already retried what can be retried.
// Consumer.mu is held.
func (c *Consumer) fetchError(ctx context.Context, l *lease, f kgo.FetchTopicPartition) {
	if ctx.Err() != nil || pollEnded(f.Err) {
		return
	}
	c.metrics.fetchErrors.Inc()
	if loss, ok := errors.AsType[*kgo.ErrDataLoss](f.Err); ok {
		c.countLoss(partition{f.Topic, f.Partition}, max(0, loss.ConsumedTo-loss.ResetTo), "the broker lost records that had been consumed")
	}
	if err := c.hopeless(l, f); err != nil {
		c.stop(err)
		return
	}
	at := []zap.Field{zap.String("topic", f.Topic), zap.Int32("partition", f.Partition), zap.Error(f.Err)}
	_, session := errors.AsType[*kgo.ErrGroupSession](f.Err)
	switch {
	case l != nil && oversized(f.Err) != nil:
		// It is skipped, after the records in front of it.
	case isRecreated(f.Err):
		c.anew(f.Topic)
	case session:
		c.metrics.retries.warn("the group session failed; joining again", zap.Error(f.Err))
	case l != nil && !kerr.IsRetriable(f.Err):
		l.failed = f.Err
		c.metrics.retries.warn("a partition cannot be fetched any more; the others go on", append(at, zap.Int64("offset", l.read))...)
	default:
		c.metrics.retries.warn("fetching failed; trying again", at...)
	}
}

// pollEnded says that an error is the poll's own end.
func pollEnded(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed)
}

// hopeless returns the error with which a fetch error ends the pipeline; nil where
// it goes on.
func (c *Consumer) hopeless(l *lease, f kgo.FetchTopicPartition) error {
	_, lost := errors.AsType[*kgo.ErrDataLoss](f.Err)
	switch {
	case lost && c.cfg.OnDataLoss == onDataLossFail:
		return fmt.Errorf("topic %s partition %d: %w", f.Topic, f.Partition, f.Err)
	case oversized(f.Err) != nil && c.cfg.OnDataLoss == onDataLossFail:
		return c.oversizedError(oversized(f.Err))
	case errors.Is(f.Err, kerr.OffsetOutOfRange) && l != nil:
		return fmt.Errorf("topic %s partition %d: retention has removed records from offset %d on before they were read; set on_data_loss: continue to go on from the start of the log: %w",
			f.Topic, f.Partition, l.read, f.Err)
	case isRecreated(f.Err) && (c.bound() || c.cfg.OnDataLoss == onDataLossFail):
		return fmt.Errorf("topic %s was deleted or created anew while it was read: its offsets mean other records now; restart the program, and reset the group's offsets for the topic if it was created anew: %w",
			f.Topic, f.Err)
	}
	return nil
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
	c.countLoss(l.partition, lost, "retention removed records before they were read")
	if c.cfg.OnDataLoss == onDataLossFail {
		c.stop(fmt.Errorf("topic %s partition %d: retention removed %d records before they were read (on_data_loss is fail)", l.topic, l.id, lost))
	}
}

// countLoss counts records that are gone, and says so.
func (c *Consumer) countLoss(p partition, lost int64, what string, more ...zap.Field) {
	c.metrics.lost.WithLabelValues(p.topic).Add(float64(lost))
	c.log.Error(what, append(more, zap.String("topic", p.topic), zap.Int32("partition", p.id), zap.Int64("records", lost))...)
}
