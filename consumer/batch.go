package consumer

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/transform"
)

// batch carries everything that must land before its offsets may be committed:
// the samples, the refused records, and the offsets themselves.
type batch struct {
	number    uint64
	opened    time.Time // When its first record came.
	out       transform.Output
	positions []*position
	bytes     int64 // Of the records, as they are kept in memory.
	records   int   // Consumed records, control records excluded.
	written   delivery
}

// delivery is what has become of the samples of a batch; all of it is known once
// Landed is closed. It is implemented by *writer.Batch, which says more.
type delivery interface {
	Landed() <-chan struct{}
	Refused() []transform.Refusal
	Abandoned() []*kgo.Record
}

// position is what a batch holds of one lease.
type position struct {
	lease *lease
	next  int64 // The offset to commit once the batch has landed.
	epoch int32 // The leader epoch of the record before it.

	records int // Control records excluded.
	// filtered are the offsets of the records that gave no sample, by the rule that
	// says so.
	filtered map[transform.Reason][]int64
	// runs are the records, by reference to the slices that were polled.
	runs []stretch
}

// stretch is a run of records whose offsets lie in one batch.
type stretch []*kgo.Record

// recordOverhead is what a record weighs in memory beside its bytes: the
// kgo.Record, the pointer to it and a sample.
const recordOverhead = 320

func recordBytes(r *kgo.Record) int64 {
	n := len(r.Key) + len(r.Value) + recordOverhead
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return int64(n)
}

// at returns the position of a lease, new if need be.
func (b *batch) at(l *lease) *position {
	for _, p := range slices.Backward(b.positions) {
		if p.lease == l {
			return p
		}
	}
	p := &position{lease: l, next: -1, epoch: -1}
	b.positions = append(b.positions, p)
	return p
}

// count adds a record to the batch's measures.
func (b *batch) count(p *position, rec *kgo.Record) {
	p.records++
	b.records++
	b.bytes += recordBytes(rec)
}

// empty says that the batch carries no news at all.
func (b *batch) empty() bool { return len(b.positions) == 0 }

// lease finds the lease that a record of this batch was read under.
func (b *batch) lease(r *kgo.Record) *lease {
	for _, p := range b.positions {
		if p.lease.id == r.Partition && p.lease.topic == r.Topic {
			return p.lease
		}
	}
	return nil
}

// held says whether the partition of a record is still ours. It is called by
// writer shards, for samples that are about to be sent after a fence.
func (b *batch) held(r *kgo.Record) bool {
	l := b.lease(r)
	return l != nil && l.held.Load()
}

// replayed says whether an earlier owner may have delivered the record.
func (b *batch) replayed(r *kgo.Record) bool {
	l := b.lease(r)
	return l != nil && r.Offset < l.replayedUntil.Load()
}

// filter counts a record that gave no sample, by a named rule.
func (p *position) filter(rec *kgo.Record, reason transform.Reason) {
	if p.filtered == nil {
		p.filtered = make(map[transform.Reason][]int64, 2)
	}
	p.filtered[reason] = append(p.filtered[reason], rec.Offset)
}

// advance moves the position behind a record.
func (p *position) advance(r *kgo.Record) {
	p.next, p.epoch = r.Offset+1, r.LeaderEpoch
}
