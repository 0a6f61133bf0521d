package writer

import (
	"fmt"
	"time"

	"go.uber.org/zap"
)

const (
	// How long a request may get nothing but 5xx, while other shards land, before it
	// counts as poisoned.
	poisonAfter = 10 * time.Minute
	// How many 5xx a part of a poisoned request gets, while other shards land, before
	// it counts as poisoned itself.
	poisonAttempts = 3
	// How often a shard says that its trouble lasts.
	logEvery = 30 * time.Second
)

// outage is a time in which a shard's request gets no judgement.
type outage struct {
	since    time.Time
	attempts int
	logged   time.Time
	// unreachable says that the receiver itself was at fault, as opposed to somebody who
	// configured it.
	unreachable bool
	// only5xx says that there was an answer each time, and a 5xx.
	only5xx  bool
	poisoned bool
}

// sending is the way of one request, from its first attempt to the judgement of
// the receiver.
type sending struct {
	items   []item
	payload *payload // Nil: has to be encoded first.
	posts   int      // How often the samples have been posted.
	doubted bool     // A refusal has been questioned already.
}

// send makes attempts until the receiver has judged the items, which are those not
// settled yet: the same bytes every time, for ever. What was fenced meanwhile is
// left out. The outcome is none of retry, misconfigured and unsupported; abandoned
// says that the writer is being drained.
func (s *shard) send(items []item) result {
	x := &sending{items: items}
	for {
		if live(items) == 0 {
			s.outage = outage{}
			s.w.health.relieved(s.number)
			return result{outcome: landed}
		}
		r := s.attempt(x)
		if r.ambiguous {
			doubt(items)
		}
		if s.questionable(x, r) {
			continue
		}
		if r.outcome == unsupported {
			again := s.w.negotiation.unsupported(x.payload.protocol)
			x.payload = nil
			if again {
				s.log.Info("the receiver does not speak remote write 2.0, going on with 1.0", zap.Int("status", r.status))
				continue
			}
			r.outcome = misconfigured
		}
		if r.outcome != retry && r.outcome != misconfigured {
			s.recovered()
			return r
		}
		s.failing(&r, items)
		if s.poisoned(&r, items) {
			s.outage = outage{}
			r.outcome = poisonous
			return r
		}
		if !s.pause(x, s.patience(r)) {
			return result{outcome: abandoned}
		}
	}
}

// questionable says that a refusal is no judgement yet: a receiver of 2.0 counts what
// it has written, also where it refuses. Without a count it may be one to which
// 2.0 is nonsense, so it is asked again, once, before samples are blamed.
func (s *shard) questionable(x *sending, r result) bool {
	if x.doubted || r.outcome != refused || r.counted || r.protocol != protocol2 || !s.w.negotiation.reopen() {
		return false
	}
	x.doubted, x.payload = true, nil
	return true
}

// attempt posts the samples once, or asks for the protocol first if that is not
// known.
func (s *shard) attempt(x *sending) result {
	if x.payload == nil {
		p, r := s.w.negotiation.ask(s.w.ctx)
		if p == undecided {
			s.w.metrics.asked(r)
			return r
		}
		x.payload = s.encoder.encode(x.items, p)
	}
	r := s.w.client.post(s.w.ctx, x.payload, x.posts)
	s.w.metrics.posted(r, x.payload, x.posts > 0)
	x.posts++
	return r
}

// forever is longer than any wait.
const forever = time.Duration(1<<63 - 1)

// patience is how long to wait after a failed attempt. When the attempts are used
// up the request waits for Drain, so that nothing of it lands.
func (s *shard) patience(r result) time.Duration {
	limit := s.w.cfg.Retry.MaxAttempts
	if limit > 0 && s.outage.attempts >= limit {
		s.w.fail(fmt.Errorf("writing to %s: giving up after %d attempts: %s", s.w.client.url.Redacted(), limit, r.words()))
	}
	if s.w.Err() != nil {
		return forever
	}
	return s.w.cfg.Retry.delay(s.outage.attempts, r)
}

// pause waits for the next attempt. False: the writer is being drained.
func (s *shard) pause(x *sending, wait time.Duration) bool {
	s.doing(pausing)
	defer s.doing(working)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for !s.w.ending() {
		select {
		case <-s.w.draining:
		case <-timer.C:
			return true
		case <-s.wake:
			if s.fence() {
				x.payload = nil
				if live(x.items) == 0 {
					return true
				}
			}
		}
	}
	return false
}

// failing takes note of an attempt that has to be made again.
func (s *shard) failing(r *result, items []item) {
	o := &s.outage
	now := time.Now()
	if o.since.IsZero() {
		*o = outage{since: now, only5xx: true}
	}
	o.attempts++
	o.only5xx = o.only5xx && r.status >= 500
	o.unreachable = o.unreachable || r.outcome == retry
	s.w.health.failing(s.number, *r, now)
	if now.Sub(o.logged) < logEvery {
		return
	}
	o.logged = now
	fields := []zap.Field{
		zap.String("receiver", r.words()), zap.Int("samples", live(items)),
		zap.Int("attempts", o.attempts), zap.Duration("since", now.Sub(o.since)),
	}
	if r.outcome == misconfigured {
		s.log.Error("the receiver does not take anything from us: check url and credentials; trying on slowly, nothing is dropped", fields...)
	} else {
		s.log.Warn("the receiver does not take the request now; sending it again until it does", fields...)
	}
}

// recovered takes note of an attempt that the receiver has judged.
func (s *shard) recovered() {
	o := s.outage
	s.outage = outage{}
	now := time.Now()
	s.w.health.answered(s.number, now)
	if o.since.IsZero() {
		return
	}
	if o.unreachable {
		s.w.negotiation.outage(o.since)
	}
	s.log.Info("the receiver takes requests again", zap.Int("attempts", o.attempts+1), zap.Duration("after", now.Sub(o.since)))
}

// poisoned says whether the request is to be isolated because it gets nothing but
// 5xx while others land. It says so loudly in any case.
func (s *shard) poisoned(r *result, items []item) bool {
	o := &s.outage
	if !o.only5xx || !s.w.health.landedSince(o.since, s.number) {
		return false
	}
	if s.hunting {
		return o.attempts >= poisonAttempts
	}
	if time.Since(o.since) < poisonAfter {
		return false
	}
	isolate := s.w.cfg.RemoteWrite.Poison5xx == poisonIsolate
	if !o.poisoned {
		o.poisoned = true
		s.w.health.poisoned(s.number)
		first, last := seriesRange(items)
		s.log.Error("one request gets nothing but 5xx while others land: a sample in it seems to break the receiver",
			zap.String("first_series", first), zap.String("last_series", last), zap.Int("samples", live(items)),
			zap.String("receiver", r.words()), zap.Duration("since", time.Since(o.since)), zap.Bool("isolating", isolate))
	}
	return isolate
}

// seriesRange names the first and the last series of a request.
func seriesRange(items []item) (first, last string) {
	for i := range items {
		if items[i].batch == nil {
			continue
		}
		last = items[i].Series.Encoded
		if first == "" {
			first = last
		}
	}
	return clean(seriesText(first)), clean(seriesText(last))
}
