package consumer

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

func untilEnd(s *settings) { s.options.Span = Span{UntilEnd: true} }

func TestUntilEndEndsWhenEverythingThatWasThereIsCommitted(t *testing.T) {
	b := newBed(t, 3, receiver.Config{})
	b.produceReadings(0, "a", 0, 100)
	b.produceReadings(2, "c", 0, 7) // Partition 1 is empty.
	m := b.start(untilEnd)
	require.NoError(t, m.wait())
	b.requireStored("a", 0, 100)
	b.requireStored("c", 0, 7)
	require.Equal(t, int64(100), b.committed(0))
	require.Equal(t, int64(7), b.committed(2))
	m.requireBalanced()
	done, total := m.consumer.Done()
	require.Equal(t, total, done)
	require.Equal(t, int64(107), total)
}

func TestUntilEndOnEmptyTopicsIsDoneAtOnce(t *testing.T) {
	b := newBed(t, 2, receiver.Config{})
	require.NoError(t, b.start(untilEnd).wait())
}

func TestUntilEndGoesNoFurtherThanTheEndThatItFound(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produceReadings(0, "a", 0, 10)
	g := newGate()
	b.receiver.SetHook(g.hook)
	defer g.open()
	m := b.start(untilEnd)
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "it is under way")
	b.produceReadings(0, "a", 10, 10)
	g.open()
	require.NoError(t, m.wait())
	require.Equal(t, int64(10), b.committed(0))
	b.requireStored("a", 0, 10)
}

func TestDeadLettersDoNotChangeTheEndOfABoundedRun(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte(`nonsense`)})
	require.NoError(t, b.start(untilEnd).wait())
	require.Len(t, b.deadLetters(), 1)
	require.Equal(t, int64(1), b.committed(0))
}

func TestUntilEndReachesAnEndThatIsAMarker(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	producer, err := kgo.NewClient(kgo.SeedBrokers(b.cluster.ListenAddrs()...), kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer producer.Close()
	require.NoError(t, producer.BeginTransaction())
	require.NoError(t, producer.ProduceSync(t.Context(), b.reading(0, "a", 0)).FirstErr())
	require.NoError(t, producer.EndTransaction(t.Context(), kgo.TryAbort))
	require.NoError(t, b.start(untilEnd).wait())
	require.Equal(t, int64(2), b.committed(0))
	require.Empty(t, b.receiver.Samples())
}

func TestUntilEndWaitsForOthersOfTheGroup(t *testing.T) {
	b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
	other := b.start()
	b.eventually(func() bool { return other.assigned() == 2 }, "the other has both")
	b.produceReadings(0, "a", 0, 500)
	b.produceReadings(1, "b", 0, 500)
	require.NoError(t, b.start(untilEnd).wait())
	b.requireStored("a", 0, 500)
	b.requireStored("b", 0, 500)
}

func TestABoundedRunOfAMissingTopicSaysSo(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	m := b.start(untilEnd, func(s *settings) { s.consumer.Topics = []string{"missing"} })
	require.ErrorContains(t, m.wait(), "topic missing does not exist")
}

// replay is a span of seconds of the bed's clock.
func (b *bed) replay(from, to int) func(*settings) {
	return func(s *settings) {
		s.options.Span = Span{
			Replay: true, Slack: -1,
			From: b.base.Add(time.Duration(from) * time.Second), To: b.base.Add(time.Duration(to) * time.Second),
		}
	}
}

func TestAReplayDeliversExactlyItsSpanAndLeavesTheGroupAlone(t *testing.T) {
	b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
	b.produceReadings(0, "a", 0, 60)
	b.produceReadings(1, "b", 0, 60)
	b.produce(b.reading(0, "late", 15), b.reading(1, "late", 20)) // Behind the span in the log; only one is in it.
	m := b.start(b.replay(10, 20))
	require.NoError(t, m.wait())
	b.requireStored("a", 10, 10)
	b.requireStored("b", 10, 10)
	b.requireStored("late", 15, 1)
	require.Equal(t, int64(-1), b.committed(0))
	require.Equal(t, int64(-1), b.committed(1))
	m.requireBalanced()
	require.Positive(t, m.metric("kafka2prom_records_filtered_total", "reason", "out_of_span"))
}

func TestAReplayWithAGroupGoesOnWhereItStopped(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produceReadings(0, "a", 0, 60)
	const group = "replay"
	grouped := func(s *settings) {
		b.replay(10, 50)(s)
		s.options.Span.Group = group
	}
	g := newGate()
	stored := 0
	b.receiver.SetHook(func(q *receiver.Request) receiver.Answer {
		if q.Samples > 0 {
			if stored++; stored > 2 {
				<-g.opened
			}
		}
		return receiver.Answer{}
	})
	few := func(s *settings) {
		s.writer.MaxSamples, s.writer.Shards = 5, 1
		s.consumer.ShutdownTimeout = 200 * time.Millisecond
	}
	first := b.start(grouped, few)
	b.eventually(func() bool { return len(b.stored("a")) == 10 && b.receiver.InFlight() > 0 }, "two batches have landed")
	require.NoError(t, first.stop())
	g.open()
	second := b.start(grouped)
	require.NoError(t, second.wait())
	b.requireStored("a", 10, 40)
	require.Equal(t, int64(-1), b.committed(0), "the pipeline's own group is untouched")
	require.Less(t, second.metric("kafka2prom_records_total", "outcome", "written"), 40.0, "it did not begin again")
}

func TestPartitionsOfAReplayStayTogetherInTime(t *testing.T) {
	b := newBed(t, 2, receiver.Config{OutOfOrderWindow: 24 * time.Hour})
	const seconds, skew = 4000, 60
	b.base = time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	b.produceReadings(0, "sparse", 0, 0)
	for s := 0; s < seconds; s += 4 { // One record for four of the other.
		b.produce(b.reading(0, "sparse", s))
		if s%400 == 0 {
			b.produceReadings(1, "dense", s, 400)
		}
	}
	m := b.start(func(s *settings) {
		s.options.Span = Span{Replay: true, Slack: -1, From: b.base}
		s.consumer.MaxSkew = skew * time.Second
		s.writer.MaxSamples, s.writer.Shards = 50, 1
	})
	require.NoError(t, m.wait())
	require.Len(t, b.stored("sparse"), seconds/4)
	b.requireStored("dense", 0, seconds)

	// In the order of arrival no series may be further ahead of the other than the skew,
	// and the little that one batch adds.
	newest := map[string]int64{}
	for _, q := range b.receiver.Requests() {
		for _, s := range q.Series {
			last := s.Points[len(s.Points)-1].Timestamp
			newest[s.Labels.Get("s")] = max(newest[s.Labels.Get("s")], last)
		}
		if len(newest) == 2 {
			ahead := max(newest["dense"]-newest["sparse"], newest["sparse"]-newest["dense"])
			require.LessOrEqual(t, ahead, int64((skew+55)*1000))
		}
	}
}

func TestARateBoundsTheRecordsPerSecond(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produceReadings(0, "a", 0, 100)
	began := time.Now()
	m := b.start(untilEnd, func(s *settings) { s.options.Span.Rate = 200 })
	require.NoError(t, m.wait())
	b.requireStored("a", 0, 100)
	// 100 records at 200 a second, of which the first 20 come at once: a bound from below
	// holds on any machine.
	require.GreaterOrEqual(t, time.Since(began), 350*time.Millisecond)
}

func TestRetentionThatOvertakesTheConsumerIsCountedExactly(t *testing.T) {
	b := newBed(t, 1, receiver.Config{OutOfOrderWindow: time.Hour})
	b.produceReadings(0, "a", 0, 10)
	require.NoError(t, b.start(untilEnd).wait())
	b.produceReadings(0, "a", 10, 50)
	require.NoError(t, b.cluster.DeleteRecords(testTopic, 0, 40))
	m := b.start(untilEnd)
	require.NoError(t, m.wait())
	require.InDelta(t, 30, m.metric("kafka2prom_records_lost_total"), 0)
	require.Len(t, b.stored("a"), 30)
	require.Equal(t, int64(60), b.committed(0))
}

func TestOnDataLossFailStopsInsteadOfGoingOn(t *testing.T) {
	b := newBed(t, 1, receiver.Config{OutOfOrderWindow: time.Hour})
	b.produceReadings(0, "a", 0, 10)
	require.NoError(t, b.start(untilEnd).wait())
	b.produceReadings(0, "a", 10, 50)
	require.NoError(t, b.cluster.DeleteRecords(testTopic, 0, 40))
	m := b.start(func(s *settings) { s.consumer.OnDataLoss = onDataLossFail })
	require.ErrorContains(t, m.wait(), "retention")
	require.Equal(t, int64(10), b.committed(0))
}

func TestStartHoldsOnlyWhereTheGroupHasNoOffset(t *testing.T) {
	for start, want := range map[string]int{"earliest": 0, "latest": 100, "-30s": 30} {
		t.Run(start, func(t *testing.T) {
			b := newBed(t, 1, receiver.Config{})
			b.base = time.Now().Add(-time.Minute)
			b.produceReadings(0, "a", 0, 60)
			m := b.start(func(s *settings) { s.consumer.Start = start })
			b.eventually(func() bool { return m.assigned() == 1 }, "it is assigned")
			time.Sleep(100 * time.Millisecond) // "latest" means the start of the program, in whole milliseconds.
			b.base = time.Now().Add(-100 * time.Second)
			b.produceReadings(0, "b", 100, 1)
			b.awaitCommitted(0, 61)
			first := 60
			for _, p := range b.stored("a") {
				first = min(first, int(p.Value))
			}
			require.InDelta(t, min(want, 60), first, 1)
		})
	}
}

func TestPatternsReadNewTopicsAndLeaveOutExcludedAndDeadLetterTopics(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	m := b.start(func(s *settings) {
		s.consumer.Topics = []string{"^read.*", "other"}
		s.consumer.ExcludeTopics = []string{"^readings-x"}
	})
	b.eventually(func() bool { return m.assigned() == 1 }, "only the matching topic is read")
	for i, topic := range []string{"readings-1", "readings-x1", "other", "others"} {
		require.NoError(t, b.cluster.CreateTopic(topic, 1, nil))
		r := b.reading(0, topic, i)
		r.Topic = topic
		b.produce(r)
	}
	b.eventually(func() bool { return len(b.receiver.Samples()) == 2 }, "two of the new topics are read")
	require.Len(t, b.stored("readings-1"), 1)
	require.Len(t, b.stored("other"), 1)
	require.Equal(t, 3, m.assigned())
}

func TestNewPartitionsAreReadFromTheirBeginning(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	m := b.start(func(s *settings) { s.consumer.Start = "latest" })
	b.eventually(func() bool { return m.assigned() == 1 }, "it is assigned")
	_, err := b.admin.UpdatePartitions(t.Context(), 3, testTopic)
	require.NoError(t, err)
	b.base = time.Now().Add(time.Second)
	for p := range int32(3) {
		b.produceReadings(p, fmt.Sprint(p), 0, 5)
	}
	for p := range int32(3) {
		b.requireEventuallyStored(fmt.Sprint(p), 5)
	}
}

func (b *bed) requireEventuallyStored(series string, n int) {
	b.t.Helper()
	b.eventually(func() bool { return len(b.stored(series)) == n }, "series %s has %d points", series, n)
}

func TestTimesAreRFC3339OrBackFromNow(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	good := map[string]time.Time{
		"2026-11-01T00:00:00Z":      time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		"2026-11-01T01:00:00+01:00": time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		"-6h":                       now.Add(-6 * time.Hour),
		"-1d12h":                    now.Add(-36 * time.Hour),
		"-2w":                       now.Add(-14 * 24 * time.Hour),
	}
	for text, want := range good {
		got, err := ParseTime(text, now)
		require.NoError(t, err)
		require.True(t, want.Equal(got), "%s gives %s", text, got)
	}
	for _, text := range []string{"", "yesterday", "6h", "-6", "2026-11-01", strconv.Itoa(int(now.Unix()))} {
		_, err := ParseTime(text, now)
		require.Error(t, err, text)
	}
}
