package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
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
	list := c.admin.ListCommittedOffsets
	if c.cfg.Isolation == isolationUncommitted {
		list = c.admin.ListEndOffsets
	}
	ends, err := list(ctx, topics...)
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
		}
		if o, ok := starts.Lookup(p.topic, p.id); ok && o.Err == nil {
			l.logStart = max(l.logStart, o.Offset)
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
