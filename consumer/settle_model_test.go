package consumer

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/kafka2prom/kafka2prom/transform"
)

// settling drives polls, batches, leases and verdicts in any order: two topics with
// partitions of the same numbers, revocations in every moment (also while the dead
// letters of a batch are being written), leases that are lost and assigned again,
// drains that give up, and a schema registry that comes and goes. The oracle knows
// what has been promised of each record.
type settling struct {
	*loose
	*oracle
	registry *registry
	// read is the next offset of each partition that is held.
	read map[partition]int64
	// half is the batch that is being settled: collected, its letters written or not,
	// and not marked yet.
	half *settlement
}

// modelPartitions are those of the model.
func modelPartitions() []partition {
	return []partition{{testTopic, 0}, {testTopic, 1}, {"others", 0}, {"others", 1}}
}

func newSettling(t *testing.T, rt *rapid.T) *settling {
	t.Helper()
	mode := rapid.SampledFrom([]string{onErrorDeadLetter, onErrorSkip, onErrorStop}).Draw(rt, "on_error")
	m := &settling{registry: &registry{}, read: map[partition]int64{}}
	m.loose = newLoose(t, func(c *Config, o *Options) {
		c.OnError = mode
		c.Batch.InFlight = rapid.IntRange(1, 4).Draw(rt, "in_flight")
		o.BatchSamples = rapid.SampledFrom([]int{1, 4, 1 << 20}).Draw(rt, "batch")
		if mode == onErrorDeadLetter {
			c.DeadLetter = &DeadLetterConfig{Topic: deadTopic}
		}
		o.CountPossiblyStored = rapid.Bool().Draw(rt, "count")
		o.Mapper = m.registry
	})
	m.oracle = newOracle(m.Consumer)
	for _, p := range modelPartitions() {
		m.assigned(rt.Context(), m.client, p.some())
		m.noteCommitted(p, kgo.EpochOffset{Epoch: 3, Offset: 0})
	}
	return m
}

func drawPartition(rt *rapid.T) partition {
	return rapid.SampledFrom(modelPartitions()).Draw(rt, "partition")
}

// some is a partition as the callbacks get it.
func (p partition) some() map[string][]int32 { return map[string][]int32{p.topic: {p.id}} }

// actAssign assigns a partition, which begins where it was last marked: the offsets
// may be told before the assignment or after it.
func (m *settling) actAssign(rt *rapid.T) {
	p := drawPartition(rt)
	if m.leases[p] != nil {
		return
	}
	m.read[p] = max(0, m.marks.last(p))
	committed := kgo.EpochOffset{Epoch: 3, Offset: m.read[p]}
	early := rapid.Bool().Draw(rt, "early")
	if early {
		m.noteCommitted(p, committed)
	}
	m.assigned(rt.Context(), m.client, p.some())
	if !early {
		m.noteCommitted(p, committed)
	}
	require.Equal(rt, m.read[p], m.leases[p].read)
	require.Equal(rt, m.read[p], m.leases[p].settled)
}

// actLeave is the first half of a revocation; what is on the wire may land until the
// second.
func (m *settling) actLeave(rt *rapid.T) { m.leave(drawPartition(rt).some()) }

// actTake is the second half of a revocation, or a loss.
func (m *settling) actTake(rt *rapid.T) {
	p := drawPartition(rt)
	if rapid.Bool().Draw(rt, "lost") {
		m.lost(rt.Context(), m.client, p.some())
	} else {
		m.revoked(rt.Context(), m.client, p.some())
	}
	require.Nil(rt, m.leases[p])
	for _, r := range m.pending {
		require.NotEqual(rt, p, r.lease.partition, "nothing is kept of what was taken away")
	}
}

// actPoll brings records, gaps, tombstones and control records of both partitions of
// a topic; sometimes beside an error, and sometimes of a partition that is not held
// any more.
func (m *settling) actPoll(rt *rapid.T) {
	if m.slotGone() && len(m.inFlight) == cap(m.slots) {
		return // The loop does not poll without a slot.
	}
	p := drawPartition(rt)
	other := partition{p.topic, 1 - p.id}
	m.registry.down = rapid.IntRange(0, 2).Draw(rt, "registry") == 0
	m.notBefore = time.Time{}
	m.feedTopic(p.topic, m.drawFetch(rt, p), m.drawFetch(rt, other))
}

func (m *settling) drawFetch(rt *rapid.T, p partition) kgo.FetchPartition {
	f := kgo.FetchPartition{Partition: p.id}
	if rapid.IntRange(0, 9).Draw(rt, "error") == 0 {
		f.Err = errors.New("corrupt batch")
	}
	for range rapid.IntRange(0, 8).Draw(rt, "records") {
		if r := modelRecord(p, m.read[p]); r != nil {
			f.Records = append(f.Records, r)
		}
		m.read[p]++
	}
	return f
}

// modelRecord is what the log holds at an offset, always the same; nil: a gap.
func modelRecord(p partition, offset int64) *kgo.Record {
	r := looseRecord(p.id, int(offset))
	r.Topic, r.LeaderEpoch = p.topic, int32(3+offset/5)
	switch (offset*7 + int64(p.id)*3 + int64(len(p.topic))) % 11 {
	case 0, 4:
		return nil
	case 1:
		r.Value = nil
	case 2:
		r.Value = []byte("refuse")
	case 3:
		r.Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
	case 5, 6:
		r.Value = []byte("pair")
	case 7:
		r.Value = []byte("half")
	}
	return r
}

func (m *settling) actSubmit(*rapid.T) {
	if len(m.inFlight) < cap(m.slots) {
		m.submit(closedAge)
	}
}

// actCollect begins to settle the oldest batch, with verdicts of the writer and of the
// dead-letter topic drawn at random.
func (m *settling) actCollect(rt *rapid.T) {
	if m.half != nil || len(m.inFlight) == 0 {
		return
	}
	b := <-m.settling
	m.half = &settlement{batch: b, lost: rapid.IntRange(0, 20).Draw(rt, "given up") == 0}
	m.begin(b, m.half.lost)
	if m.half.lost {
		b.written = &verdicts{landed: make(chan struct{})}
		return
	}
	v := m.drawVerdicts(rt, b)
	b.written = v
	m.half.collect(m.Consumer)
	m.judge(v)
	var failed []letter
	m.checkHeld(rt, b)
	most := rapid.SampledFrom([]int{1, 10}).Draw(rt, "letters")
	for _, l := range keepHeld(m.half.letters, b.held) {
		if rapid.IntRange(0, most).Draw(rt, "letter") == 0 {
			failed = append(failed, l)
			m.bar(l.record)
		}
	}
	m.half.unacknowledged(failed)
}

// actMark marks the batch that was begun.
func (m *settling) actMark(rt *rapid.T) {
	if m.half == nil {
		return
	}
	b, before := m.half.batch, len(m.marks.all)
	m.mu.Lock()
	m.remember()
	m.half.mark(m.Consumer)
	m.forget(b)
	m.mu.Unlock()
	m.half = nil
	require.Len(rt, m.marks.all, before+1)
	m.checkMarks(rt, b, m.marks.all[before])
}

func (m *settling) drawVerdicts(rt *rapid.T, b *batch) *verdicts {
	v := landing()
	reasons := []transform.Reason{transform.ReasonRefused, transform.ReasonPossiblyStored}
	most := rapid.SampledFrom([]int{3, 12, 50}).Draw(rt, "verdicts")
	for _, sample := range b.out.Samples {
		switch rapid.IntRange(0, most).Draw(rt, "verdict") {
		case 0, 1:
			r := refusal(sample.Record, rapid.SampledFrom(reasons).Draw(rt, "reason"))
			r.Untried = rapid.Bool().Draw(rt, "untried")
			v.refused = append(v.refused, r)
		case 2:
			v.abandoned = append(v.abandoned, sample.Record)
		}
	}
	return v
}

// check holds after every step.
func (m *settling) check(rt *rapid.T) {
	m.requireBalanced(rt)
	inFlight := 0
	for _, b := range m.inFlight {
		inFlight += b.records
	}
	if m.open != nil {
		inFlight += m.open.records
	}
	m.requireTally(rt, inFlight)
	require.LessOrEqual(rt, len(m.slots), cap(m.slots))
	require.LessOrEqual(rt, len(m.inFlight), len(m.slots))
}

// registry is a mapper that gives up to two samples for a record, refuses what says
// so, and judges nothing while it is out of reach.
type registry struct {
	literal
	down bool
}

func (r *registry) Apply(rec *kgo.Record, batch uint64, out *transform.Output) (transform.Verdict, error) {
	if r.down && rec.Offset%3 == 0 {
		return 0, &transform.RetryError{Err: errors.New("the registry does not answer")}
	}
	text := string(rec.Value)
	if text == "refuse" || text == "half" {
		out.Refused = append(out.Refused, transform.Refusal{Record: rec, Stage: transform.StageMap, Reason: transform.ReasonNotANumber, Exact: true})
	}
	if text == "refuse" {
		return transform.Refused, nil
	}
	verdict, err := r.literal.Apply(rec, batch, out)
	if text == "pair" {
		return r.literal.Apply(rec, batch, out)
	}
	if text == "half" {
		return transform.Refused, nil
	}
	return verdict, err
}

func TestSettlingKeepsItsPromisesInAnyOrderOfEvents(t *testing.T) {
	began := time.Now()
	rapid.Check(t, func(rt *rapid.T) {
		if time.Since(began) > patience {
			return // A busy machine: what was drawn so far has passed.
		}
		m := newSettling(t, rt)
		rt.Repeat(map[string]func(*rapid.T){
			"assign": m.actAssign, "leave": m.actLeave, "take": m.actTake,
			"poll": m.actPoll, "poll again": m.actPoll, "submit": m.actSubmit,
			"collect": m.actCollect, "mark": m.actMark,
			"": m.check,
		})
		for m.half != nil || len(m.inFlight) > 0 {
			m.actCollect(rt)
			m.actMark(rt)
			m.check(rt)
		}
		m.checkDelivered(rt, m.marks)
	})
}
