package consumer

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// partition names a partition of a topic.
type partition struct {
	topic string
	id    int32
}

// lease is one assignment of one partition: from the callback that assigned it
// to the one that took it away. It is never reused, so that work of an old
// assignment cannot be mistaken for work of a new one. Its fields are guarded by
// Consumer.mu, but for held.
type lease struct {
	partition

	// held is cleared once, when the partition is revoked or lost. Offsets are
	// marked only while it is set, under Consumer.mu, because Kafka does not check
	// who commits. Writer shards read it without the lock.
	held atomic.Bool

	// began is where reading began; -1: not known yet.
	began int64
	// read is the offset after the last record that was polled, or where
	// polling starts; -1: not known yet.
	read int64
	// mapped is the offset after the last record that was mapped into a batch; as read
	// otherwise.
	mapped int64
	// epoch is the leader epoch of the record before mapped, or of the committed offset;
	// -1: none. The client ignores marks of an older one.
	epoch int32
	// settled is the offset after the last record whose batch has landed; -1: none
	// in this assignment, and no committed offset.
	settled int64
	// halted is set at a record that stops the pipeline, and while the partition is
	// being revoked: nothing more is mapped.
	halted bool
	// broken is set when a record could not be settled (refused under on_error: stop,
	// abandoned by a drain): nothing behind it may be marked any more.
	broken bool
	// replayedUntil bounds the records that an earlier owner may have delivered
	// without committing; 0: none. Writer shards read it without the lock.
	replayedUntil atomic.Int64
	// replayBounded says that the end of the log at the time of the assignment has
	// been taken into account in it.
	replayBounded bool

	// logStart and end are the last known bounds of the log; end is what can be
	// read: the last stable offset under read_committed. -1: not known.
	logStart, end int64
	// stop is the offset at which a bounded run ends; -1: none.
	stop int64

	// eventTime is the newest sample timestamp, in milliseconds, of the last record
	// that gave samples. 0: none yet.
	eventTime int64
	// paused says that fetching is paused because the partition is ahead of the
	// others or has reached its stop.
	paused bool
	// failed is the error after which the client no longer fetches the partition.
	failed error
	// lastFetch is when the partition last gave something, or was assigned.
	lastFetch time.Time
}

func newLease(p partition, now time.Time) *lease {
	l := &lease{partition: p, began: -1, read: -1, mapped: -1, epoch: -1, settled: -1, logStart: -1, end: -1, stop: -1, lastFetch: now}
	l.held.Store(true)
	return l
}

// begin says where reading begins.
func (l *lease) begin(at kgo.EpochOffset) {
	l.began, l.read, l.mapped, l.epoch = at.Offset, at.Offset, at.Offset, at.Epoch
}

// lag is the number of offsets between what has been settled, or where reading
// began, and the end of what can be read; 0 where either is unknown.
func (l *lease) lag() int64 {
	if l.end < 0 || l.began < 0 {
		return 0
	}
	return max(0, l.end-max(l.settled, l.began, l.logStart))
}

// done says that a bounded run has nothing more to settle here.
func (l *lease) done() bool {
	return l.stop >= 0 && (l.settled >= l.stop || l.logStart >= l.stop)
}

// run is a stretch of polled records of one partition that have not been mapped
// yet, in offset order; or, without records, offsets that are skipped.
type run struct {
	lease   *lease
	records []*kgo.Record
	// skipped is where the partition goes on behind them; zero: there are none.
	skipped kgo.EpochOffset
}

func (r *run) empty() bool { return len(r.records) == 0 && r.skipped.Offset == 0 }

// leases is the table of the current assignment.
type leases map[partition]*lease

func (t leases) add(p partition, now time.Time) *lease {
	l := newLease(p, now)
	t[p] = l
	return l
}

// take ends the leases of the given partitions and removes them from the table.
func (t leases) take(assigned map[string][]int32) []*lease {
	var taken []*lease
	for topic, ids := range assigned {
		for _, id := range ids {
			p := partition{topic, id}
			if l := t[p]; l != nil {
				taken = append(taken, l)
				delete(t, p)
			}
		}
	}
	return taken
}
