package consumer

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/kafka2prom/kafka2prom/transform"
)

// settling drives polls, batches, leases and verdicts in any order, and remembers
// what has been promised of each record.
type settling struct {
	*loose
	// read is the next offset of each partition that is held.
	read map[int32]int64
	// marked is the last mark of each lease.
	marked map[*lease]int64
	// barrier is, of the batch that is being settled, the first offset of each partition
	// that must come again.
	barrier map[int32]int64
	// fates count how often each record of a lease was settled: it must be once.
	fates map[*kgo.Record]int
	// delivered says of each offset that it was written, dead-lettered or filtered.
	delivered map[int32]map[int64]bool
}

const modelPartitions = 3

func newSettling(t *testing.T, rt *rapid.T) *settling {
	t.Helper()
	mode := rapid.SampledFrom([]string{onErrorDeadLetter, onErrorSkip, onErrorStop}).Draw(rt, "on_error")
	m := &settling{
		loose: newLoose(t, func(c *Config, o *Options) {
			c.OnError = mode
			c.Batch.InFlight = 4
			if mode == onErrorDeadLetter {
				c.DeadLetter = &DeadLetterConfig{Topic: deadTopic}
			}
			o.CountPossiblyStored = rapid.Bool().Draw(rt, "count")
		}),
		read:      map[int32]int64{},
		marked:    map[*lease]int64{},
		fates:     map[*kgo.Record]int{},
		delivered: map[int32]map[int64]bool{},
	}
	for id := range int32(modelPartitions) {
		m.delivered[id] = map[int64]bool{}
	}
	return m
}

func partitionID(rt *rapid.T) int32 {
	return int32(rapid.IntRange(0, modelPartitions-1).Draw(rt, "partition"))
}

// actAssign assigns a partition, which begins where it was last marked.
func (m *settling) actAssign(rt *rapid.T) {
	id := partitionID(rt)
	if m.lease(id) != nil {
		return
	}
	m.read[id] = max(0, m.marks.last(partition{testTopic, id}))
	m.noteCommitted(partition{testTopic, id}, kgo.EpochOffset{Epoch: 3, Offset: m.read[id]})
	m.assign(id)
}

func (m *settling) actTake(rt *rapid.T) {
	if rapid.Bool().Draw(rt, "lost") {
		m.lost(context.Background(), m.client, taken(partitionID(rt)))
		return
	}
	m.revoked(context.Background(), m.client, taken(partitionID(rt)))
}

// actPoll brings records, gaps, tombstones and control records.
func (m *settling) actPoll(rt *rapid.T) {
	if m.slotGone() && len(m.inFlight) == cap(m.slots) {
		return
	}
	id := partitionID(rt)
	if m.lease(id) == nil {
		return
	}
	f := kgo.FetchPartition{Partition: id}
	for range rapid.IntRange(1, 8).Draw(rt, "records") {
		if r := modelRecord(id, m.read[id]); r != nil {
			f.Records = append(f.Records, r)
		}
		m.read[id]++
	}
	m.feed(f)
}

// modelRecord is what the log holds at an offset, always the same; nil: a gap.
func modelRecord(id int32, offset int64) *kgo.Record {
	r := looseRecord(id, int(offset))
	switch (offset*7 + int64(id)*3) % 11 {
	case 0, 4:
		return nil
	case 1:
		r.Value = nil
	case 2, 5:
		r.Value = []byte("refuse")
	case 3:
		r.Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
	}
	return r
}

func (m *settling) actSubmit(*rapid.T) {
	if len(m.inFlight) < cap(m.slots) {
		m.submit(closedAge)
	}
}

// actSettle settles the oldest batch as settle does, with verdicts of the writer
// and of the dead-letter topic drawn at random.
func (m *settling) actSettle(rt *rapid.T) {
	if len(m.inFlight) == 0 {
		return
	}
	b := <-m.settling
	s := settlement{batch: b, lost: rapid.IntRange(0, 20).Draw(rt, "lost") == 0}
	if !s.lost {
		v := m.drawVerdicts(rt, b)
		b.written = v
		s.collect(m.Consumer)
		m.raiseBarriers(v)
		var failed []letter
		for _, l := range keepHeld(s.letters, b.held) {
			if rapid.IntRange(0, 6).Draw(rt, "letter") == 0 {
				failed = append(failed, l)
				m.bar(l.record)
			}
		}
		s.unacknowledged(failed)
	}
	before := len(m.marks.all)
	m.mu.Lock()
	broken := map[*lease]bool{}
	for _, p := range b.positions {
		broken[p.lease] = p.lease.broken
	}
	s.mark(m.Consumer)
	m.forget(b)
	m.mu.Unlock()
	require.Len(rt, m.marks.all, before+1)
	m.checkMarks(rt, b, &s, broken)
}

func (m *settling) drawVerdicts(rt *rapid.T, b *batch) *verdicts {
	v := landing()
	reasons := []transform.Reason{transform.ReasonRefused, transform.ReasonPossiblyStored}
	for _, sample := range b.out.Samples {
		switch rapid.IntRange(0, 12).Draw(rt, "verdict") {
		case 0:
			v.refused = append(v.refused, refusal(sample.Record, rapid.SampledFrom(reasons).Draw(rt, "reason")))
		case 1:
			v.abandoned = append(v.abandoned, sample.Record)
		}
	}
	return v
}

// raiseBarriers finds what the writer has not dealt with.
func (m *settling) raiseBarriers(v *verdicts) {
	m.barrier = map[int32]int64{}
	for _, rec := range v.abandoned {
		m.bar(rec)
	}
	for _, r := range v.refused {
		if m.cfg.OnError == onErrorStop && (r.Reason != transform.ReasonPossiblyStored || !m.opts.CountPossiblyStored) {
			m.bar(r.Record)
		}
	}
}

func (m *settling) bar(rec *kgo.Record) {
	if at, ok := m.barrier[rec.Partition]; !ok || rec.Offset < at {
		m.barrier[rec.Partition] = rec.Offset
	}
}

// checkMarks holds the marks of one batch against what they promise.
func (m *settling) checkMarks(rt *rapid.T, b *batch, s *settlement, broken map[*lease]bool) {
	marks := m.marks.all[len(m.marks.all)-1]
	for _, p := range b.positions {
		l := p.lease
		at, marked := marks[l.partition]
		limit, capped := m.barrier[l.id]
		if s.lost || broken[l] || !l.held.Load() {
			require.False(rt, marked, "a lease that has ended or is broken is never marked")
			continue
		}
		if capped {
			require.True(rt, l.broken)
		}
		if !marked {
			require.True(rt, capped, "what has landed is marked")
			continue
		}
		if capped {
			require.LessOrEqual(rt, at.Offset, limit, "nothing at or behind a cap is marked")
		} else {
			require.Equal(rt, p.next, at.Offset)
		}
		require.Greater(rt, at.Offset, m.marked[l], "marks of a lease never go back")
		m.marked[l] = at.Offset
		for _, run := range p.runs {
			for _, rec := range run {
				if rec.Offset < at.Offset {
					m.delivered[l.id][rec.Offset] = true
					m.fates[rec]++
					require.Equal(rt, 1, m.fates[rec], "a record is settled once")
				}
			}
		}
	}
}

// check holds after every step.
func (m *settling) check(rt *rapid.T) {
	m.requireBalanced(rt)
	n := m.ledger.snapshot()
	inFlight := 0
	for _, b := range m.inFlight {
		inFlight += b.records
	}
	if m.open != nil {
		inFlight += m.open.records
	}
	require.Equal(rt, int64(inFlight), n.inFlight)
	require.LessOrEqual(rt, len(m.slots), cap(m.slots))
	require.LessOrEqual(rt, len(m.inFlight), len(m.slots))
}

// refusing is a mapper that refuses what says so.
type refusing struct{ literal }

func (r refusing) Apply(rec *kgo.Record, batch uint64, out *transform.Output) (transform.Verdict, error) {
	if string(rec.Value) == "refuse" {
		out.Refused = append(out.Refused, transform.Refusal{Record: rec, Stage: transform.StageMap, Reason: transform.ReasonNotANumber, Rule: 0, Exact: true})
		return transform.Refused, nil
	}
	return r.literal.Apply(rec, batch, out)
}

func TestSettlingKeepsItsPromisesInAnyOrderOfEvents(t *testing.T) {
	began := time.Now()
	rapid.Check(t, func(rt *rapid.T) {
		if time.Since(began) > patience {
			return // A busy machine: what was drawn so far has passed.
		}
		m := newSettling(t, rt)
		m.opts.Mapper = refusing{}
		rt.Repeat(map[string]func(*rapid.T){
			"assign": m.actAssign, "take": m.actTake, "poll": m.actPoll, "submit": m.actSubmit, "settle": m.actSettle,
			"": m.check,
		})
		for len(m.inFlight) > 0 {
			m.actSettle(rt)
			m.check(rt)
		}
		for id := range int32(modelPartitions) {
			for offset := range max(0, m.marks.last(partition{testTopic, id})) {
				require.True(rt, modelRecord(id, offset) == nil || m.delivered[id][offset],
					"partition %d is marked beyond offset %d, which was not delivered", id, offset)
			}
		}
	})
}
