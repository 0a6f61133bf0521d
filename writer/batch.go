package writer

import (
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

	pending   atomic.Int64
	landed    chan struct{}
	mu        sync.Mutex
	refused   []transform.Refusal
	abandoned []*kgo.Record
}

// Landed is closed when every sample has been written, refused, merged or
// abandoned. It may be asked for once the batch has been submitted.
func (b *Batch) Landed() <-chan struct{} { return b.landed }

// Refused returns the refusals of the writer, after Landed. One that is not Exact
// is a candidate: the receiver has refused some of the samples that were sent
// together, and stored the others, or has not been asked about each alone.
func (b *Batch) Refused() []transform.Refusal { return b.refused }

// Abandoned returns the records of which a sample was given up unsent, by Fence or
// by Drain, after Landed: the consumer does not commit them. A record may appear
// more than once.
func (b *Batch) Abandoned() []*kgo.Record { return b.abandoned }

// open prepares the batch for its way through the shards.
func (b *Batch) open() {
	b.landed = make(chan struct{})
	b.pending.Store(int64(len(b.Samples)))
	if len(b.Samples) == 0 {
		close(b.landed)
	}
}

// settle says that n more samples have been dealt with.
func (b *Batch) settle(n int) {
	if b.pending.Add(int64(-n)) == 0 {
		close(b.landed)
	}
}

// refuse keeps a refusal. The sample is settled by whoever calls.
func (b *Batch) refuse(r transform.Refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = append(b.refused, r)
}

// abandon keeps a record of which a sample is given up. The sample is settled by
// whoever calls.
func (b *Batch) abandon(rec *kgo.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.abandoned); n > 0 && b.abandoned[n-1] == rec {
		return
	}
	b.abandoned = append(b.abandoned, rec)
}

func (b *Batch) held(rec *kgo.Record) bool {
	return b.Held == nil || b.Held(rec)
}

func (b *Batch) replayed(rec *kgo.Record) bool {
	return b.Replayed != nil && b.Replayed(rec)
}
