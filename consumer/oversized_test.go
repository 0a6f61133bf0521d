package consumer

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// bombs produces n batches to a partition, one after the other, each of which
// becomes a hundred times larger than cautious allows.
func (b *bed) bombs(partition int32, n int) {
	b.t.Helper()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(b.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.ProducerBatchMaxBytes(4<<20),
	)
	require.NoError(b.t, err)
	defer client.Close()
	for range n {
		bomb := &kgo.Record{Topic: testTopic, Partition: partition, Value: bytes.Repeat([]byte(" "), 1600<<10)}
		require.NoError(b.t, client.ProduceSync(context.Background(), bomb).FirstErr())
	}
}

func cautious(s *settings) { s.options.Kafka.MaxDecompressedBytes = 16 << 10 }

func failOnLoss(s *settings) { s.consumer.OnDataLoss = onDataLossFail }

func TestABatchThatIsTooLargeIsSkippedAndCounted(t *testing.T) {
	b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
	b.produceReadings(0, "a", 0, 20)
	b.bombs(0, 2)
	b.produceReadings(0, "a", 20, 20)
	b.produceReadings(1, "b", 0, 20)
	m := b.start(cautious)
	b.awaitCommitted(0, 42)
	b.awaitCommitted(1, 20)
	b.requireStored("a", 0, 40)
	b.requireStored("b", 0, 20)
	require.InDelta(t, 2, m.metric("kafka2prom_records_lost_total"), 0)
	require.InDelta(t, 2, m.metric("kafka2prom_limit_exceeded_total"), 0)
	require.NoError(t, m.consumer.Ready(), "the partition goes on")
	lines := m.logs.FilterMessage("skipped a record batch that is too large once it is decompressed").All()
	require.Len(t, lines, 2)
	require.Subset(t, lines[1].ContextMap(), map[string]any{
		"topic": testTopic, "partition": int32(0), "from_offset": int64(21), "to_offset": int64(21), "records": int64(1),
		"max_decompressed_bytes": "16KiB",
	})
	m.requireBalanced()
}

// The client has no offset of the partition then, neither of the group nor of a
// record that it has seen.
func TestABatchThatIsTooLargeMayBeAllThatThereIs(t *testing.T) {
	f := func(name string, change func(*settings)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			b := newBed(t, 1, receiver.Config{})
			b.bombs(0, 1)
			m := b.start(cautious, change)
			b.awaitCommitted(0, 1)
			b.bombs(0, 1)
			b.awaitCommitted(0, 2)
			b.produceReadings(0, "a", 0, 5)
			b.awaitCommitted(0, 7)
			b.requireStored("a", 0, 5)
			require.InDelta(t, 2, m.metric("kafka2prom_records_lost_total"), 0)
			m.requireBalanced()
		})
	}
	f("classic", func(*settings) {})
	f("uncommitted", func(s *settings) { s.consumer.Isolation = isolationUncommitted })
}

func TestABatchThatIsTooLargeIsNotCommittedBeforeWhatIsInFrontOfIt(t *testing.T) {
	g := newGate()
	b := newBed(t, 1, receiver.Config{OutOfOrderWindow: time.Hour, Hook: g.hook})
	t.Cleanup(g.open)
	b.produceReadings(0, "a", 0, 20)
	b.bombs(0, 1)
	m := b.start(cautious)
	b.eventually(func() bool { return m.metric("kafka2prom_records_lost_total") == 1 }, "it is skipped")
	b.eventually(func() bool { return m.consumer.batchesInFlight() > 0 }, "what is in front of it is in flight")
	time.Sleep(5 * m.consumer.cfg.CommitInterval)
	require.Zero(t, b.committed(0))
	g.open()
	b.awaitCommitted(0, 21)
	b.requireStored("a", 0, 20)
}

func TestABatchThatIsTooLargeEndsThePipelineThatMustNotLose(t *testing.T) {
	b := newBed(t, 1, receiver.Config{OutOfOrderWindow: time.Hour})
	b.produceReadings(0, "a", 0, 20)
	b.bombs(0, 1)
	m := b.start(cautious, failOnLoss)
	require.ErrorContains(t, m.wait(), "topic readings partition 0: the record batch from offset 20 up to 20 takes more than 16KiB")
	b.requireStored("a", 0, 20)
	require.Equal(t, int64(20), b.committed(0))
	require.Zero(t, m.metric("kafka2prom_records_lost_total"), "nothing is lost: it is still there to be read")
}

func TestABoundedRunEndsBehindABatchThatIsTooLarge(t *testing.T) {
	b := newBed(t, 1, receiver.Config{OutOfOrderWindow: time.Hour})
	b.produceReadings(0, "a", 0, 20)
	b.bombs(0, 1)
	require.NoError(t, b.start(cautious, untilEnd).wait())
	require.Equal(t, int64(21), b.committed(0))
	b.requireStored("a", 0, 20)
}

func TestAReplayEndsBehindABatchThatIsTooLarge(t *testing.T) {
	b := newBed(t, 1, receiver.Config{OutOfOrderWindow: time.Hour})
	b.bombs(0, 1)
	b.produceReadings(0, "a", 0, 20)
	b.bombs(0, 1)
	require.NoError(t, b.start(cautious, func(s *settings) { s.options.Span = Span{Replay: true} }).wait())
	b.requireStored("a", 0, 20)
	require.Equal(t, int64(-1), b.committed(0))
}

// A fetch may bring the records in front of the batch beside the error.
func TestRecordsInFrontOfABatchThatIsTooLargeAreTaken(t *testing.T) {
	l := newLoose(t)
	l.assign(0)
	partition := kgo.FetchPartition{
		Partition: 0, HighWatermark: 9, LastStableOffset: 9, Records: []*kgo.Record{looseRecord(0, 0), looseRecord(0, 1)},
		Err: &kgo.ErrDecompressTooLarge{Topic: testTopic, Partition: 0, Offset: 2, NextOffset: 9, Epoch: 3},
	}
	l.feed(partition)
	require.Equal(t, []int64{0, 1}, l.mappedOffsets(0))
	require.Equal(t, []jump{{lease: l.lease(0), to: kgo.EpochOffset{Epoch: 3, Offset: 9}}}, l.jumps)
	l.submit(closedAge)
	l.settleNext(landing())
	require.Equal(t, int64(9), l.marks.last(l.lease(0).partition))
	l.requireBalanced(t)
}
