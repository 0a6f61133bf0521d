package consumer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

func TestASpanBeginsWithItsFirstInstantAndEndsBeforeItsLast(t *testing.T) {
	from := time.UnixMilli(1_700_000_000_000)
	to := from.Add(time.Second)
	s := Span{Replay: true, From: from, To: to}
	for at, want := range map[time.Time]bool{
		from.Add(-time.Nanosecond): false, from: true, to.Add(-time.Nanosecond): true, to: false,
	} {
		require.Equal(t, want, s.contains(at), at)
		require.True(t, Span{}.contains(at))
	}
	require.Equal(t, from.UnixMilli(), ceilMilli(from))
	require.Equal(t, from.UnixMilli()+1, ceilMilli(from.Add(time.Nanosecond)), "an earlier millisecond lies before it")
}

func TestAPartitionThatIsNewDuringABoundedRunIsLeftAlone(t *testing.T) {
	known, unknown := partition{testTopic, 0}, partition{testTopic, 7}
	s := &span{stops: map[partition]int64{known: 10}}
	require.Equal(t, int64(10), s.stop(known))
	require.Equal(t, int64(0), s.stop(unknown))
	require.Equal(t, int64(-1), (*span)(nil).stop(known), "without bounds nothing ends")
}

func TestASlackEndsAReplayBeforeTheEndOfTheLog(t *testing.T) {
	b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
	b.produceReadings(0, "a", 0, 60)
	b.produceReadings(0, "late", 12, 1) // Behind a record that is later than the slack.
	m := b.start(b.replay(10, 20), func(s *settings) { s.options.Span.Slack = 5 * time.Second })
	require.NoError(t, m.wait())
	b.requireStored("a", 10, 10)
	require.Empty(t, b.stored("late"))
	require.InDelta(t, 5, m.metric("kafka2prom_records_filtered_total", "reason", "out_of_span"), 0, "20 to 24")
	_, total := m.consumer.Done()
	require.Equal(t, int64(15), total, "and nothing of the empty partition")
	m.requireBalanced()
}

func TestAReplayEndsOnlyWhenEverythingHasLanded(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	g := newGate()
	b.receiver.SetHook(g.hook)
	defer g.open()
	b.produceReadings(0, "a", 0, 10)
	m := b.start(b.replay(0, 10), func(s *settings) { s.consumer.ShutdownTimeout = 20 * time.Millisecond })
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "a request is on the wire")
	require.Never(t, func() bool { return m.ledger().abandoned > 0 }, 600*time.Millisecond, 10*time.Millisecond)
	g.open()
	require.NoError(t, m.wait())
	b.requireStored("a", 0, 10)
}

func TestARunThatCannotAskForTheCommittedOffsetsGoesOn(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	g := newGate()
	b.receiver.SetHook(g.hook)
	defer g.open()
	b.produceReadings(0, "a", 0, 10)
	m := b.start(untilEnd, func(s *settings) { s.consumer.ShutdownTimeout = 20 * time.Millisecond })
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "it is under way")
	fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	b.eventually(func() bool { return fault.Hits() > 1 }, "it has asked in vain")
	fault.Remove()
	g.open()
	require.NoError(t, m.wait())
	require.Equal(t, int64(10), b.committed(0))
	b.requireStored("a", 0, 10)
}

// What an open transaction holds back cannot be read yet: a bounded run does not wait
// for it.
func TestUntilEndEndsAtAnOpenTransaction(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produceReadings(0, "a", 0, 5)
	producer, err := kgo.NewClient(kgo.SeedBrokers(b.cluster.ListenAddrs()...), kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer producer.Close()
	require.NoError(t, producer.BeginTransaction())
	require.NoError(t, producer.ProduceSync(t.Context(), b.reading(0, "a", 5)).FirstErr())
	require.NoError(t, b.start(untilEnd).wait())
	require.Equal(t, int64(5), b.committed(0))
	b.requireStored("a", 0, 5)
	require.NoError(t, producer.EndTransaction(t.Context(), kgo.TryCommit))
}

func TestRecordsOutsideOfTheSpanMoveThePositionLikeTheOthers(t *testing.T) {
	l := newLoose(t, func(_ *Config, o *Options) {
		o.Span = Span{Replay: true, Group: "replay", To: looseRecord(0, 3).Timestamp}
	})
	l.assign(0)
	l.poll(0, 0, 5)
	l.submit(closedAge)
	l.settleNext(landing())
	require.Equal(t, int64(5), l.marks.last(partition{testTopic, 0}))
	require.Equal(t, int64(2), l.ledger.snapshot().filtered[transform.ReasonOutOfSpan])
	l.requireBalanced(t)
}

func TestRecordsHoldBackThoseBehindThemWhereARateIsSet(t *testing.T) {
	l := newLoose(t, func(_ *Config, o *Options) { o.Span.Rate = 0.001 })
	l.assign(0)
	l.poll(0, 0, 2)
	require.True(t, l.notBefore.After(time.Now()))
	l.poll(0, 2, 4)
	require.Equal(t, []int64{0, 1}, l.mappedOffsets(0))
	_, poll := l.nextStep(time.Now())
	require.False(t, poll, "what has been polled comes first")
}
