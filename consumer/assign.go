package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
)

// maxRevokeDrain bounds how long a revocation waits for requests on the wire,
// whatever the rebalance timeout allows.
const maxRevokeDrain = 20 * time.Second

// offsetsFetched learns the committed offsets of what is about to be assigned: lag
// and loss are counted from them. What has none gets its start.
func (c *Consumer) offsetsFetched(ctx context.Context, client *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	unstarted := c.noteFetched(resp)
	if len(unstarted) == 0 {
		return nil
	}
	return c.fixStarts(ctx, client, unstarted)
}

// noteFetched returns the partitions that are held and have no committed offset.
func (c *Consumer) noteFetched(resp *kmsg.OffsetFetchResponse) (unstarted []partition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, group := range resp.Groups { // The client puts answers of old brokers here, too.
		for _, t := range group.Topics {
			for _, answer := range t.Partitions {
				p := partition{t.Topic, answer.Partition}
				c.noteCommitted(p, kgo.EpochOffset{Epoch: answer.LeaderEpoch, Offset: answer.Offset})
				if l := c.leases[p]; l != nil && l.began < 0 && answer.ErrorCode == 0 {
					unstarted = append(unstarted, p)
				}
			}
		}
	}
	return unstarted
}

// noteCommitted keeps a committed offset for the lease, whether the assignment
// has been called back yet or not.
func (c *Consumer) noteCommitted(p partition, at kgo.EpochOffset) {
	if at.Offset < 0 {
		return
	}
	c.start[p] = at
	if l := c.leases[p]; l != nil && l.read < 0 {
		c.startLease(l)
	}
}

// startLease gives a lease the offset at which its partition is resumed.
func (c *Consumer) startLease(l *lease) {
	at, ok := c.start[l.partition]
	if !ok {
		return
	}
	l.begin(at)
	l.settled = at.Offset
	// What the previous owner may have delivered beyond its last commit is bounded by
	// what it may have had in flight, and by what it delivers in a commit interval (as
	// much again); and by the end of the log, as soon as that is known.
	l.replayedUntil.Store(at.Offset + int64(2*c.cfg.Batch.InFlight*c.opts.BatchSamples))
}

// assigned starts leases. Pauses outlive a rebalance inside the client, so every
// new partition is resumed.
func (c *Consumer) assigned(_ context.Context, client *kgo.Client, assigned map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, n := time.Now(), 0
	for topic, ids := range assigned {
		for _, id := range ids {
			l := c.leases.add(partition{topic, id}, now)
			l.stop = c.span.stop(l.partition)
			c.startLease(l)
			n++
		}
	}
	client.ResumeFetchPartitions(assigned)
	if n > 0 {
		c.metrics.rebalances.WithLabelValues("assigned").Inc()
		c.log.Info("partitions assigned", zap.Int("partitions", n), zap.Int("held", len(c.leases)))
		c.lookAtBounds()
	}
}

// revoked gives partitions back in good order: the open batch is closed, what is
// on the wire may land (never a back-off, and never for longer than the group
// can wait), what has landed is committed, and only then the leases end. A late
// acknowledgement finds its lease ended, and marks nothing.
func (c *Consumer) revoked(ctx context.Context, _ *kgo.Client, revoked map[string][]int32) {
	if len(revoked) == 0 {
		return // The end of a group session; nothing is taken away.
	}
	if c.running.Load() {
		c.leave(revoked)
		drain, cancel := context.WithTimeout(ctx, min(maxRevokeDrain, c.cfg.RebalanceTimeout/3))
		c.awaitWire(drain)
		cancel()
		c.commitMarked()
	}
	c.endLeases(revoked, "revoked")
}

// leave closes the open batch. Nothing more is mapped of what is revoked: it would
// only have to come again. Consumer.mu is not held.
func (c *Consumer) leave(revoked map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, ids := range revoked {
		for _, id := range ids {
			if l := c.leases[partition{topic, id}]; l != nil {
				l.halted = true
			}
		}
	}
	c.submit(closedRevoke)
}

// lost ends leases at once: the partitions may have another owner already, so
// nothing may be committed any more.
func (c *Consumer) lost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	c.endLeases(lost, "lost")
}

// endLeases fences partitions: from here on nothing that was read under their
// leases is marked, and what has not been sent yet is dropped, because the new
// owner sends it. The open batch is closed, so that no batch ever holds a partition
// under two leases: it could not tell whose a record is.
func (c *Consumer) endLeases(taken map[string][]int32, how string) {
	c.mu.Lock()
	ended := c.leases.take(taken)
	for _, l := range ended {
		l.held.Store(false)
		delete(c.start, l.partition)
	}
	kept := c.pending[:0]
	for _, r := range c.pending {
		if r.lease.held.Load() {
			kept = append(kept, r)
		}
	}
	clear(c.pending[len(kept):])
	c.pending = kept
	if len(ended) > 0 {
		c.submit(closedRevoke)
	}
	c.mu.Unlock()
	if len(ended) == 0 {
		return
	}
	c.opts.Writer.Fence()
	c.metrics.rebalances.WithLabelValues(how).Inc()
	c.log.Info("partitions "+how, zap.Int("partitions", len(ended)))
}

// awaitWire returns when every batch in flight has been settled, or when those
// that have not wait for nothing but back-offs, or when ctx ends.
func (c *Consumer) awaitWire(ctx context.Context) {
	tick := time.NewTicker(settlePoll)
	defer tick.Stop()
	for c.onWire() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *Consumer) onWire() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.inFlight) == 0 {
		return false
	}
	if landed(c.inFlight[0]) {
		return c.letters == nil || !c.letters.backingOff.Load()
	}
	return !c.opts.Writer.Idle()
}
