package writer

import (
	"slices"
	"sync"

	"go.uber.org/zap"
)

// part is what a batch holds for one shard.
type part struct {
	batch *Batch
	index []uint32 // Positions in the batch's samples, in poll order.
	next  int      // The position that has not been taken yet.
	epoch uint64   // Fences that had been made when the batch was submitted.
}

// activity is what a shard does.
type activity uint8

const (
	resting activity = iota // There was nothing to do.
	working
	pausing // It waits for its next attempt.
)

// shard sends the samples of its series, one request at a time. Everything below
// the lock's fields belongs to its goroutine.
type shard struct {
	w      *Writer
	number int
	log    *zap.Logger
	wake   chan struct{} // Says that something was submitted or fenced.

	mu       sync.Mutex
	queue    []part
	spare    [][]uint32 // To be used again by Submit.
	activity activity
	closed   bool

	backlog  []part // Taken off the queue.
	request  request
	encoder  encoder
	epoch    uint64 // The fences that backlog and request have been through.
	maxBytes int    // Of a request; less than configured if the receiver wants that.
	outage   outage
	hunting  bool // A request that got nothing but 5xx is being isolated.
	shares   []share
}

func newShard(w *Writer, number int) *shard {
	return &shard{
		w:        w,
		number:   number,
		log:      w.log.With(zap.Int("shard", number)),
		wake:     make(chan struct{}, 1),
		maxBytes: int(w.cfg.RemoteWrite.MaxRequestBytes),
	}
}

// submit queues a part, and returns an empty slice for the positions of another.
func (s *shard) submit(p part) (spare []uint32) {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.queue = append(s.queue, p)
	}
	if n := len(s.spare); n > 0 {
		spare, s.spare = s.spare[n-1], s.spare[:n-1]
	}
	s.mu.Unlock()
	if closed {
		for _, i := range p.index {
			s.w.metrics.settle(sampleAbandoned, 1)
			p.batch.abandon(p.batch.Samples[i].Record)
			p.batch.settle(1)
		}
		return p.index[:0]
	}
	s.rouse()
	return spare
}

func (s *shard) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // It is going to wake up anyway.
	}
}

func (s *shard) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.activity == pausing || s.activity == resting && len(s.queue) == 0
}

func (s *shard) doing(a activity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.activity = a
}

func (s *shard) backingOff() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.activity == pausing
}

// run delivers what is submitted, until the writer is drained. Once a request has
// been abandoned, everything behind it is, too.
func (s *shard) run() {
	ended := false
	for s.await() {
		s.fill()
		ended = ended || !s.deliver(s.request.items)
		s.abandon(s.request.items)
		s.request.reset()
	}
}

// await waits for samples. False: there are none and never will be.
func (s *shard) await() bool {
	for {
		s.mu.Lock()
		s.backlog = append(s.backlog, s.queue...)
		clear(s.queue)
		s.queue = s.queue[:0]
		switch {
		case len(s.backlog) > 0:
			s.activity = working
		case s.w.ending():
			s.activity, s.closed = resting, true
		default:
			s.activity = resting
		}
		activity, closed := s.activity, s.closed
		s.mu.Unlock()
		if activity == working || closed {
			return !closed
		}
		select {
		case <-s.wake:
		case <-s.w.draining:
		}
	}
}

// fill makes the next request of everything that is there, across batches, up to
// the caps.
func (s *shard) fill() {
	s.epoch = s.w.epoch.Load()
	for len(s.backlog) > 0 && s.take(&s.backlog[0]) {
		s.mu.Lock()
		s.spare = append(s.spare, s.backlog[0].index[:0])
		s.mu.Unlock()
		s.backlog = slices.Delete(s.backlog, 0, 1)
	}
	s.request.arrange()
	s.drop(s.request.merged, sampleMerged)
	s.refuseDoubles(s.request.doubles)
}

// take moves samples of a part into the request. False: the request is full.
func (s *shard) take(p *part) bool {
	for ; p.next < len(p.index); p.next++ {
		sample := &p.batch.Samples[p.index[p.next]]
		if len(s.request.items) == s.w.cfg.MaxSamples || !s.request.fits(sample, s.maxBytes) {
			return false
		}
		if p.epoch != s.epoch && !p.batch.held(sample.Record) {
			gone := [1]item{{Sample: *sample, batch: p.batch}}
			s.abandon(gone[:])
			continue
		}
		s.request.add(sample, p.batch)
	}
	return true
}

// fence abandons what the request holds of partitions that are not ours any more,
// and says whether there was any.
func (s *shard) fence() (changed bool) {
	epoch := s.w.epoch.Load()
	if epoch == s.epoch {
		return false
	}
	s.epoch = epoch
	items := s.request.items
	for i := range items {
		if it := &items[i]; it.batch != nil && !it.batch.held(it.Record) {
			s.abandon(items[i : i+1])
			changed = true
		}
	}
	return changed
}

// live counts the items that are not settled.
func live(items []item) (n int) {
	for i := range items {
		if items[i].batch != nil {
			n++
		}
	}
	return n
}
