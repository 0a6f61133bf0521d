package consumer

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// refuseCommits leaves a member like one that is killed: what has landed from here on
// is not committed, not even when it stops.
func (b *bed) refuseCommits() (end func()) {
	fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.UnknownServerError, Count: -1})
	return fault.Remove
}

func startingAt(start string) func(*settings) {
	return func(s *settings) { s.consumer.Start = start }
}

// What the first owner had read comes again, and what was written while nobody was
// there comes as well.
func TestARestartBeforeTheFirstCommitBeginsWhereTheFirstOwnerDid(t *testing.T) {
	f := func(start string) {
		t.Run(start, func(t *testing.T) {
			b := newBed(t, 1, receiver.Config{OutOfOrderWindow: time.Hour})
			g := newGate()
			b.receiver.SetHook(g.hook)
			defer g.open()
			b.produceReadings(0, "old", 0, 5)
			hasty := func(s *settings) { s.consumer.ShutdownTimeout = 20 * time.Millisecond }
			first := b.start(startingAt(start), hasty)
			b.awaitCommitted(0, 5)
			b.produceReadings(0, "a", 0, 10)
			b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "a request is on the wire")
			require.NoError(t, first.stop())
			require.Equal(t, int64(5), b.committed(0))
			g.open()

			b.produceReadings(0, "a", 10, 10)
			second := b.start(startingAt(start))
			b.awaitCommitted(0, 25)
			b.requireStored("a", 0, 20)
			require.Empty(t, b.stored("old"))
			require.Equal(t, int64(20), second.ledger().consumed)
		})
	}
	f("latest")
	f("-1m")
	f(time.Now().Add(-time.Minute).Format(time.RFC3339))
}

func TestWhatTheOwnerBeforeTheFirstCommitHasStoredIsNotDeadLettered(t *testing.T) {
	b := newBed(t, 1, receiver.Config{}) // No window: what comes again is refused.
	first := b.start()
	b.awaitCommitted(0, 0)
	commit := b.refuseCommits()
	b.produceReadings(0, "a", 0, 10)
	b.eventually(func() bool { return first.ledger().written == 10 }, "all has landed")
	require.NoError(t, first.stop())
	require.Zero(t, b.committed(0))
	commit()

	second := b.start()
	b.awaitCommitted(0, 10)
	b.requireStored("a", 0, 10)
	require.InDelta(t, 9, second.metric("kafka2prom_records_filtered_total", "reason", "possibly_stored"), 0, "all but the newest")
	require.Empty(t, b.deadLetters())
	second.requireBalanced()
}

func TestTheBacklogOfANewGroupIsNoReplay(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produceReadings(0, "a", 10, 1)
	other := b.start(func(s *settings) { s.consumer.Group = "other" })
	b.eventually(func() bool { return other.ledger().written == 1 }, "the other group has written it")
	require.NoError(t, other.stop())

	b.produceReadings(0, "a", 5, 1)
	m := b.start()
	b.awaitCommitted(0, 2)
	letters := b.deadLetters()
	require.Len(t, letters, 1)
	require.Equal(t, "refused", header(letters[0], headerReason))
	require.Zero(t, m.metric("kafka2prom_records_filtered_total", "reason", "possibly_stored"))
}

func TestNothingIsFetchedBeforeItsStartIsCommitted(t *testing.T) {
	b := newBed(t, 2, receiver.Config{})
	var committed, early atomic.Bool
	b.cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		committed.Store(true)
		return nil, nil, false
	})
	b.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		early.Store(early.Load() || !committed.Load())
		return nil, nil, false
	})
	b.produceReadings(0, "a", 0, 10)
	b.start()
	b.awaitCommitted(0, 10)
	b.awaitCommitted(1, 0)
	require.False(t, early.Load())
}

// The records land behind a gate: what is committed is the start alone.
func TestAStartThatCannotBeCommittedAtOnceIsCommittedWithTheNextCommit(t *testing.T) {
	f := func(name, start string, fault kfake.Fault) {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
			g := newGate()
			b.receiver.SetHook(g.hook)
			defer g.open()
			b.produceReadings(0, "old", 0, 5)
			fault.Partitions, fault.Err, fault.Count = []int32{0}, kerr.NotLeaderForPartition, -1
			failing := b.cluster.Fault(fault)
			m := b.start(startingAt(start))
			b.eventually(func() bool { return m.logs.FilterLevelExact(zap.WarnLevel).Len() > 0 }, "it has failed, and says so")
			require.Equal(t, int64(-1), b.committed(0))
			failing.Remove()
			for s := range 10 {
				r := b.reading(0, "a", s)
				r.Timestamp = time.Now()
				b.produce(r)
			}
			want := int64(5)
			if start == "earliest" {
				want = 0
			}
			b.awaitCommitted(0, want)
			g.open()
			b.awaitCommitted(0, 15)
			b.requireStored("a", 0, 10)
		})
	}
	f("latest not listed", "latest", kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}})
	f("latest not committed", "latest", kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}})
	f("earliest not committed", "earliest", kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}})
}
