package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/writer"
)

// Why a batch was closed: a metric label.
const (
	closedFull   = "full"
	closedBytes  = "bytes"
	closedAge    = "age"
	closedRevoke = "revoke"
	closedEnd    = "end"
)

// openBatch returns the open batch, a new one if there is none.
func (c *Consumer) openBatch(now time.Time) *batch {
	if c.open == nil {
		c.numbers++
		c.open = &batch{number: c.numbers, opened: now}
		if n := len(c.spare); n > 0 {
			c.open.out, c.spare = c.spare[n-1], c.spare[:n-1]
		}
	}
	return c.open
}

// full says why the open batch should be closed; "" where it should not.
func (c *Consumer) full() string {
	switch b := c.open; {
	case b == nil:
		return ""
	case len(b.out.Samples) >= c.opts.BatchSamples:
		return closedFull
	case b.bytes >= int64(c.cfg.Batch.MaxBytes), b.records >= maxBatchRecords:
		return closedBytes
	}
	return ""
}

// submitFull hands the open batch on if it is full, or has no room for the first of
// the next records. Consumer.mu is held.
func (c *Consumer) submitFull(next []*kgo.Record) {
	if reason := c.full(); reason != "" {
		c.submit(reason)
	} else if len(next) > 0 && c.overflows(next[0]) {
		c.submit(closedBytes)
	}
}

// overflows says that a record would take the open batch beyond its bytes. A batch of
// one record is as large as that is, so that in_flight batches of max_bytes are
// exceeded by single records alone.
func (c *Consumer) overflows(rec *kgo.Record) bool {
	b := c.open
	return b != nil && b.records > 0 && b.bytes+recordBytes(rec) > int64(c.cfg.Batch.MaxBytes)
}

// maxBatchRecords closes a batch whose records give few samples or none, so that
// their offsets are committed in time.
const maxBatchRecords = 1 << 20

// submit closes the open batch, if there is one, and hands it on. It does not
// block: the batch takes the slot that the loop acquired before it was opened.
// Consumer.mu is held.
func (c *Consumer) submit(reason string) {
	b := c.open
	c.open = nil
	if b == nil || b.empty() {
		return
	}
	samples := &writer.Batch{Samples: b.out.Samples, Dropped: b.out.Dropped, Held: b.held, Replayed: b.replayed}
	b.written = samples
	c.inFlight = append(c.inFlight, b)
	c.metrics.batches.WithLabelValues(reason).Inc()
	c.metrics.bytesInFlight.Add(float64(b.bytes))
	c.opts.Writer.Submit(samples)
	c.settling <- b
}
