package consumer

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestLossIsWhatIsBeforeTheStartOfTheLogAndNoGapIs(t *testing.T) {
	f := func(name string, logStart int64, first int, lost float64) {
		t.Helper()
		l := newLoose(t)
		l.noteCommitted(partition{testTopic, 0}, kgo.EpochOffset{Epoch: 3, Offset: 10})
		l.assign(0)
		l.feed(kgo.FetchPartition{Partition: 0, LogStartOffset: logStart, Records: []*kgo.Record{looseRecord(0, first)}})
		require.InDelta(t, lost, testutil.ToFloat64(l.metrics.lost.WithLabelValues(testTopic)), 0, name)
		require.Equal(t, int64(first+1), l.lease(0).read, name)
		require.Empty(t, l.stops)
	}
	f("nothing", 0, 10, 0)
	f("a gap of a compacted log", 0, 50, 0)
	f("all up to the start", 40, 40, 30)
	f("up to the start, and a gap behind it", 40, 50, 30)
	f("read before retention came", 40, 10, 0)
}

func TestWhatABrokerHasLostIsCountedAndStopsThePipelineWhereThatIsWanted(t *testing.T) {
	for policy, stops := range map[string]int{"continue": 0, onDataLossFail: 1} {
		t.Run(policy, func(t *testing.T) {
			l := newLoose(t, func(c *Config, _ *Options) { c.OnDataLoss = policy })
			l.assign(0, 1)
			l.feed(
				kgo.FetchPartition{Partition: 0, Err: &kgo.ErrDataLoss{Topic: testTopic, ConsumedTo: 50, ResetTo: 40}},
				kgo.FetchPartition{Partition: 1, Records: []*kgo.Record{looseRecord(1, 0)}},
			)
			require.InDelta(t, 10, testutil.ToFloat64(l.metrics.lost.WithLabelValues(testTopic)), 0)
			require.Len(t, l.stops, stops)
			require.Equal(t, []int64{0}, l.mappedOffsets(1))
		})
	}
}

func TestTheEndOfALogIsWhatCanBeRead(t *testing.T) {
	for isolation, want := range map[string]int64{"read_committed": 15, isolationUncommitted: 20} {
		l := newLoose(t, func(c *Config, _ *Options) { c.Isolation = isolation })
		l.assign(0)
		l.feed(kgo.FetchPartition{Partition: 0, HighWatermark: 20, LastStableOffset: 15, Records: []*kgo.Record{looseRecord(0, 0)}})
		require.Equal(t, want, l.lease(0).end)
		require.Equal(t, want, l.Status().Lag)
	}
}

// The numbers of partitions are those of a topic: another topic has the same.
func TestPartitionsOfTwoTopicsAreToldApart(t *testing.T) {
	l := newLoose(t)
	other := partition{"others", 0}
	l.assign(0)
	l.assigned(t.Context(), l.client, other.some())
	l.poll(0, 0, 5)
	r := looseRecord(0, 0)
	r.Topic = other.topic
	l.feedTopic(other.topic, kgo.FetchPartition{Partition: 0, Records: []*kgo.Record{r}})
	b := l.open
	l.lost(t.Context(), l.client, taken(0))
	require.False(t, b.held(looseRecord(0, 0)))
	require.True(t, b.held(r))
	l.settleNext(landing())
	require.Equal(t, int64(-1), l.marks.last(partition{testTopic, 0}))
	require.Equal(t, int64(1), l.marks.last(other))
}
