package consumer

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// taken are partitions of the test topic, as the callbacks get them.
func taken(ids ...int32) map[string][]int32 { return map[string][]int32{testTopic: ids} }

// A batch that held an ended lease and its successor could not tell the one's
// records from the other's.
func TestNoBatchHoldsTwoLeasesOfAPartition(t *testing.T) {
	for name, take := range map[string]func(*loose){
		"lost":    func(l *loose) { l.lost(context.Background(), l.client, taken(0)) },
		"revoked": func(l *loose) { l.revoked(context.Background(), l.client, taken(0)) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoose(t)
			l.assign(0)
			l.poll(0, 0, 5)
			take(l)
			l.assign(0)
			l.poll(0, 3, 10)
			require.Len(t, l.inFlight, 1)
			again := l.open.out.Samples[0].Record
			require.Equal(t, int64(3), again.Offset)
			require.True(t, l.open.held(again))
			require.False(t, l.inFlight[0].held(l.inFlight[0].out.Samples[0].Record))
			require.Positive(t, l.sink.fences)

			l.settleNext(landing())
			require.Equal(t, int64(-1), l.marks.last(partition{testTopic, 0}))
			l.submit(closedEnd)
			l.settleNext(landing())
			require.Equal(t, int64(10), l.marks.last(partition{testTopic, 0}))
			l.requireBalanced(t)
			require.Equal(t, int64(5), l.ledger.snapshot().abandoned)
		})
	}
}

func TestNothingMoreIsMappedOfAPartitionThatIsBeingRevoked(t *testing.T) {
	l := newLoose(t)
	l.assign(0, 1)
	l.pending = []run{
		{lease: l.lease(0), records: []*kgo.Record{looseRecord(0, 0)}},
		{lease: l.lease(1), records: []*kgo.Record{looseRecord(1, 0)}},
	}
	l.running.Store(true)
	l.leave(taken(0))
	l.feed()
	require.Empty(t, l.mappedOffsets(0), "its next owner maps it")
	require.Equal(t, []int64{0}, l.mappedOffsets(1))
	require.Empty(t, l.pending)
	l.requireBalanced(t)
}

func TestALeaseThatIsLostWithoutAnAssignmentIsNothing(t *testing.T) {
	l := newLoose(t)
	l.lost(t.Context(), l.client, taken(0, 1))
	l.lost(t.Context(), l.client, nil)
	l.revoked(t.Context(), l.client, taken(0))
	require.Zero(t, l.sink.fences)
	require.Empty(t, l.leases)
}

func TestALeaseThatIsRevokedTwiceEndsOnce(t *testing.T) {
	l := newLoose(t)
	l.assign(0)
	l.revoked(t.Context(), l.client, taken(0))
	l.revoked(t.Context(), l.client, taken(0))
	require.Equal(t, 1, l.sink.fences)
}

func TestAssigningResumesWhatWasPausedInAnEarlierAssignment(t *testing.T) {
	l := newLoose(t)
	l.client.PauseFetchPartitions(taken(0, 1))
	l.assign(0)
	require.Equal(t, []int32{1}, l.paused())
}

func TestAFetchThatCarriesAnErrorAndRecordsLosesNeither(t *testing.T) {
	l := newLoose(t)
	l.assign(0, 1)
	l.feed(
		kgo.FetchPartition{Partition: 0, Err: errors.New("corrupt batch"), Records: []*kgo.Record{looseRecord(0, 0)}},
		kgo.FetchPartition{Partition: 1, Records: []*kgo.Record{looseRecord(1, 0)}},
	)
	require.Equal(t, []int64{0}, l.mappedOffsets(0))
	require.Equal(t, []int64{0}, l.mappedOffsets(1))
	require.ErrorContains(t, l.Ready(), "not consuming")
	l.running.Store(true)
	require.ErrorContains(t, l.Ready(), "topic readings partition 0 cannot be fetched any more: corrupt batch")
	require.Equal(t, "corrupt batch", l.Status().Partitions[0].Error)
	require.Empty(t, l.Status().Partitions[1].Error)
	require.Empty(t, l.stops)
}

// What is dropped because the partition is being revoked is no gap of the log.
func TestAPartitionThatIsBeingRevokedIsNotTakenToBeAtItsEnd(t *testing.T) {
	l := newLoose(t)
	l.span = &span{stops: map[partition]int64{{testTopic, 0}: 10}, settled: map[partition]int64{}}
	l.assign(0)
	f := l.lease(0)
	f.read, f.mapped = 10, 4
	l.pending = []run{{lease: f, records: []*kgo.Record{looseRecord(0, 9)}}}
	l.leave(taken(0))
	l.feed()
	require.Nil(t, l.open)
	require.Equal(t, int64(4), f.mapped)
}

func TestRecordsOfALeaseThatHasEndedMeanwhileAreNotTakenIn(t *testing.T) {
	l := newLoose(t)
	l.assign(0, 1)
	l.lost(t.Context(), l.client, taken(0))
	l.feed(
		kgo.FetchPartition{Partition: 0, Records: []*kgo.Record{looseRecord(0, 0)}},
		kgo.FetchPartition{Partition: 1, Records: []*kgo.Record{looseRecord(1, 0)}},
	)
	require.Empty(t, l.mappedOffsets(0))
	require.Equal(t, []int64{0}, l.mappedOffsets(1))
	require.Len(t, l.leases, 1)
}

func TestTheEndOfASessionThatTakesNothingAwayLeavesTheOpenBatchOpen(t *testing.T) {
	l := newLoose(t)
	l.running.Store(true)
	l.assign(0)
	l.poll(0, 0, 5)
	l.revoked(t.Context(), l.client, nil)
	require.NotNil(t, l.open)
	require.Len(t, l.leases, 1)
	require.Zero(t, l.sink.fences)
}

func TestARevocationWaitsForTheWireAndNeverForABackOff(t *testing.T) {
	f := func(name string, want bool, prepare func(*loose)) {
		t.Helper()
		l := newLoose(t, func(c *Config, _ *Options) {
			c.OnError, c.DeadLetter = onErrorDeadLetter, &DeadLetterConfig{Topic: deadTopic}
		})
		l.assign(0)
		prepare(l)
		require.Equal(t, want, l.onWire(), name)
	}
	submitted := func(v *verdicts) func(*loose) {
		return func(l *loose) {
			l.poll(0, 0, 5)
			l.submit(closedAge)
			l.inFlight[0].written = v
		}
	}
	waiting := &verdicts{landed: make(chan struct{})}
	f("nothing is in flight", false, func(*loose) {})
	f("a request is on the wire", true, submitted(waiting))
	f("the writer waits for its next attempt", false, func(l *loose) {
		submitted(waiting)(l)
		l.sink.idle = true
	})
	f("dead letters are being written", true, func(l *loose) {
		submitted(landing())(l)
		l.sink.idle = true
	})
	f("dead letters wait for their next attempt", false, func(l *loose) {
		submitted(landing())(l)
		l.letters.backingOff.Store(true)
	})
}

// The offsets of an earlier assignment are not those of the next: others have
// committed meanwhile.
func TestAPartitionThatComesBackStartsAtWhatIsCommittedThen(t *testing.T) {
	l := newLoose(t)
	p := partition{testTopic, 0}
	l.noteCommitted(p, kgo.EpochOffset{Epoch: 3, Offset: 10})
	l.assign(0)
	require.Equal(t, int64(10), l.lease(0).read)
	l.revoked(t.Context(), l.client, taken(0))
	l.assign(0)
	require.Equal(t, int64(-1), l.lease(0).read)
	l.noteCommitted(p, kgo.EpochOffset{Epoch: -1, Offset: -1}) // The group has none.
	require.Equal(t, int64(-1), l.lease(0).read)
	l.noteCommitted(p, kgo.EpochOffset{Epoch: 4, Offset: 500})
	require.Equal(t, int64(500), l.lease(0).read)
	require.Equal(t, int64(500), l.lease(0).settled)
}

func TestWhatAnEarlierOwnerMayHaveDeliveredIsBounded(t *testing.T) {
	f := func(end, first, behind int64) {
		t.Helper()
		l := newLoose(t, func(c *Config, o *Options) { c.Batch.InFlight, o.BatchSamples = 2, 5 })
		l.noteCommitted(partition{testTopic, 0}, kgo.EpochOffset{Epoch: 3, Offset: 100})
		l.assign(0)
		ends := kadm.ListedOffsets{testTopic: {0: {Topic: testTopic, Partition: 0, Offset: end}}}
		l.noteBounds(nil, ends)
		ends[testTopic][0] = kadm.ListedOffset{Topic: testTopic, Partition: 0, Offset: end + 50}
		l.noteBounds(nil, ends) // What has come since then is new.
		b := &batch{}
		b.at(l.lease(0))
		require.True(t, b.replayed(looseRecord(0, int(first))))
		require.False(t, b.replayed(looseRecord(0, int(behind))))
	}
	f(1000, 119, 120) // Two batches of five samples, twice.
	f(110, 109, 110)  // The log had no more.
	f(120, 119, 120)
}
