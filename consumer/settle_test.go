package consumer

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/transform"
)

// refusal is one of the writer's.
func refusal(rec *kgo.Record, reason transform.Reason) transform.Refusal {
	return transform.Refusal{Record: rec, Stage: transform.StageWrite, Reason: reason, Text: "the receiver's words", Rule: -1, Exact: true}
}

func TestASettledBatchIsNotKeptInMemory(t *testing.T) {
	l := newLoose(t)
	l.assign(0)
	l.poll(0, 0, 5)
	l.submit(closedAge)
	whole := l.inFlight[:1]
	l.settleNext(landing())
	require.Nil(t, whole[0])
}

func TestRecordsThatWereFilteredBehindACapAreAbandonedAndNothingElseIs(t *testing.T) {
	l := newLoose(t, func(c *Config, _ *Options) { c.OnError = onErrorStop })
	l.assign(0, 1)
	l.poll(1, 0, 5) // Another partition of the batch, in which everything is written.
	f := kgo.FetchPartition{Partition: 0}
	for s := range 8 { // Filtered: 0, 4, 5 and 6.
		f.Records = append(f.Records, looseRecord(0, s))
		if s == 0 || s >= 4 && s < 7 {
			f.Records[s].Value = nil
		}
	}
	l.feed(f)
	l.submit(closedAge)
	v := landing()
	v.refused = append(v.refused, refusal(f.Records[2], transform.ReasonRefused))
	l.settleNext(v)
	n := l.ledger.snapshot()
	require.Equal(t, int64(5+1), n.written, "offset 1, and those of the other partition")
	require.Equal(t, int64(1), n.filteredTotal(), "offset 0")
	require.Equal(t, int64(6), n.abandoned, "offset 2 and everything behind it")
	require.Equal(t, int64(2), l.marks.last(partition{testTopic, 0}))
	require.Equal(t, int64(5), l.marks.last(partition{testTopic, 1}))
	require.Len(t, l.stops, 1)
	l.requireBalanced(t)
}

// After a crash without an out-of-order window a writer of 1.0 gives up samples
// together that an earlier owner may have stored. Where there is a dead-letter topic
// none of them is dropped on a guess.
func TestWhatMayBeStoredIsCountedUnlessThatIsAGuessAndThereIsADeadLetterTopic(t *testing.T) {
	f := func(onError string, untried bool, letters int) {
		t.Helper()
		l := newLoose(t, func(c *Config, o *Options) { c.OnError, o.CountPossiblyStored = onError, true })
		l.assign(0)
		l.poll(0, 0, 3)
		l.submit(closedAge)
		r := refusal(l.inFlight[0].out.Samples[1].Record, transform.ReasonPossiblyStored)
		r.Exact, r.Untried = !untried, untried
		v := landing()
		v.refused = append(v.refused, r)
		s := settlement{batch: l.inFlight[0]}
		s.batch.written = v
		s.collect(l.Consumer)
		require.Len(t, s.letters, letters)
		require.Len(t, s.counted, 1-letters)
		require.Nil(t, s.refusal)
	}
	f(onErrorDeadLetter, true, 1)
	f(onErrorDeadLetter, false, 0)
	f(onErrorStop, true, 0)
	f(onErrorSkip, true, 0)
}

// A flush that fails and is forgotten, and the next one that succeeds and is committed,
// is how builders of blocks lose data.
func TestABatchThatDidNotLandIsNotPassedOverByTheNext(t *testing.T) {
	l := newLoose(t)
	l.assign(0, 1)
	l.poll(0, 0, 5)
	l.submit(closedAge)
	l.poll(0, 5, 10)
	l.poll(1, 0, 5)
	l.submit(closedAge)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	first, second := <-l.settling, <-l.settling
	first.written, second.written = &verdicts{landed: make(chan struct{})}, landing()
	l.settling <- first
	l.settling <- second
	close(l.settling)
	l.settleAll(ended)
	require.Equal(t, int64(-1), l.marks.last(partition{testTopic, 0}))
	require.Equal(t, int64(5), l.marks.last(partition{testTopic, 1}), "the other partition is all there")
	require.Equal(t, int64(10), l.ledger.snapshot().abandoned)
	require.Len(t, l.spare, 1, "samples that did not land may be on the wire still: they are not written over")
	l.requireBalanced(t)
}

// watchful notes whether the lock is held when offsets are marked, and which batches
// the mapper is told of.
type watchful struct {
	literal
	l        *loose
	unlocked int
	told     []uint64
}

func (w *watchful) Landed(batch uint64) { w.told = append(w.told, batch) }

func (w *watchful) MarkCommitOffsets(map[string]map[int32]kgo.EpochOffset) {
	if w.l.mu.TryLock() {
		w.unlocked++
		w.l.mu.Unlock()
	}
}

// Kafka does not check who commits: between the look at a lease and the mark no
// callback may end it.
func TestOffsetsAreMarkedUnderTheLockUnderWhichLeasesEnd(t *testing.T) {
	w := &watchful{}
	l := newLoose(t, func(_ *Config, o *Options) { o.Mapper = w })
	w.l, l.Consumer.marks = l, w
	l.assign(0)
	l.poll(0, 0, 5)
	l.submit(closedAge)
	number := l.inFlight[0].number
	l.settleNext(landing())
	require.Zero(t, w.unlocked)
	require.Equal(t, []uint64{number}, w.told, "the mapper may forget series that no batch uses any more")
}

func TestTheFirstRefusalOfAPartitionThatIsHeldStopsThePipeline(t *testing.T) {
	l := newLoose(t, func(c *Config, _ *Options) { c.OnError = onErrorStop })
	l.assign(0, 1)
	l.poll(0, 0, 3)
	l.poll(1, 0, 3)
	l.submit(closedAge)
	samples := l.inFlight[0].out.Samples
	l.lost(t.Context(), l.client, taken(0))
	v := landing()
	for _, i := range []int{0, 4, 5} { // Of the one that was lost; offsets 1 and 2 of the other.
		v.refused = append(v.refused, refusal(samples[i].Record, transform.ReasonRefused))
	}
	l.settleNext(v)
	require.Len(t, l.stops, 1)
	require.ErrorContains(t, l.stops[0], "partition 1 offset 1")
	require.Equal(t, int64(1), l.marks.last(partition{testTopic, 1}))
	l.requireBalanced(t)
}
