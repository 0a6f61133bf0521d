package writer

import (
	"net/http"

	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/transform"
)

// deliver sends the items and settles them by what the receiver says. False: the
// writer is being drained, and what is not settled is to be abandoned.
func (s *shard) deliver(items []item) bool {
	r := s.send(items)
	switch j := s.judge(items, r); {
	case j == settled:
		return true
	case j == stopped:
		return false
	case r.outcome == tooLarge:
		return s.halve(items, r)
	case r.outcome == poisonous:
		s.hunting = true
		defer func() { s.hunting = false }()
		return s.isolate(items, r)
	}
	return s.isolate(items, r)
}

// judgement is what an outcome means for the items of a request.
type judgement uint8

const (
	settled judgement = iota // They have been dealt with.
	faulty                   // Nothing of them is stored, because something in them is at fault.
	stopped                  // The writer is being drained.
)

// judge settles the items where the result says enough about them.
func (s *shard) judge(items []item, r result) judgement {
	switch r.outcome {
	case landed:
		s.written(items)
		return settled
	case partial:
		s.accept(items, r)
		return settled
	case abandoned:
		return stopped
	case refused:
		if !s.keepsTheGood(r) {
			return faulty
		}
		s.accept(items, r)
		return settled
	default:
		return faulty
	}
}

// keepsTheGood says whether the receiver has stored the good samples of a request
// that it has refused. They must not be sent again then: it would refuse them.
func (s *shard) keepsTheGood(r result) bool {
	switch s.w.cfg.RemoteWrite.PartialAccept {
	case partialYes:
		return true
	case partialNo:
		return false
	}
	return r.protocol == protocol2 || r.status == http.StatusConflict
}

// accept settles items of which the receiver has stored a part. Under 2.0 it says
// how many, and it may name the series of the others: those are the candidates.
// Where it names too few, every sample of the request is one. Under 1.0 there is no
// number, and what is not named counts as stored; Mimir names the first one only.
func (s *shard) accept(items []item, r result) {
	count := -1 // Not known.
	if r.protocol == protocol2 {
		count = max(r.sent-r.written, 0)
	}
	if count == 0 {
		s.written(items)
		return
	}
	s.complain(items, r)
	v := verdict{reason: transform.ReasonRefused, text: r.words(), said: r.body, count: count}
	a := accuse(items, r.body)
	switch {
	case a.items == 0 && count < 0:
		v.count = live(items)
		s.refuse(items, v)
	case a.items < count:
		v.exact = count == live(items)
		s.refuse(items, v)
	default:
		v.texts = a.texts
		if a.lines == count {
			guilty := a.takeGuilty(items)
			v.count -= len(guilty)
			s.refuse(guilty, verdict{reason: v.reason, text: v.text, said: v.said, texts: v.texts, exact: true})
		}
		candidates := a.take(items)
		v.exact = len(candidates) == v.count
		if count < 0 {
			v.count = len(candidates)
		}
		s.refuse(candidates, v)
		s.written(items)
	}
}

// halve delivers the two halves of a request that is too large for the receiver,
// and makes the requests to come smaller. Half a request of one sample does not
// exist: the sample is refused.
func (s *shard) halve(items []item, r result) bool {
	if live(items) == 1 {
		s.refuse(items, verdict{reason: transform.ReasonTooLarge, text: r.words(), exact: true})
		return true
	}
	if r.raw/2 < s.maxBytes {
		s.maxBytes = r.raw / 2
		s.log.Info("the receiver wants smaller requests", zap.Int("max_bytes", s.maxBytes), zap.String("receiver", r.words()))
	}
	items = unsettled(items)
	landingOrder(items)
	older, newer := items[:len(items)/2], items[len(items)/2:]
	wireOrder(older)
	wireOrder(newer)
	return s.deliver(older) && s.deliver(newer)
}

// complain says in the log that samples have been refused, now and then.
func (s *shard) complain(items []item, r result) {
	if s.w.health.mayComplain() {
		s.log.Warn("the receiver refuses samples", zap.String("receiver", r.words()), zap.Int("samples_of_the_request", live(items)))
	}
}
