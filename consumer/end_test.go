package consumer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// hollow makes the log of the test topic end behind its last record, as where the
// last segment is rolled and all its records are compacted away.
func (b *bed) hollow(end int64) {
	b.cluster.ControlKey(int16(kmsg.ListOffsets), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		req := kreq.(*kmsg.ListOffsetsRequest)
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, topic := range req.Topics {
			t := kmsg.NewListOffsetsResponseTopic()
			t.Topic = topic.Topic
			for _, asked := range topic.Partitions {
				p := kmsg.NewListOffsetsResponseTopicPartition()
				p.Partition, p.Timestamp, p.LeaderEpoch = asked.Partition, -1, -1
				if p.Offset = 0; asked.Timestamp == -1 {
					p.Offset = end
				}
				t.Partitions = append(t.Partitions, p)
			}
			resp.Topics = append(resp.Topics, t)
		}
		return resp, nil, true
	})
}

func TestUntilEndReachesAnEndThatWasCompactedAway(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produceReadings(0, "a", 0, 10)
	b.hollow(15)
	require.NoError(t, b.start(untilEnd).wait())
	b.requireStored("a", 0, 10)
	require.Equal(t, int64(15), b.committed(0))
}

func TestUntilEndReachesACompactedEndRightBehindTheCommittedOffset(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produceReadings(0, "a", 0, 10)
	require.NoError(t, b.start(untilEnd).wait())
	require.Equal(t, int64(10), b.committed(0))
	b.hollow(15)
	m := b.start(untilEnd)
	require.NoError(t, m.wait())
	require.Equal(t, int64(15), b.committed(0))
	require.Zero(t, m.metric("kafka2prom_records_consumed_total"))
}

func TestUntilEndOfACompactedTopicSkipsItsGaps(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	require.NoError(t, b.cluster.DeleteTopic(testTopic))
	require.NoError(t, b.cluster.CreateTopic(testTopic, 1, map[string]string{"cleanup.policy": "compact"}))
	for i := range 20 {
		r := b.reading(0, "a", i)
		r.Key = []byte{byte(i % 5)}
		b.produce(r)
	}
	b.cluster.Compact()
	require.NoError(t, b.start(untilEnd).wait())
	require.Equal(t, int64(20), b.committed(0))
	require.Less(t, len(b.stored("a")), 20)
	require.NotEmpty(t, b.stored("a"))
}

func TestUntilEndIsDoneWithAPartitionThatRetentionEmpties(t *testing.T) {
	b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
	b.produceReadings(0, "a", 0, 10)
	b.produceReadings(1, "b", 0, 10)
	g := newGate()
	b.receiver.SetHook(g.hook)
	defer g.open()
	m := b.start(untilEnd, func(s *settings) { s.consumer.ShutdownTimeout = 100 * time.Millisecond })
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "it is under way")
	m.cancel() // It held what it read in vain.
	require.NoError(t, m.wait())
	g.open()
	require.NoError(t, b.cluster.DeleteRecords(testTopic, 1, 10))
	require.NoError(t, b.start(untilEnd).wait())
	require.Equal(t, int64(10), b.committed(0))
}

func TestAnEndIsReachedOnceNothingOfThePartitionIsLeftToMap(t *testing.T) {
	l := newLoose(t)
	l.span = &span{stops: map[partition]int64{{testTopic, 0}: 10, {testTopic, 1}: 10}, settled: map[partition]int64{}}
	l.assign(0, 1)
	require.False(t, l.allMapped())
	l.poll(0, 0, 10)
	l.poll(1, 0, 6)
	require.NotNil(t, l.open)
	require.False(t, l.allMapped(), "partition 1 may still give something")
	require.Equal(t, []int32{0}, l.paused(), "what is at its stop is not fetched")

	l.know(1, 10)
	l.lease(1).lastFetch = time.Now().Add(-time.Minute) // Nothing has come for long.
	l.feed()
	require.True(t, l.allMapped())
	require.Nil(t, l.open, "the last batch does not wait for its age")
	l.settleNext(landing())
	require.Equal(t, int64(10), l.marks.last(partition{testTopic, 1}))
	require.Equal(t, int32(3), l.marks.all[0][partition{testTopic, 1}].Epoch, "a mark of an older epoch would not count")
	require.True(t, l.lease(1).done())
}

func TestAGapIsClosedOnlyOnceTheLogIsKnownToReachBehindIt(t *testing.T) {
	for name, change := range map[string]func(*lease){
		"the end is not known":      func(l *lease) { l.end = -1 },
		"the end is before it":      func(l *lease) { l.end = 9 },
		"something has just come":   func(l *lease) { l.lastFetch = time.Now() },
		"it cannot be fetched":      func(l *lease) { l.failed = kgo.ErrClientClosed },
		"records are still waiting": func(l *lease) { l.eventTime = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoose(t)
			l.span = &span{stops: map[partition]int64{{testTopic, 0}: 10}, settled: map[partition]int64{}}
			l.assign(0)
			l.poll(0, 0, 5)
			f := l.lease(0)
			f.end, f.lastFetch = 10, time.Now().Add(-time.Minute)
			if name == "records are still waiting" {
				l.pending = []run{{lease: f, records: []*kgo.Record{looseRecord(0, 5)}}}
				l.notBefore = time.Now().Add(time.Minute)
			}
			change(f)
			l.feed()
			require.Equal(t, int64(5), f.mapped)
		})
	}
}

func TestARecordBehindTheStopIsNotMappedAndEndsItsPartition(t *testing.T) {
	l := newLoose(t)
	l.span = &span{stops: map[partition]int64{{testTopic, 0}: 10}, settled: map[partition]int64{}}
	l.assign(0)
	l.poll(0, 0, 5)
	f := kgo.FetchPartition{Partition: 0, Records: []*kgo.Record{looseRecord(0, 12)}} // 5 to 11 are a gap.
	l.feed(f)
	require.Equal(t, []int64{0, 1, 2, 3, 4}, l.mappedOffsets(0))
	require.Equal(t, int64(10), l.lease(0).mapped)
	l.settleNext(landing())
	require.Equal(t, int64(10), l.marks.last(partition{testTopic, 0}))
	require.Equal(t, int64(5), l.ledger.snapshot().consumed)
}

func TestARunOfRecordsThatGoesBeyondTheStopIsMappedUpToIt(t *testing.T) {
	l := newLoose(t)
	l.span = &span{stops: map[partition]int64{{testTopic, 0}: 5}, settled: map[partition]int64{}}
	l.assign(0)
	l.poll(0, 0, 9)
	require.Equal(t, []int64{0, 1, 2, 3, 4}, l.mappedOffsets(0))
	l.settleNext(landing())
	require.Equal(t, int64(5), l.marks.last(partition{testTopic, 0}))
}

func TestAGapThatIsClosedInABatchOfItsOwnKeepsTheEpochOfTheRecordBeforeIt(t *testing.T) {
	l := newLoose(t)
	l.span = &span{stops: map[partition]int64{{testTopic, 0}: 10}, settled: map[partition]int64{}}
	l.assign(0)
	l.poll(0, 0, 6)
	l.submit(closedAge)
	l.settleNext(landing())
	l.know(0, 10)
	l.lease(0).lastFetch = time.Now().Add(-time.Minute)
	l.feed()
	l.settleNext(landing())
	require.Equal(t, kgo.EpochOffset{Epoch: 3, Offset: 10}, l.marks.all[1][partition{testTopic, 0}])
}

func TestABoundedPartitionWhoseLogStartsBehindItsStopHasNothingLeft(t *testing.T) {
	l := newLoose(t)
	l.span = &span{stops: map[partition]int64{{testTopic, 0}: 10}, settled: map[partition]int64{}}
	l.noteCommitted(partition{testTopic, 0}, kgo.EpochOffset{Epoch: 3, Offset: 4})
	l.assign(0)
	require.False(t, l.allMapped())
	l.noteBounds(kadm.ListedOffsets{testTopic: {0: {Topic: testTopic, Partition: 0, Offset: 12}}},
		kadm.ListedOffsets{testTopic: {0: {Topic: testTopic, Partition: 0, Offset: 15}}})
	require.True(t, l.allMapped())
	require.True(t, l.lease(0).done())
	require.Equal(t, int64(3), l.lease(0).lag(), "what retention has removed is no lag")
}

func TestABatchIsFullBySamplesBytesAndRecords(t *testing.T) {
	f := func(want string, samples int, bytes int64, records int) {
		t.Helper()
		l := newLoose(t, func(c *Config, o *Options) { c.Batch.MaxBytes, o.BatchSamples = 1000, 10 })
		require.Empty(t, l.full(), "there is none")
		b := l.openBatch(time.Now())
		b.out.Samples, b.bytes, b.records = make([]transform.Sample, samples), bytes, records
		require.Equal(t, want, l.full())
	}
	f("", 9, 999, maxBatchRecords-1)
	f(closedFull, 10, 0, 0)
	f(closedBytes, 0, 1000, 0)
	f(closedBytes, 0, 0, maxBatchRecords) // Of tombstones alone.
}

func TestARunOfRecordsIsCutIntoBatchesThatAreFull(t *testing.T) {
	l := newLoose(t, func(_ *Config, o *Options) { o.BatchSamples = 3 })
	l.assign(0)
	for range 4 { // A batch more each time that the loop has a slot.
		l.poll(0, int(max(0, l.lease(0).read)), int(max(0, l.lease(0).read)+2))
	}
	for i, b := range l.inFlight {
		require.Len(t, b.out.Samples, 3, i)
	}
	require.Len(t, l.inFlight, 2)
	require.Equal(t, []int64{0, 1, 2, 3, 4, 5, 6, 7}, l.mappedOffsets(0))
}

func TestAGapIsNotClosedWithoutASlot(t *testing.T) {
	l := newLoose(t, func(c *Config, _ *Options) { c.Batch.InFlight = 1 })
	l.span = &span{stops: map[partition]int64{{testTopic, 0}: 10}, settled: map[partition]int64{}}
	l.assign(0)
	l.poll(0, 0, 5)
	l.submit(closedAge)
	l.know(0, 10)
	l.lease(0).lastFetch = time.Now().Add(-time.Minute)
	l.closeGaps(time.Now())
	require.Nil(t, l.open)
	l.settleNext(landing())
	l.feed()
	l.settleNext(landing())
	require.Equal(t, int64(10), l.marks.last(partition{testTopic, 0}))
}
