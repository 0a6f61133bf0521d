package writer

import (
	"github.com/kafka2prom/kafka2prom/transform"
)

// share is how many of the items that are being settled belong to a batch.
type share struct {
	batch *Batch
	n     int
}

// settle marks the items as dealt with and tells their batches. The metrics have
// been told before, so that they are right when a batch has landed.
func (s *shard) settle(items []item) {
	at := 0
	for i := range items {
		b := items[i].batch
		if b == nil {
			continue
		}
		if at >= len(s.shares) || s.shares[at].batch != b {
			at = s.shareOf(b)
		}
		s.shares[at].n++
		items[i].batch = nil
	}
	for _, x := range s.shares {
		x.batch.settle(x.n)
	}
	clear(s.shares)
	s.shares = s.shares[:0]
}

// shareOf finds the share of a batch. There are as many as batches in flight, a
// handful.
func (s *shard) shareOf(b *Batch) int {
	for i := range s.shares {
		if s.shares[i].batch == b {
			return i
		}
	}
	s.shares = append(s.shares, share{batch: b})
	return len(s.shares) - 1
}

// drop settles items that need nothing more, as merged or written.
func (s *shard) drop(items []item, what sampleOutcome) {
	if n := live(items); n > 0 {
		s.w.metrics.settle(what, n)
		s.settle(items)
	}
}

// written settles items that the receiver has stored.
func (s *shard) written(items []item) {
	var newest int64
	for i := range items {
		if items[i].batch != nil {
			newest = max(newest, items[i].Timestamp)
		}
	}
	s.w.metrics.newestSent(newest)
	s.drop(items, sampleWritten)
}

// abandon settles items that are not going to be sent.
func (s *shard) abandon(items []item) {
	for i := range items {
		if b := items[i].batch; b != nil {
			b.abandon(items[i].Record)
		}
	}
	s.drop(items, sampleAbandoned)
}

// refuseDoubles settles samples that came when there was another value for their
// time already.
func (s *shard) refuseDoubles(doubles []item) {
	for i := range doubles {
		s.refuse(doubles[i:i+1], verdict{
			reason: transform.ReasonDuplicateTimestamp,
			text:   "another value of the series for the same time came first, and the first one counts",
			exact:  true,
		})
	}
}

// verdict is why items are refused.
type verdict struct {
	reason transform.Reason
	text   string
	// said is the body of the answer.
	said []byte
	// texts are those of the series that the receiver names, instead of text.
	texts map[*transform.Series]string
	// exact is false where only some of the items are refused, and it is not known
	// which; count says how many.
	exact bool
	count int
	// guessed says that the receiver has not judged the items one by one.
	guessed bool
}

// refuse settles items: their records get a dead letter each, or whatever the
// consumer makes of a refusal. Where the verdict is not exact those of the items
// that are not refused count as written.
func (s *shard) refuse(items []item, v verdict) {
	all := live(items)
	if all == 0 {
		return
	}
	if v.exact {
		v.count = all
	}
	stored := 0
	for i := range items {
		if items[i].batch == nil {
			continue
		}
		r := v.refusal(&items[i])
		if r.Reason == transform.ReasonPossiblyStored {
			stored++
		}
		items[i].batch.refuse(r)
	}
	stored = min(stored, v.count)
	s.w.metrics.refuse(transform.ReasonPossiblyStored, stored)
	s.w.metrics.refuse(v.reason, v.count-stored)
	s.w.metrics.settle(sampleWritten, all-v.count)
	s.settle(items)
}

// refusal is the verdict on one item. What an earlier attempt, or an earlier owner
// of the partition, may have stored is refused for that as a rule, if the receiver
// does not give another reason.
func (v verdict) refusal(it *item) transform.Refusal {
	r := transform.Refusal{
		Record: it.Record, Stage: transform.StageWrite, Reason: v.reason, Text: v.text, Rule: -1,
		Series: it.Series, Timestamp: it.Timestamp, Value: it.Value, Exact: v.exact,
	}
	said := string(v.said)
	if text, ok := v.texts[it.Series]; ok {
		r.Text, said = text, text
	}
	if r.Reason == transform.ReasonRefused && it.repeated() && maySayStored(said) {
		r.Reason = transform.ReasonPossiblyStored
		// The same bytes again are stored as a whole or not at all. What an earlier owner
		// has left out, because it was at fault, cannot be told from what it has stored.
		r.Untried = v.guessed && !it.doubtful
	}
	return r
}

// doubt notes that the receiver may have stored the items although it has not said
// so.
func doubt(items []item) {
	for i := range items {
		items[i].doubtful = true
	}
}
