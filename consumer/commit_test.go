package consumer

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

func TestOffsetsAreCommittedOnlyAfterTheirSamplesHaveLanded(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	g := newGate()
	b.receiver.SetHook(g.hook)
	b.produceReadings(0, "a", 0, 10)
	m := b.start()
	defer g.open()

	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "a request is on the wire")
	require.Never(t, func() bool { return b.committed(0) > 0 }, 200*time.Millisecond, 10*time.Millisecond)
	m.requireBalanced()
	require.InDelta(t, 10, m.metric("kafka2prom_records_in_flight"), 0)

	g.open()
	b.awaitCommitted(0, 10)
	b.requireStored("a", 0, 10)
	m.requireBalanced()
	require.InDelta(t, 10, m.metric("kafka2prom_records_total", "outcome", "written"), 0)
	require.Empty(t, b.receiver.Violations())
}

func TestNothingIsCommittedWhileTheReceiverFails(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	var failing atomic.Bool
	failing.Store(true)
	var refused atomic.Int64
	b.receiver.SetHook(func(*receiver.Request) receiver.Answer {
		if failing.Load() {
			refused.Add(1)
			return receiver.Answer{Status: http.StatusServiceUnavailable}
		}
		return receiver.Answer{}
	})
	b.produceReadings(0, "a", 0, 100)
	b.start()
	b.eventually(func() bool { return refused.Load() > 10 }, "the writer tries again")
	require.Zero(t, b.committed(0))
	failing.Store(false)
	b.awaitCommitted(0, 100)
	b.requireStored("a", 0, 100)
}

func TestALaterBatchIsNotCommittedBeforeAnEarlierOne(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	g := newGate()
	b.receiver.SetHook(func(q *receiver.Request) receiver.Answer {
		for _, s := range q.Series {
			if s.Labels.Get("s") == "slow" {
				<-g.opened
			}
		}
		return receiver.Answer{}
	})
	defer g.open()
	m := b.start(func(s *settings) { s.writer.Shards = 8 })
	b.produceReadings(0, "slow", 0, 1)
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "the first batch is on the wire")
	for _, series := range []string{"q", "r", "s", "t", "u"} { // One of them is in another shard than slow.
		b.produceReadings(0, series, 0, 1)
	}
	b.eventually(func() bool { return len(b.receiver.Samples()) > 0 }, "a later sample is stored")
	require.Never(t, func() bool { return b.committed(0) > 0 }, 200*time.Millisecond, 10*time.Millisecond)
	g.open()
	b.awaitCommitted(0, 6)
	m.requireBalanced()
}

func TestCommitErrorsOfEveryKindAreSurvived(t *testing.T) {
	for _, e := range []*kerr.Error{
		kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable,
		kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.RequestTimedOut, kerr.UnknownServerError,
	} {
		t.Run(e.Message, func(t *testing.T) {
			b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
			fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: e, Count: 3})
			m := b.start()
			b.produceReadings(0, "a", 0, 50)
			b.produceReadings(1, "b", 0, 50)
			b.eventually(func() bool { return fault.Hits() > 0 }, "a commit has failed")
			b.awaitCommitted(0, 50)
			b.awaitCommitted(1, 50)
			b.requireStored("a", 0, 50)
			b.requireStored("b", 0, 50)
			m.requireBalanced()
		})
	}
}

func TestRecordsWithoutSamplesAreCommittedLikeTheOthers(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	tombstone := &kgo.Record{Topic: testTopic, Key: []byte("k")}
	noValue := &kgo.Record{Topic: testTopic, Value: []byte(`{"s":"a","v":null}`)}
	b.produce(tombstone, noValue, tombstone)
	m := b.start()
	b.awaitCommitted(0, 3)
	m.requireBalanced()
	require.InDelta(t, 2, m.metric("kafka2prom_records_filtered_total", "reason", "tombstone"), 0)
	require.InDelta(t, 1, m.metric("kafka2prom_records_filtered_total", "reason", "no_value"), 0)
	require.Empty(t, b.receiver.Samples())
}

func TestStoppingLandsAndCommitsEverythingAndARestartRepeatsNothing(t *testing.T) {
	b := newBed(t, 2, receiver.Config{})
	m := b.start()
	for i := range 20 {
		b.produceReadings(0, "a", 100*i, 100)
		b.produceReadings(1, "b", 100*i, 100)
	}
	b.eventually(func() bool { return len(b.stored("a")) > 300 }, "it is under way")
	require.NoError(t, m.stop())
	m.requireBalanced()
	require.Zero(t, m.consumer.ledger.snapshot().inFlight)

	// Without an out-of-order window a repeated sample would be refused.
	again := b.start()
	b.awaitCommitted(0, 2000)
	b.awaitCommitted(1, 2000)
	b.requireStored("a", 0, 2000)
	b.requireStored("b", 0, 2000)
	require.Zero(t, again.metric("kafka2prom_refusals_total"))
	require.Empty(t, b.receiver.Violations())
}

func TestStoppingWhileTheReceiverIsDownCommitsNothingThatDidNotLand(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	var down atomic.Bool
	b.receiver.SetHook(func(*receiver.Request) receiver.Answer {
		if down.Load() {
			return receiver.Answer{Status: http.StatusBadGateway}
		}
		return receiver.Answer{}
	})
	m := b.start()
	b.produceReadings(0, "a", 0, 10)
	b.awaitCommitted(0, 10)
	down.Store(true)
	b.produceReadings(0, "a", 10, 10)
	b.eventually(func() bool { return m.metric("kafka2prom_records_in_flight") == 10 }, "records wait")
	require.NoError(t, m.stop())
	require.Equal(t, int64(10), b.committed(0))
	require.Equal(t, int64(10), m.consumer.ledger.snapshot().abandoned)
	m.requireBalanced()

	down.Store(false)
	b.start()
	b.awaitCommitted(0, 20)
	b.requireStored("a", 0, 20)
}

func TestTransactionsLeaveNoLag(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	producer, err := kgo.NewClient(
		kgo.SeedBrokers(b.cluster.ListenAddrs()...), kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	require.NoError(t, err)
	defer producer.Close()
	transaction := func(commit kgo.TransactionEndTry, from int) {
		require.NoError(t, producer.BeginTransaction())
		for i := range 5 {
			require.NoError(t, producer.ProduceSync(t.Context(), b.reading(0, "a", from+i)).FirstErr())
		}
		require.NoError(t, producer.EndTransaction(t.Context(), commit))
	}
	transaction(kgo.TryCommit, 0)
	transaction(kgo.TryAbort, 5)
	m := b.start()
	b.awaitCommitted(0, 12) // Five records and a marker, twice.
	b.requireStored("a", 0, 5)
	b.eventually(func() bool { return m.metric("kafka2prom_consumer_lag") == 0 }, "the lag is zero")
	require.InDelta(t, 5, m.metric("kafka2prom_records_consumed_total"), 0)
}

func TestMaxAttemptsUsedUpStopsThePipelineAndCommitsNothing(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.receiver.SetHook(func(*receiver.Request) receiver.Answer {
		return receiver.Answer{Status: http.StatusInternalServerError}
	})
	b.produceReadings(0, "a", 0, 10)
	m := b.start(func(s *settings) { s.writer.Retry.MaxAttempts = 3 })
	require.Error(t, m.wait())
	require.Zero(t, b.committed(0))
	m.requireBalanced()
}

func TestARefusedRecordDoesNotHideThatTheWriterHasGivenUp(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.receiver.SetHook(func(*receiver.Request) receiver.Answer {
		return receiver.Answer{Status: http.StatusInternalServerError}
	})
	b.produceReadings(0, "a", 0, 3)
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte("nonsense")})
	m := b.start(func(s *settings) {
		s.consumer.OnError, s.consumer.DeadLetter = onErrorStop, nil
		s.writer.Retry.MaxAttempts = 20
	})
	err := m.wait()
	require.ErrorContains(t, err, "offset 3")
	require.ErrorContains(t, err, "20 attempts")
	require.Zero(t, b.committed(0))
	m.requireBalanced()
}
