package receiver

import (
	"context"
	"net/http"
	"time"
)

// Hook decides what becomes of a request. It may block; a sender that gives up
// meanwhile is not held. The request must not be changed.
type Hook func(q *Request) Answer

// Answer is what a hook wants. The zero value leaves everything to the
// receiver's behaviour.
type Answer struct {
	// Status to answer with, without storing anything. 0: the behaviour decides.
	Status int
	// Header and Body of the answer. Without a Status the header is added to what
	// the behaviour answers, and the body is ignored.
	Header http.Header
	Body   string
	// Store has the samples dealt with first although Status or Drop is set: the
	// receiver has the data, and the sender does not hear of it.
	Store bool
	// Drop cuts the connection instead of answering.
	Drop bool
	// Before and After are waited for before the samples are dealt with, and between
	// that and the answer. They end early when the sender gives up.
	Before, After time.Duration
}

// scripted runs the hook around the store function and returns the final answer.
func (r *Receiver) scripted(ctx context.Context, hook Hook, q *Request, store func() Answer) Answer {
	var want Answer
	if hook != nil {
		want = hook(q)
	}
	wait(ctx, want.Before)
	ours := want.Status == 0 && !want.Drop
	got := want
	if ours || want.Store {
		got = store()
	}
	wait(ctx, want.After)
	if !ours {
		return want
	}
	for name, values := range want.Header {
		if got.Header == nil {
			got.Header = http.Header{}
		}
		got.Header[name] = values
	}
	return got
}

// wait for a duration, or until the sender has given up.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
