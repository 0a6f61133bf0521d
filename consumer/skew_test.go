package consumer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func skewed(d time.Duration) func(*Config, *Options) {
	return func(c *Config, _ *Options) { c.MaxSkew = d }
}

// know says where the log of a partition ends, as a look at the bounds does.
func (l *loose) know(id int32, end int64) { l.lease(id).end = end }

func TestNoPartitionRunsAheadBeforeEachHasGivenItsFirstRecord(t *testing.T) {
	l := newLoose(t, skewed(10*time.Second))
	l.assign(0, 1)
	l.know(0, 1000)
	l.know(1, 1000)
	l.poll(0, 0, 100)
	require.Equal(t, []int64{0}, l.mappedOffsets(0), "one record tells its time, and no more is mapped")
	require.Equal(t, []int32{0}, l.paused())
	l.poll(1, 0, 5)
	require.Equal(t, []int64{0, 1, 2, 3, 4}, l.mappedOffsets(1))
	l.feed()
	require.Equal(t, int64(15), l.mappedOffsets(0)[len(l.mappedOffsets(0))-1], "ten seconds ahead, and the record that shows it")
}

func TestAPartitionThatHasNothingLeftHoldsNobodyBack(t *testing.T) {
	l := newLoose(t, skewed(10*time.Second))
	l.assign(0, 1)
	l.know(0, 100)
	l.know(1, 0)
	l.lease(1).read, l.lease(1).mapped = 0, 0
	l.poll(0, 0, 100)
	require.Len(t, l.mappedOffsets(0), 100)
	require.Empty(t, l.paused())
}

func TestAPartitionThatFailsHoldsNobodyBack(t *testing.T) {
	l := newLoose(t, skewed(10*time.Second))
	l.assign(0, 1)
	l.lease(1).failed = kgo.ErrClientClosed
	l.poll(0, 0, 100)
	require.Len(t, l.mappedOffsets(0), 100)
}

func TestAPartitionThatGivesNothingHoldsTheOthersBackForAWhileOnly(t *testing.T) {
	for name, first := range map[string]int{"it never gave a record": 0, "its last offsets hold none": 5} {
		t.Run(name, func(t *testing.T) {
			l := newLoose(t, skewed(10*time.Second))
			l.assign(0, 1)
			l.know(0, 1000)
			if first > 0 {
				l.poll(1, 0, first)
			}
			l.know(1, 1000)
			l.poll(0, 0, 100)
			require.Less(t, len(l.mappedOffsets(0)), 100)
			require.Equal(t, []int32{0}, l.paused())
			l.feed()
			l.lease(1).lastFetch = time.Now().Add(-quietWait - time.Second)
			l.feed()
			require.Len(t, l.mappedOffsets(0), 100)
			require.Empty(t, l.paused())
		})
	}
}

func TestAPartitionThatWasHeldBackIsWaitedForAgainOnceItMayGoOn(t *testing.T) {
	l := newLoose(t, skewed(10*time.Second))
	l.assign(0, 1)
	l.know(0, 1000)
	l.know(1, 1000)
	l.poll(1, 0, 1)
	l.poll(0, 0, 30)
	require.Equal(t, []int32{0}, l.paused())
	l.lease(0).lastFetch = time.Now().Add(-time.Hour) // So long was it held back.
	l.poll(1, 1, 60)
	for range 10 {
		l.feed()
	}
	require.Equal(t, int64(30), l.lease(0).mapped, "it has gone on")
	require.Equal(t, []int32{1}, l.paused(), "it is the other's turn to wait")
	require.Equal(t, looseRecord(0, 29).Timestamp.UnixMilli(), l.eventFloor(time.Now()))
}

// A record of a partition must never be mapped before an older one: its position
// would pass over it, and be committed.
func TestARunThatWaitsKeepsTheLaterRunsOfItsPartitionWaiting(t *testing.T) {
	l := newLoose(t, skewed(10*time.Second))
	l.assign(0, 1)
	l.know(0, 1000)
	l.know(1, 1000)
	l.poll(0, 0, 30) // 1 has given nothing yet: all but the first record waits.
	require.Equal(t, []int64{0}, l.mappedOffsets(0))
	later := kgo.FetchPartition{Partition: 0}
	for s := 30; s < 40; s++ {
		later.Records = append(later.Records, looseRecord(0, s))
	}
	first := kgo.FetchPartition{Partition: 1}
	for s := 25; s < 30; s++ {
		first.Records = append(first.Records, looseRecord(1, s))
	}
	l.feed(first, later) // Between the waiting run and the later one comes what lets it go on.
	l.feed()
	offsets := l.mappedOffsets(0)
	require.IsIncreasing(t, offsets)
	require.Len(t, offsets, 40)
	require.Equal(t, int64(40), l.open.at(l.lease(0)).next)
}

func TestAPartitionThatIsBrokenOrAtItsStopHoldsNobodyBack(t *testing.T) {
	for name, change := range map[string]func(*lease){
		"broken":      func(f *lease) { f.broken = true },
		"at its stop": func(f *lease) { f.stop, f.read, f.mapped = 5, 5, 5 },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoose(t, skewed(10*time.Second))
			l.assign(0, 1)
			l.know(0, 100)
			l.know(1, 100)
			change(l.lease(1))
			l.poll(0, 0, 100)
			require.Len(t, l.mappedOffsets(0), 100)
		})
	}
}

// Long quiet are also those that are held back themselves, and those whose records
// are here and wait to be mapped: they are waited for.
func TestAPartitionThatIsQuietBecauseItWaitsStillHoldsTheOthersBack(t *testing.T) {
	for name, change := range map[string]func(*loose, *lease){
		"it is paused":         func(_ *loose, f *lease) { f.paused = true },
		"its records are here": func(l *loose, f *lease) { l.pending = []run{{lease: f, records: []*kgo.Record{looseRecord(1, 1)}}} },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoose(t, skewed(10*time.Second))
			l.assign(0, 1)
			l.know(0, 100)
			l.know(1, 100)
			f := l.lease(1)
			f.eventTime, f.lastFetch = looseRecord(1, 0).Timestamp.UnixMilli(), time.Now().Add(-time.Hour)
			require.Equal(t, int64(0), l.lease(0).eventTime)
			l.lease(0).eventTime = f.eventTime + 5000
			require.Equal(t, f.eventTime+5000, l.eventFloor(time.Now()), "quiet for no reason")
			change(l, f)
			require.Equal(t, f.eventTime, l.eventFloor(time.Now()))
		})
	}
}
