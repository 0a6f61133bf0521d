package consumer

import (
	"slices"
	"sync"
	"sync/atomic"
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

// seldom leaves committing to revocations and to the end.
func seldom(s *settings) { s.consumer.CommitInterval = time.Hour }

// eager gives all partitions back in each rebalance.
func eager(s *settings) { s.consumer.Balancer = balancerRange }

// The same member gets the same partition again while a request of its first
// assignment is on the wire. Only the lease tells the two apart.
func TestAnAcknowledgementOfAnEndedAssignmentMarksNothingInTheNext(t *testing.T) {
	b := newBed(t, 1, receiver.Config{OutOfOrderWindow: time.Hour})
	first, again := newGate(), newGate()
	var requests atomic.Int32
	b.receiver.SetHook(func(q *receiver.Request) receiver.Answer {
		if q.Samples > 0 && requests.Add(1) == 1 {
			return first.hook(q)
		}
		return again.hook(q)
	})
	defer again.open()
	defer first.open()
	b.produceReadings(0, "a", 0, 10)
	m := b.start(eager, quickRebalance)
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "a request is on the wire")
	before := m.metric("kafka2prom_rebalances_total", "kind", "assigned")
	m.consumer.client.ForceRebalance()
	b.eventually(func() bool { return m.metric("kafka2prom_rebalances_total", "kind", "assigned") > before }, "it is assigned again")
	b.eventually(func() bool { return m.ledger().consumed == 20 }, "its records are read again")

	first.open()
	b.eventually(func() bool { return m.ledger().abandoned == 10 }, "what was read first is abandoned")
	require.Never(t, func() bool { return b.committed(0) > 0 }, 300*time.Millisecond, 10*time.Millisecond)
	again.open()
	b.awaitCommitted(0, 10)
	b.requireStored("a", 0, 10)
	m.requireBalanced()
}

func TestWhatIsQueuedWhenPartitionsAreLostIsNotSent(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	g := newGate()
	var sent atomic.Int64
	b.receiver.SetHook(func(q *receiver.Request) receiver.Answer {
		sent.Add(int64(q.Samples))
		return g.hook(q)
	})
	defer g.open()
	b.produceReadings(0, "a", 0, 5)
	m := b.start(func(s *settings) { s.writer.Shards = 1 })
	b.eventually(func() bool { return sent.Load() == 5 }, "a request is on the wire")
	b.produceReadings(0, "a", 5, 20)
	b.eventually(func() bool {
		return m.metric("kafka2prom_records_in_flight") == 25 && m.metric("kafka2prom_batches_in_flight") > 1
	}, "more is queued")
	m.consumer.lost(t.Context(), m.consumer.client, taken(0))
	g.open()
	b.eventually(func() bool { return m.ledger().abandoned == 25 }, "all of it is abandoned")
	require.Equal(t, int64(5), sent.Load(), "their next owner sends the rest")
	require.Zero(t, b.committed(0))
	m.requireBalanced()
}

// blocking is a mapper that holds the loop up in the middle of taking a poll in.
type blocking struct {
	mapper
	once     sync.Once
	entered  chan struct{}
	released *gate
}

func (m *blocking) Apply(rec *kgo.Record, batch uint64, out *transform.Output) (transform.Verdict, error) {
	m.once.Do(func() {
		close(m.entered)
		<-m.released.opened
	})
	return m.mapper.Apply(rec, batch, out)
}

// Records that were polled under one assignment and taken in under the next would
// move the position over what the next one reads.
func TestNoRebalanceComesBetweenAPollAndTakingItIn(t *testing.T) {
	b := newBed(t, 2, receiver.Config{})
	var mu sync.Mutex
	var joins []string
	b.cluster.ControlKey(int16(kmsg.JoinGroup), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		joins = append(joins, kreq.(*kmsg.JoinGroupRequest).MemberID)
		return nil, nil, false
	})
	b.produceReadings(0, "a", 0, 10)
	b.produceReadings(1, "b", 0, 10)
	inner, err := transform.NewMapper(b.defaults().mapping, transform.Options{})
	require.NoError(t, err)
	slow := &blocking{mapper: inner, entered: make(chan struct{}), released: newGate()}
	defer slow.released.open()
	first := b.start(func(s *settings) { s.mapper = slow })
	<-slow.entered
	id, _ := first.consumer.client.GroupMetadata()
	mu.Lock()
	joins = nil
	mu.Unlock()
	second := b.start()
	require.Never(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Contains(joins, id)
	}, 500*time.Millisecond, 10*time.Millisecond, "it joins again only when the poll is taken in")
	slow.released.open()
	b.eventually(func() bool { return first.assigned() == 1 && second.assigned() == 1 }, "each has one partition")
	b.awaitCommitted(0, 10)
	b.awaitCommitted(1, 10)
	b.requireStored("a", 0, 10)
	b.requireStored("b", 0, 10)
}

func TestARevocationCommitsInItsCallbackWhatHasLanded(t *testing.T) {
	b := newBed(t, 2, receiver.Config{}) // No window: a repeated sample would be refused.
	b.produceReadings(0, "a", 0, 10)
	b.produceReadings(1, "b", 0, 10)
	first := b.start(seldom, eager)
	b.eventually(func() bool { return first.ledger().written == 20 }, "all has landed")
	require.Zero(t, b.committed(0))
	second := b.start(seldom, eager)
	b.eventually(func() bool { return first.assigned() == 1 && second.assigned() == 1 }, "each has one partition")
	require.Equal(t, int64(10), b.committed(0))
	require.Equal(t, int64(10), b.committed(1))
	require.Zero(t, first.ledger().abandoned+second.ledger().consumed)
}

// The broker forgets the member: it learns of it by a heartbeat, and its partitions
// may have another owner by then. What has landed is not committed, and comes again.
func TestASessionThatIsLostCommitsNothingAndLosesNothing(t *testing.T) {
	b := newBed(t, 1, receiver.Config{OutOfOrderWindow: time.Hour})
	b.produceReadings(0, "a", 0, 10)
	var commits atomic.Int64
	b.cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		commits.Add(1)
		return nil, nil, false
	})
	m := b.start(seldom)
	b.eventually(func() bool { return m.ledger().written == 10 }, "all has landed")
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, Count: 1})
	b.eventually(func() bool { return m.metric("kafka2prom_rebalances_total", "kind", "lost") == 1 }, "the session is lost")
	b.eventually(func() bool { return m.ledger().written == 20 }, "the records come again")
	require.Equal(t, int64(1), commits.Load(), "that of the start: another owner may have gone on already")
	require.NoError(t, m.stop())
	require.Equal(t, int64(10), b.committed(0))
	b.requireStored("a", 0, 10)
	m.requireBalanced()
}

func TestSessionsThatAreLostUnderLoadLoseNoRecord(t *testing.T) {
	b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
	b.receiver.SetHook(func(*receiver.Request) receiver.Answer { return receiver.Answer{Before: 5 * time.Millisecond} })
	m := b.start(func(s *settings) { s.writer.MaxSamples, s.writer.Shards = 20, 2 })
	const seconds = 600
	for s := 0; s < seconds; s += 20 {
		b.produceReadings(0, "a", s, 20)
		b.produceReadings(1, "b", s, 20)
		if s%200 == 0 {
			b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, Count: 1})
		}
	}
	b.eventually(func() bool { return m.metric("kafka2prom_rebalances_total", "kind", "lost") > 0 }, "a session is lost")
	b.awaitCommitted(0, seconds)
	b.awaitCommitted(1, seconds)
	b.requireStored("a", 0, seconds)
	b.requireStored("b", 0, seconds)
	m.requireBalanced()
}

func TestDeadLettersOfAPartitionThatIsLostAreGivenUp(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: deadTopic, Err: kerr.InvalidRequiredAcks, Count: -1})
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte("nonsense")})
	m := b.start()
	b.eventually(func() bool { return fault.Hits() > 0 }, "the letter cannot be written")
	m.consumer.lost(t.Context(), m.consumer.client, taken(0))
	b.eventually(func() bool { return m.ledger().abandoned == 1 }, "its next owner writes it")
	fault.Remove()
	require.Zero(t, m.metric("kafka2prom_batches_in_flight"))
	require.Empty(t, b.deadLetters())
	require.Zero(t, b.committed(0))
	m.requireBalanced()
}
