package consumer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// recreate deletes the test topic and, after a while, makes it anew.
func (b *bed) recreate(partitions int32, after time.Duration) {
	b.t.Helper()
	require.NoError(b.t, b.cluster.DeleteTopic(testTopic))
	time.Sleep(after)
	require.NoError(b.t, b.cluster.CreateTopic(testTopic, partitions, nil))
	b.client.PurgeTopicsFromProducing(testTopic) // The producer holds on to the old one, too.
}

// impatient makes the client come soon to the end of the attempts after which it says
// that it does not know a topic.
func impatient(s *settings) {
	s.options.ClientOptions = append(s.options.ClientOptions, kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }))
}

func TestATopicThatIsCreatedAnewIsReadFromItsStart(t *testing.T) {
	f := func(name string, partitions int32, after time.Duration, change func(*settings)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
			m := b.start(impatient, change)
			b.produceReadings(0, "a", 0, 50)
			b.produceReadings(1, "b", 0, 50)
			b.awaitCommitted(0, 50)
			b.awaitCommitted(1, 50)
			b.recreate(partitions, after)
			b.produceReadings(0, "c", 100, 20)
			b.awaitCommitted(0, 20)
			b.requireStored("a", 0, 50)
			b.requireStored("b", 0, 50)
			b.requireStored("c", 100, 20)
			require.Equal(t, int(partitions), m.assigned())
			require.Positive(t, m.metric("kafka2prom_topics_recreated_total", "topic", testTopic))
			require.NotEmpty(t, m.logs.FilterMessageSnippet("created anew").All())
			require.NoError(t, m.consumer.Ready())
			m.requireBalanced()
		})
	}
	f("named", 2, 0, func(*settings) {})
	f("fewer partitions", 1, 0, func(*settings) {})
	f("by pattern", 2, 0, func(s *settings) { s.consumer.Topics = []string{"^readings$"} })
	f("KIP-848", 2, 0, func(s *settings) { s.consumer.GroupProtocol = protocolConsumer })
	f("some time later", 2, time.Second, func(*settings) {})
}

// What is on the way while its topic is replaced lands, and marks nothing of the new
// topic: that would skip records.
func TestWhatLandsAfterItsTopicWasCreatedAnewCommitsNothing(t *testing.T) {
	b := newBed(t, 1, receiver.Config{OutOfOrderWindow: time.Hour})
	g := newGate()
	defer g.open()
	m := b.start(impatient)
	b.produceReadings(0, "a", 0, 10)
	b.awaitCommitted(0, 10)
	b.receiver.SetHook(g.hook)
	b.produceReadings(0, "a", 10, 40)
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "a request is on the wire")
	b.recreate(1, 0)
	b.produceReadings(0, "c", 100, 20)
	b.eventually(func() bool { return m.metric("kafka2prom_topics_recreated_total") > 0 }, "the new topic is noticed")
	g.open()
	b.awaitCommitted(0, 20)
	b.requireStored("a", 0, 50)
	b.requireStored("c", 100, 20)
	require.Never(t, func() bool { return b.committed(0) != 20 }, 200*time.Millisecond, 10*time.Millisecond)
	m.requireBalanced()
}

func TestATopicThatIsCreatedAnewStopsWhereLossIsToStop(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	m := b.start(impatient, func(s *settings) { s.consumer.OnDataLoss = onDataLossFail })
	b.produceReadings(0, "a", 0, 10)
	b.awaitCommitted(0, 10)
	b.recreate(1, 0)
	b.produceReadings(0, "c", 100, 20)
	require.ErrorContains(t, m.wait(), "topic readings was deleted or created anew")
	require.Empty(t, b.stored("c"))
	require.Equal(t, int64(-1), b.committed(0))
}

func TestABoundedRunDoesNotGoOnWithATopicThatIsCreatedAnew(t *testing.T) {
	l := newLoose(t)
	l.span = &span{stops: map[partition]int64{{testTopic, 0}: 10}, settled: map[partition]int64{}}
	l.assign(0)
	l.feed(kgo.FetchPartition{Partition: 0, Err: kerr.UnknownTopicID})
	require.Len(t, l.stops, 1)
	require.ErrorIs(t, l.stops[0], kerr.UnknownTopicID)
	require.Empty(t, l.recreated)
}
