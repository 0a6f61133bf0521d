// Package receiver is a remote-write receiver that keeps its samples in memory.
// It answers as the receivers in the field do, lets a test script any fault, and
// writes down everything that a sender must not do even where real receivers say
// nothing.
package receiver

import (
	"maps"
	"net/http"
	"sync"
	"time"
)

// Config says how a receiver behaves. The zero value is Prometheus 3 without
// an out-of-order window.
type Config struct {
	Behaviour Behaviour
	// OutOfOrderWindow is Prometheus' out_of_order_time_window. 0: none.
	OutOfOrderWindow time.Duration
	// Store takes the samples. Nil: a memory of its own, with OutOfOrderWindow.
	Store Store
	// Hook sees every request before it is dealt with. Nil: none.
	Hook Hook
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// MaxRequestBytes bounds the compressed body; beyond it the answer is 413.
	// 0: 32 MiB, as in Prometheus.
	MaxRequestBytes int
	// Forget keeps no request log, for runs that last.
	Forget bool
}

// maxDecodedBytes is what Prometheus lets a request decompress to.
const maxDecodedBytes = 32 << 20

// Receiver is an http.Handler for remote write 1.0 and 2.0. It is safe for
// concurrent use.
type Receiver struct {
	cfg    Config
	memory *Memory

	mu          sync.Mutex
	hook        Hook
	count       int
	log         []*Request
	open        map[*flight]struct{}
	maxInFlight int
	violations  []string
}

// New makes a receiver. It holds no resources and need not be closed.
func New(cfg Config) *Receiver {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxRequestBytes == 0 {
		cfg.MaxRequestBytes = maxDecodedBytes
	}
	r := &Receiver{hook: cfg.Hook, open: map[*flight]struct{}{}}
	if cfg.Store == nil {
		r.memory = NewMemory(cfg.OutOfOrderWindow)
		r.memory.keepAll = cfg.Behaviour == VictoriaLike
		cfg.Store = r.memory
	}
	r.cfg = cfg
	return r
}

// SetHook replaces the hook for the requests to come. Nil removes it.
func (r *Receiver) SetHook(h Hook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hook = h
}

// Samples returns what a query would: the stored samples of each series, in
// order of time, by the series' labels in Prometheus' notation, such as
// {__name__="up", job="x"}. It is nil where Config.Store was given.
func (r *Receiver) Samples() map[string][]Point {
	if r.memory == nil {
		return nil
	}
	return r.memory.Samples()
}

// Requests returns the log of the requests, in the order in which they came.
func (r *Receiver) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	log := make([]Request, len(r.log))
	for i, q := range r.log {
		log[i] = *q
	}
	return log
}

// Violations returns what senders did that they must not do. A test of a sender
// asserts that it is empty.
func (r *Receiver) Violations() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.violations...)
}

// InFlight returns the number of requests that have not been answered yet.
func (r *Receiver) InFlight() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// MaxInFlight returns the most requests that were ever in flight at once.
func (r *Receiver) MaxInFlight() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.maxInFlight
}

// ServeHTTP answers one request.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a := r.serve(req)
	if a.Drop {
		// The documented way to cut a connection; the server does not log it.
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), a.Header)
	if a.Body == "" {
		w.WriteHeader(a.Status)
		return
	}
	http.Error(w, a.Body, a.Status)
}

// serve deals with one request up to its answer. The request is no longer in
// flight when it returns, so that a sender that has the answer may go on at once.
func (r *Receiver) serve(req *http.Request) Answer {
	q, msg, problem := r.read(req)
	f, hook := r.enter(req.Context(), q, msg.violations)
	answer := r.scripted(req.Context(), hook, q, func() Answer {
		if problem != nil {
			return *problem
		}
		return r.write(msg, q)
	})
	r.leave(f, answer)
	return answer
}
