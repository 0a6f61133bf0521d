package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang/snappy"
)

// stalled is how long the receiver waits for the next sample before it gives up.
const stalled = 90 * time.Second

// sink is a receiver of remote write that counts, and adds up a checksum over every
// sample. It accepts all that it can read.
type sink struct {
	url     string
	latency time.Duration // Between a request and its answer.
	version string        // The newest remote write that it speaks, 1.0 or 2.0.
	server  *http.Server
	spare   sync.Pool // Of *inbox.

	mu      sync.Mutex
	counted received
	delays  *delays // Nil where nobody wants to know them.
}

// received is what a sink has accepted.
type received struct {
	Samples  int64 `json:"samples"`
	Requests int64 `json:"requests"` // Those with samples.
	Bytes    int64 `json:"bytes"`    // Compressed.

	checksum    uint64
	first, last time.Time // When samples were accepted.
}

// inbox is the memory that one request needs.
type inbox struct {
	packed, plain []byte
	tally         tally
}

// newSink starts a receiver, which close ends.
func newSink(version string, latency time.Duration) (*sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It binds at once.
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	s := &sink{url: "http://" + listener.Addr().String(), version: version, latency: latency}
	s.spare.New = func() any { return new(inbox) }
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(listener) }() // It ends with Close.
	return s, nil
}

func (s *sink) close() { _ = s.server.Close() } // Every answer has been given.

// ServeHTTP implements http.Handler.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v2 := strings.Contains(r.Header.Get("Content-Type"), "io.prometheus.write.v2.Request")
	if v2 && s.version != "2.0" {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	in := s.spare.Get().(*inbox) // Nothing else is put there.
	defer s.spare.Put(in)
	if err := in.read(r, v2); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	time.Sleep(s.latency)
	s.accept(in)
	if v2 {
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", strconv.FormatInt(in.tally.samples, 10))
		w.Header().Set("X-Prometheus-Remote-Write-Histograms-Written", "0")
		w.Header().Set("X-Prometheus-Remote-Write-Exemplars-Written", "0")
	}
	w.WriteHeader(http.StatusNoContent)
}

func (in *inbox) read(r *http.Request, v2 bool) error {
	if size := int(r.ContentLength); size > cap(in.packed) {
		in.packed = make([]byte, size)
	}
	in.packed = in.packed[:max(0, r.ContentLength)]
	if _, err := io.ReadFull(r.Body, in.packed); err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	plain, err := snappy.Decode(in.plain[:cap(in.plain)], in.packed)
	if err != nil {
		return fmt.Errorf("decompressing: %w", err)
	}
	in.plain = plain
	return in.tally.count(plain, v2)
}

func (s *sink) accept(in *inbox) {
	if in.tally.samples == 0 {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.counted
	if c.first.IsZero() {
		c.first = now
	}
	c.last = now
	c.Samples += in.tally.samples
	c.checksum += in.tally.checksum
	c.Bytes += int64(len(in.packed))
	c.Requests++
	if s.delays != nil {
		s.delays.add(now, in.tally.times)
	}
}

// received returns what there is so far.
func (s *sink) received() received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counted
}

// watchDelays starts measuring delays anew, and returns those so far.
func (s *sink) watchDelays() *delays {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.delays
	s.delays = &delays{}
	return old
}

// await returns when that many samples have come, or with an error when none has come
// for a while or the sender has ended.
func (s *sink) await(ctx context.Context, samples int64, sender *process) error {
	for progress, since := int64(-1), time.Now(); ; {
		n := s.received().Samples
		switch {
		case n >= samples:
			return nil
		case n > progress:
			progress, since = n, time.Now()
		case time.Since(since) > stalled:
			return fmt.Errorf("waiting for samples: %d of %d came, and none for %s", n, samples, stalled)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for samples: %w", ctx.Err())
		case <-sender.ended:
			return fmt.Errorf("waiting for samples: the program ended with %d of %d: %s", n, samples, sender.describe())
		case <-time.After(time.Millisecond):
		}
	}
}

// verify compares what came with what was produced.
func (r received) verify(t *topic) error {
	if r.Samples != t.produced || r.checksum != t.checksum {
		return fmt.Errorf("%d samples with checksum %x came, %d with %x were produced", r.Samples, r.checksum, t.produced, t.checksum)
	}
	return nil
}
