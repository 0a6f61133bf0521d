package consumer

import (
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/kafka2prom/kafka2prom/transform"
)

// oracle says what must become of each record, from the verdicts alone.
type oracle struct {
	c *Consumer
	// marked is the last mark of each lease.
	marked map[*lease]int64
	// settled are the records that were settled: each once.
	settled map[*kgo.Record]bool
	// delivered says of each offset that it was written, dead-lettered or filtered.
	delivered map[partition]map[int64]bool
	want      tally // But for what is in flight.
	// filtered are the records that a rule has dropped, whichever it was.
	filtered int64

	// Of the batch that is being settled: whether it was given up, the first offset of
	// each partition that must come again, and the refusals of each record.
	givenUp  bool
	barriers map[partition]int64
	refusals map[*kgo.Record][]transform.Refusal
	// broken are the leases that were broken before it was marked.
	broken map[*lease]bool
}

func newOracle(c *Consumer) *oracle {
	o := &oracle{c: c, marked: map[*lease]int64{}, settled: map[*kgo.Record]bool{}, delivered: map[partition]map[int64]bool{}}
	for _, p := range modelPartitions() {
		o.delivered[p] = map[int64]bool{}
	}
	return o
}

// begin turns to the next batch.
func (o *oracle) begin(b *batch, givenUp bool) {
	o.givenUp, o.barriers, o.refusals = givenUp, map[partition]int64{}, map[*kgo.Record][]transform.Refusal{}
	for _, r := range b.out.Refused {
		o.refusals[r.Record] = append(o.refusals[r.Record], r)
	}
}

// judge takes the writer's verdicts in.
func (o *oracle) judge(v *verdicts) {
	for _, rec := range v.abandoned {
		o.bar(rec)
	}
	for _, r := range v.refused {
		o.refusals[r.Record] = append(o.refusals[r.Record], r)
		if o.c.cfg.OnError == onErrorStop && !o.isStored(r) {
			o.bar(r.Record)
		}
	}
}

// bar says that a record must come again.
func (o *oracle) bar(rec *kgo.Record) {
	p := partition{rec.Topic, rec.Partition}
	if at, ok := o.barriers[p]; !ok || rec.Offset < at {
		o.barriers[p] = rec.Offset
	}
}

// isStored says that a refused sample needs nothing more, because the receiver is
// taken to have it.
func (o *oracle) isStored(r transform.Refusal) bool {
	guess := r.Untried && o.c.cfg.OnError == onErrorDeadLetter
	return r.Reason == transform.ReasonPossiblyStored && o.c.opts.CountPossiblyStored && !guess
}

// remember keeps which leases are broken before a batch is marked. Consumer.mu is
// held.
func (o *oracle) remember() {
	o.broken = map[*lease]bool{}
	for _, b := range o.c.inFlight {
		for _, p := range b.positions {
			o.broken[p.lease] = p.lease.broken
		}
	}
}

// checkHeld asks of each record of a batch whether its partition is still held.
func (o *oracle) checkHeld(rt *rapid.T, b *batch) {
	for _, p := range b.positions {
		for _, run := range p.runs {
			for _, rec := range run {
				require.Equal(rt, p.lease.held.Load(), b.held(rec))
			}
		}
	}
}

// checkMarks holds the marks of one batch against what they promise.
func (o *oracle) checkMarks(rt *rapid.T, b *batch, marks map[partition]kgo.EpochOffset) {
	for _, p := range b.positions {
		l := p.lease
		at, marked := marks[l.partition]
		barrier, barred := o.barriers[l.partition]
		end := int64(-1) // Of what is settled.
		switch {
		case o.givenUp || o.broken[l] || !l.held.Load():
			require.False(rt, marked, "a lease that has ended or is broken is never marked")
		case barred:
			require.True(rt, l.broken)
			end = barrier
		default:
			last := p.runs[len(p.runs)-1]
			end = last[len(last)-1].Offset + 1
			require.True(rt, marked, "what has landed is marked")
			require.Equal(rt, end, at.Offset, "up to its last record, whatever kind that is of")
		}
		if o.givenUp {
			require.True(rt, l.broken, "nothing behind what was given up is marked")
		}
		epoch := o.settle(rt, p, end)
		if marked {
			require.LessOrEqual(rt, at.Offset, end, "nothing at or behind what must come again is marked")
			require.Greater(rt, at.Offset, o.marked[l], "marks of a lease never go back")
			require.Equal(rt, epoch, at.Epoch, "a mark of an older epoch would not count")
			require.Equal(rt, at.Offset, l.settled)
			o.marked[l] = at.Offset
		}
	}
	require.LessOrEqual(rt, len(marks), len(b.positions))
}

// settle says what must have become of the records of a position: those before end are
// settled, and all others come again. It returns the epoch of the last one before end.
func (o *oracle) settle(rt *rapid.T, p *position, end int64) (epoch int32) {
	for _, run := range p.runs {
		for _, rec := range run {
			settled := rec.Offset < end
			if settled {
				require.False(rt, o.settled[rec], "a record is settled once")
				o.settled[rec], epoch = true, rec.LeaderEpoch
				o.delivered[p.lease.partition][rec.Offset] = true
			}
			if !rec.Attrs.IsControl() {
				o.count(rec, settled)
			}
		}
	}
	return epoch
}

// count adds a record to what the ledger must say.
func (o *oracle) count(rec *kgo.Record, settled bool) {
	o.want.consumed++
	if !settled {
		o.want.abandoned++
		return
	}
	letter, counted := false, rec.Value == nil || string(rec.Value) == "refuse"
	for _, r := range o.refusals[rec] {
		if o.c.cfg.OnError == onErrorDeadLetter && !o.isStored(r) {
			letter = true
		} else {
			counted = true
		}
	}
	switch {
	case letter:
		o.want.deadLettered++
	case counted:
		o.filtered++
	default:
		o.want.written++
	}
}

// requireTally compares the ledger with what must have become of the records.
func (o *oracle) requireTally(rt *rapid.T, inFlight int) {
	n := o.c.ledger.snapshot()
	require.Equal(rt, int64(inFlight), n.inFlight)
	require.Equal(rt, o.want.consumed+n.inFlight, n.consumed, "consumed")
	require.Equal(rt, o.want.written, n.written, "written")
	require.Equal(rt, o.want.deadLettered, n.deadLettered, "dead-lettered")
	require.Equal(rt, o.filtered, n.filteredTotal(), "filtered")
	require.Equal(rt, o.want.abandoned, n.abandoned, "abandoned")
}

// checkDelivered looks, at the end, whether anything was passed over.
func (o *oracle) checkDelivered(rt *rapid.T, marks *notedMarks) {
	for _, p := range modelPartitions() {
		for offset := range max(0, marks.last(p)) {
			require.True(rt, modelRecord(p, offset) == nil || o.delivered[p][offset],
				"%v is marked beyond offset %d, which was not delivered", p, offset)
		}
	}
}
