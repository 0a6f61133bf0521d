package consumer

import (
	"context"
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
		case r.Reason == transform.ReasonPossiblyStored && c.opts.CountPossiblyStored:
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
	dead := make(map[*kgo.Record]bool, len(s.letters))
	for i := range s.letters {
		dead[s.letters[i].record] = true
	}
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	var total outcome
	for _, p := range s.batch.positions {
		l := p.lease
		if s.lost || l.broken || !l.held.Load() {
			l.broken = l.broken || s.lost
			total.abandoned += p.records
			continue
		}
		next, epoch := p.next, p.epoch
		at, capped := s.caps[l.partition]
		if capped {
			l.broken = true
			next, epoch = p.before(at)
			total.abandoned += p.from(at)
		}
		s.tally(p, dead, at, capped, &total)
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
	c.marks.MarkCommitOffsets(offsets)
	c.ledger.settle(total)
	if s.refusal != nil {
		c.stop(s.refusal)
	}
}

// tally counts the records of a position by what became of them, up to the cap.
func (s *settlement) tally(p *position, dead map[*kgo.Record]bool, at int64, capped bool, total *outcome) {
	if !capped && len(dead) == 0 && len(s.counted) == 0 {
		for reason, n := range p.filtered {
			total.filter(reason, n)
		}
		total.written += p.records - p.filteredRecords()
		return
	}
	filtered := p.filteredRecords()
	for _, run := range p.runs {
		for _, rec := range run {
			if rec.Attrs.IsControl() || capped && rec.Offset >= at {
				continue
			}
			if reason, ok := s.counted[rec]; ok {
				total.filter(reason, 1)
			} else if dead[rec] {
				total.deadLettered++
			} else {
				total.written++
			}
		}
	}
	// The records that were filtered while mapping stand among the written ones so far.
	// Behind a cap it is not known how many of them there were; they are taken to be
	// before it.
	filtered = min(filtered, total.written)
	total.written -= filtered
	for reason, n := range p.filtered {
		n = min(n, filtered)
		total.filter(reason, n)
		filtered -= n
	}
}

// filteredRecords is the number of records that gave nothing, by a rule.
func (p *position) filteredRecords() (n int) {
	for _, k := range p.filtered {
		n += k
	}
	return n
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
	for i := len(p.runs) - 1; i >= 0; i-- {
		for j := len(p.runs[i]) - 1; j >= 0; j-- {
			if rec := p.runs[i][j]; rec.Offset < next && !rec.Attrs.IsControl() {
				return rec.Timestamp
			}
		}
	}
	return time.Time{}
}
