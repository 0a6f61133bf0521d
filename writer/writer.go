package writer

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/transform"
)

// Batch carries samples that must all have been dealt with before the offsets
// of their records may be committed.
type Batch struct {
	// Samples in poll order. The writer owns them from Submit until Landed is closed.
	Samples []transform.Sample
	// Dropped counts the samples that a rule dropped; it is only passed on to the
	// metrics, so that the equation of the samples holds.
	Dropped int
	// Held says whether a record's partition is still ours. Samples of a record that
	// is not are abandoned: its new owner sends them. It may be called from any
	// goroutine. Nil: always.
	Held func(*kgo.Record) bool
	// Replayed says whether an earlier owner may have delivered this record
	// already. Nil: never.
	Replayed func(*kgo.Record) bool

	pending atomic.Int64
	landed  chan struct{}
	mu      sync.Mutex
	refused []transform.Refusal
}

// Landed is closed when every sample has been written, refused, merged or
// abandoned.
func (b *Batch) Landed() <-chan struct{} { return b.landed }

// Refused returns the refusals of the writer, after Landed.
func (b *Batch) Refused() []transform.Refusal { return b.refused }

// Writer delivers batches to one receiver by remote write.
type Writer struct{}

// Submit takes a batch over. It never blocks; batches are submitted by one
// goroutine, in poll order.
func (w *Writer) Submit(b *Batch) {}

// Fence says that partitions have been taken from us: samples for which
// Batch.Held is false are dropped from the queues and from pending retries,
// and counted as abandoned. Requests on the wire are left alone.
func (w *Writer) Fence() {}

// Idle says that nothing is on the wire and nothing is about to be: each shard
// is empty, or waits for its next attempt.
func (w *Writer) Idle() bool { return true }

// Drain ends the writer: back-offs are abandoned at once, queued samples get one
// attempt, and what is on the wire may finish until ctx ends. When it returns,
// every batch has landed (what could not be sent counts as abandoned).
func (w *Writer) Drain(ctx context.Context) {}

// Failed is closed when the writer has given up (retry.max_attempts used up); Err
// then says why. Nothing that was not delivered counts as landed: the batches
// stay open until Drain.
func (w *Writer) Failed() <-chan struct{} { return nil }
