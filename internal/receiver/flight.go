package receiver

import (
	"context"
	"fmt"
	"time"
)

// grace is how long it may take the HTTP server to notice that the sender of a
// request has hung up.
const grace = 200 * time.Millisecond

// flight is a request that has not been answered yet.
type flight struct {
	request *Request
	sender  context.Context // Ends when the sender hangs up, and after the answer.
	landed  bool
	// abandoned says that the sender had hung up before the answer.
	abandoned bool
}

// enter numbers and logs a request and compares it with those in flight.
func (r *Receiver) enter(ctx context.Context, q *Request, violations []string) (*flight, Hook) {
	r.mu.Lock()
	r.count++
	q.Number = r.count
	r.violate(q, violations)
	overlaps := r.overlaps(q)
	f := &flight{request: q, sender: ctx}
	r.open[f] = struct{}{}
	r.maxInFlight = max(r.maxInFlight, len(r.open))
	if !r.cfg.Forget {
		r.log = append(r.log, q)
	}
	hook := r.hook
	r.mu.Unlock()

	r.judge(q, overlaps)
	return f, hook
}

// leave ends a flight. It comes before the answer is sent: a sender that has the
// answer may send the same series again at once.
func (r *Receiver) leave(f *flight, a Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.landed, f.abandoned = true, f.sender.Err() != nil
	f.request.Status = a.Status
	delete(r.open, f)
}

// overlap is a series that is in two requests at once.
type overlap struct {
	series string
	with   *flight
}

// overlaps compares a request with those in flight. The caller holds the lock.
func (r *Receiver) overlaps(q *Request) []overlap {
	if len(r.open) == 0 || len(q.Series) == 0 {
		return nil
	}
	ours := make(map[string]bool, len(q.Series))
	for _, s := range q.Series {
		ours[s.name] = true
	}
	var found []overlap
	for f := range r.open {
		for _, s := range f.request.Series {
			if ours[s.name] {
				found = append(found, overlap{series: s.name, with: f})
				break
			}
		}
	}
	return found
}

// judge reports overlaps, but for those with a request whose sender has hung up:
// it cannot take that request back.
func (r *Receiver) judge(q *Request, overlaps []overlap) {
	if len(overlaps) == 0 {
		return
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	late := false
	for _, o := range overlaps {
		if !late {
			select {
			case <-o.with.sender.Done():
			case <-timer.C:
				late = true
			}
		}
		r.mu.Lock()
		if !o.with.hungUp() {
			r.violate(q, []string{fmt.Sprintf("series %s is in flight with request %d", o.series, o.with.request.Number)})
		}
		r.mu.Unlock()
	}
}

// hungUp says whether the sender left before it had an answer. The caller holds
// the lock.
func (f *flight) hungUp() bool {
	if f.landed {
		return f.abandoned
	}
	return f.sender.Err() != nil
}
