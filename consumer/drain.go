package consumer

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

// drain settles what has been consumed, and commits it.
func (c *Consumer) drain(ctx context.Context, cause error, giveUp context.CancelFunc) {
	c.mu.Lock()
	c.pending = nil
	c.submit(closedEnd)
	close(c.settling)
	c.mu.Unlock()

	if _, refused := errors.AsType[*RefusedError](cause); refused {
		c.landRest(ctx)
	}
	timeout, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.ShutdownTimeout)
	defer cancel()
	c.opts.Writer.Drain(timeout)
	c.awaitSettled(timeout)
	giveUp()
	c.awaitSettled(context.Background())
	c.commitMarked()
}

// landRest waits until everything before a refused record has landed, however long
// that takes. Only another request to stop cuts it short, or a writer that has given
// up.
func (c *Consumer) landRest(ctx context.Context) {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-waiting.Done():
		case <-c.opts.Writer.Failed():
			cancel()
		}
	}()
	c.awaitSettled(waiting)
}

// commitTimeout bounds the commits of a revocation and of the end.
const commitTimeout = 10 * time.Second

// commitMarked commits what is marked. It is called where the group cannot take
// partitions away meanwhile: in its own callback, and at the end.
func (c *Consumer) commitMarked() {
	if c.opts.Span.direct() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	if err := c.client.CommitMarkedOffsets(ctx); err != nil {
		c.metrics.commits.WithLabelValues("failed").Inc()
		c.log.Error("committing offsets failed; the records since the last commit will come again", zap.Error(err))
		return
	}
	c.metrics.commits.WithLabelValues("ok").Inc()
}

// awaitSettled returns when no batch is in flight, or ctx ends.
func (c *Consumer) awaitSettled(ctx context.Context) {
	tick := time.NewTicker(settlePoll)
	defer tick.Stop()
	for c.batchesInFlight() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// settlePoll is how often the few places that wait for batches look again.
const settlePoll = 2 * time.Millisecond

func (c *Consumer) batchesInFlight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.inFlight)
}

// logUncommitted says how many records will come again.
func (c *Consumer) logUncommitted() {
	n := c.ledger.snapshot()
	c.log.Info("stopped consuming",
		zap.Int64("records_consumed", n.consumed),
		zap.Int64("records_uncommitted", n.abandoned+n.inFlight),
	)
}

// leaveTimeout bounds leaving the group. By then everything is committed; where
// the group cannot be left (it waits for another member, or the broker is gone)
// the session times out instead.
const leaveTimeout = 5 * time.Second

// close leaves the group and ends the clients.
func (c *Consumer) close(disconnect context.CancelFunc) {
	timer := time.AfterFunc(leaveTimeout, disconnect)
	defer disconnect()
	defer timer.Stop()
	if c.client != nil {
		c.client.CloseAllowingRebalance()
	}
	c.side.Close()
}
