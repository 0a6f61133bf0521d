package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"
)

// How often the bounds of the logs are asked for, and whether a bounded run has
// ended.
const (
	boundsInterval = 10 * time.Second
	endInterval    = 250 * time.Millisecond
)

// watchBounds keeps the ends and the starts of the logs up to date, also of
// partitions that give no records, and ends a bounded run.
func (c *Consumer) watchBounds(ctx context.Context) {
	c.warnMissing(ctx)
	bounds := time.NewTicker(boundsInterval)
	defer bounds.Stop()
	var ends <-chan time.Time
	if c.span != nil {
		ticker := time.NewTicker(endInterval)
		defer ticker.Stop()
		ends = ticker.C
		c.endIfDone(ctx)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-bounds.C:
			c.warnMissing(ctx)
			c.readBounds(ctx)
		case <-c.relag:
			c.readBounds(ctx)
		case <-ends:
			c.endIfDone(ctx)
		}
	}
}

// lookAtBounds asks for a look at the bounds soon.
func (c *Consumer) lookAtBounds() {
	select {
	case c.relag <- struct{}{}:
	default:
	}
}

func (c *Consumer) endIfDone(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, boundsInterval)
	defer cancel()
	done, err := c.ended(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		c.metrics.retries.warn("looking whether the run has ended failed; trying again", zap.Error(err))
	case done:
		c.stop(errEnded)
	}
}

// readBounds asks the brokers for the bounds of every partition that is held.
func (c *Consumer) readBounds(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, boundsInterval)
	defer cancel()
	topics := c.heldTopics()
	if len(topics) == 0 {
		return
	}
	ends, err := c.listEnds(ctx, topics...)
	if err == nil {
		var starts kadm.ListedOffsets
		if starts, err = c.admin.ListStartOffsets(ctx, topics...); err == nil {
			c.noteBounds(starts, ends)
			return
		}
	}
	if ctx.Err() == nil {
		c.metrics.retries.warn("asking for the ends of the logs failed; lag is out of date", zap.Error(err))
	}
}

func (c *Consumer) heldTopics() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[string]bool{}
	var topics []string
	for p := range c.leases {
		if !seen[p.topic] {
			seen[p.topic] = true
			topics = append(topics, p.topic)
		}
	}
	return topics
}

func (c *Consumer) noteBounds(starts, ends kadm.ListedOffsets) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, l := range c.leases {
		if o, ok := ends.Lookup(p.topic, p.id); ok && o.Err == nil {
			l.end = max(l.end, o.Offset)
			l.boundReplay(o.Offset)
		}
		if o, ok := starts.Lookup(p.topic, p.id); ok && o.Err == nil {
			l.logStart = max(l.logStart, o.Offset)
		}
	}
}

// boundReplay says where the log ended soon after the assignment: what came later
// no earlier owner can have delivered.
func (l *lease) boundReplay(end int64) {
	if !l.replayBounded && l.read >= 0 {
		l.replayBounded = true
		l.replayedUntil.Store(min(l.replayedUntil.Load(), end))
	}
}

// warnMissing tells of topics that are named and not there: they are waited for.
func (c *Consumer) warnMissing(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, boundsInterval)
	defer cancel()
	var named []string
	for _, t := range c.cfg.Topics {
		if !isPattern(t) {
			named = append(named, t)
		}
	}
	if len(named) == 0 {
		return
	}
	topics, err := c.admin.ListTopics(ctx, named...)
	if err != nil {
		return // The client has its own words for brokers that are out of reach.
	}
	for _, t := range named {
		if errors.Is(topics[t].Err, kerr.UnknownTopicOrPartition) {
			c.metrics.retries.warn("topic " + t + " does not exist; waiting for it")
		}
	}
}

// lag sums up how far behind the pipeline is on what it holds.
func (c *Consumer) lag() (records int64) {
	for _, l := range c.leases {
		records += l.lag()
	}
	return records
}
