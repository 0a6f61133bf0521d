package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

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
		reached := l.read >= l.stop || l.end >= l.stop && now.Sub(l.lastFetch) >= quiet
		if !reached || !l.short() || l.failed != nil || l.halted || c.isPending(l) {
			continue
		}
		if c.open == nil && c.slotGone() {
			return
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
		if l.short() {
			return false
		}
	}
	return true
}

// short says that offsets are left to map before the stop.
func (l *lease) short() bool {
	return l.stop >= 0 && l.mapped < l.stop && l.logStart < l.stop
}

func (c *Consumer) isPending(l *lease) bool {
	return waits(c.pending, l)
}

// beyondStop says that a record lies behind the end of a bounded run.
func (c *Consumer) beyondStop(l *lease, rec *kgo.Record) bool {
	return l.stop >= 0 && rec.Offset >= l.stop
}
