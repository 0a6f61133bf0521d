package consumer

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/transform"
)

// settleAll settles the submitted batches in poll order, until there are no
// more or ctx ends. What it does not get to is abandoned: the records come
// again.
func (c *Consumer) settleAll(ctx context.Context) {
	for b := range c.settling {
		select {
		case <-b.written.Landed():
		case <-ctx.Done():
		}
		c.settle(ctx, b)
	}
}

// settle writes the dead letters of a batch that has landed, and marks its
// offsets for the next commit.
func (c *Consumer) settle(ctx context.Context, b *batch) {
	s := settlement{batch: b}
	if landed(b) {
		s.collect(c)
		if c.letters != nil && len(s.letters) > 0 {
			s.unacknowledged(c.letters.write(ctx, s.letters, b.held))
		}
	} else {
		s.lost = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.mark(c)
	c.forget(b)
}

func landed(b *batch) bool {
	select {
	case <-b.written.Landed():
		return true
	default:
		return false
	}
}

// forget drops a settled batch and gives its slot back. Consumer.mu is held.
func (c *Consumer) forget(b *batch) {
	c.inFlight[0] = nil // Its records are not to be kept by the array behind the slice.
	c.inFlight = c.inFlight[1:]
	<-c.slots
	c.metrics.bytesInFlight.Sub(float64(b.bytes))
	c.opts.Mapper.Landed(b.number)
	if landed(b) {
		b.out.Reset()
		c.spare = append(c.spare, b.out)
	}
	c.progress.landed(time.Now())
}

// settlement is what becomes of the records of one batch.
type settlement struct {
	batch *batch
	// letters are the dead letters to be written, in the order of the refusals.
	letters []letter
	// counted are the records whose only refusals are dropped by a counted rule.
	counted map[*kgo.Record]transform.Reason
	// caps are offsets at which a partition cannot go on: nothing from there on may be
	// marked.
	caps map[partition]int64
	// lost says that the batch did not land at all.
	lost bool
	// refusal is the first refusal that stops the pipeline.
	refusal *RefusedError
}

// collect groups the refusals of a batch by record, and decides what becomes of
// each record.
func (s *settlement) collect(c *Consumer) {
	index := make(map[*kgo.Record]int)
	add := func(r transform.Refusal) {
		i, known := index[r.Record]
		if !known {
			i = len(s.letters)
			index[r.Record] = i
			s.letters = append(s.letters, letter{record: r.Record})
		}
		s.letters[i].refusals = append(s.letters[i].refusals, r)
	}
	for _, r := range s.batch.out.Refused {
		add(r)
	}
	written := s.batch.written.Refused()
	c.metrics.refused(written)
	for _, r := range written {
		switch {
		case c.counts(r):
			s.count(r.Record, transform.ReasonPossiblyStored)
		case c.cfg.OnError == onErrorSkip:
			c.metrics.skips.log(r)
			s.count(r.Record, transform.ReasonSkipped)
		case c.cfg.OnError == onErrorStop:
			s.stop(r)
		default:
			add(r)
		}
	}
	for _, rec := range s.batch.written.Abandoned() {
		s.cap(rec)
	}
	for i := range s.letters {
		delete(s.counted, s.letters[i].record)
	}
}

// counts says that a refusal is only counted, because the sample is stored already as
// far as can be known. Where that is a guess, a dead-letter topic gets the record.
func (c *Consumer) counts(r transform.Refusal) bool {
	return r.Reason == transform.ReasonPossiblyStored && c.opts.CountPossiblyStored &&
		(!r.Untried || c.cfg.OnError != onErrorDeadLetter)
}

func (s *settlement) count(rec *kgo.Record, reason transform.Reason) {
	if s.counted == nil {
		s.counted = make(map[*kgo.Record]transform.Reason)
	}
	s.counted[rec] = reason
}

func (s *settlement) stop(r transform.Refusal) {
	if s.batch.held(r.Record) && s.refusal == nil {
		s.refusal = refusedError([]transform.Refusal{r})
	}
	s.cap(r.Record)
}

// cap keeps a partition from being marked beyond a record.
func (s *settlement) cap(rec *kgo.Record) {
	if s.caps == nil {
		s.caps = make(map[partition]int64)
	}
	p := partition{rec.Topic, rec.Partition}
	if at, ok := s.caps[p]; !ok || rec.Offset < at {
		s.caps[p] = rec.Offset
	}
}

// unacknowledged takes back the letters that the topic did not acknowledge.
func (s *settlement) unacknowledged(letters []letter) {
	for i := range letters {
		s.cap(letters[i].record)
	}
}

// mark settles every position: what is still held, and not behind a cap, is
// marked for the next commit and counted by what became of it; the rest is
// abandoned and comes again. Consumer.mu is held, so that no revocation can
// come in between: Kafka does not check who commits.
func (s *settlement) mark(c *Consumer) {
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	limits := make(map[partition]int64, len(s.batch.positions)) // Of what is settled.
	var total outcome
	for _, p := range s.batch.positions {
		l := p.lease
		if s.lost || l.broken || !l.held.Load() {
			l.broken = l.broken || s.lost
			total.abandoned += p.records
			continue
		}
		next, epoch, limit := p.next, p.epoch, int64(math.MaxInt64)
		if at, capped := s.caps[l.partition]; capped {
			l.broken, limit = true, at
			next, epoch = p.before(at)
		}
		limits[l.partition] = limit
		p.tally(limit, &total)
		if next < 0 {
			continue
		}
		l.settled = next
		if c.span != nil {
			c.span.settled[l.partition] = next
		}
		if offsets[l.topic] == nil {
			offsets[l.topic] = make(map[int32]kgo.EpochOffset)
		}
		offsets[l.topic][l.id] = kgo.EpochOffset{Epoch: epoch, Offset: next}
		c.progress.settled(p.last(next))
	}
	s.reclassify(limits, &total)
	c.marks.MarkCommitOffsets(offsets)
	c.ledger.settle(total)
	if s.refusal != nil {
		c.stop(s.refusal)
	}
}

// tally counts the records of a position by what became of them while they were
// mapped, up to a limit: behind it they are abandoned.
func (p *position) tally(limit int64, total *outcome) {
	written := p.records
	if limit < math.MaxInt64 {
		abandoned := p.from(limit)
		total.abandoned += abandoned
		written -= abandoned
	}
	for reason, offsets := range p.filtered {
		n, _ := slices.BinarySearch(offsets, limit)
		total.filter(reason, n)
		written -= n
	}
	total.written += written
}

// reclassify takes the records that have a refusal out of the written ones, as far
// as they are settled at all.
func (s *settlement) reclassify(limits map[partition]int64, total *outcome) {
	settled := func(rec *kgo.Record) bool {
		limit, ok := limits[partition{rec.Topic, rec.Partition}]
		return ok && rec.Offset < limit
	}
	for rec, reason := range s.counted {
		if settled(rec) {
			total.filter(reason, 1)
			total.written--
		}
	}
	for i := range s.letters {
		if settled(s.letters[i].record) {
			total.deadLettered++
			total.written--
		}
	}
}

// before returns the offset and the leader epoch to commit so that the record at
// an offset comes again; the offset is -1 where nothing of the position is before
// it.
func (p *position) before(at int64) (next int64, epoch int32) {
	next, epoch = -1, -1
	for _, run := range p.runs {
		for _, rec := range run {
			if rec.Offset < at {
				next, epoch = at, rec.LeaderEpoch
			}
		}
	}
	return next, epoch
}

// from counts the records at and behind an offset, control records excluded.
func (p *position) from(at int64) (n int) {
	for _, run := range p.runs {
		for _, rec := range run {
			if rec.Offset >= at && !rec.Attrs.IsControl() {
				n++
			}
		}
	}
	return n
}

// last returns the time of the last record before an offset; zero if there is
// none.
func (p *position) last(next int64) time.Time {
	for _, run := range slices.Backward(p.runs) {
		for _, rec := range slices.Backward(run) {
			if rec.Offset < next && !rec.Attrs.IsControl() {
				return rec.Timestamp
			}
		}
	}
	return time.Time{}
}
