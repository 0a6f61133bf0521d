// Package writer delivers samples to one receiver by remote write, and says what
// has become of each.
package writer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Options are what a writer needs beside its configuration.
type Options struct {
	// Registerer takes the metrics. Nil: none are kept.
	Registerer prometheus.Registerer
	// Logger says what the receiver does not take. Nil: nothing is logged.
	Logger *zap.Logger
	// Version of the program, for the User-Agent.
	Version string

	// transport replaces the one that the configuration asks for, in tests.
	transport http.RoundTripper
}

// Writer delivers batches to one receiver by remote write. Each series belongs to
// one shard, and a shard has one request on the wire: so the samples of a series
// leave in order, and no two requests ever carry the same series.
type Writer struct {
	cfg         Config
	log         *zap.Logger
	client      *client
	negotiation *negotiation
	metrics     *metrics
	health      *health
	shards      []*shard

	// split is scratch space of Submit: the samples of each shard, by their position.
	split [][]uint32
	epoch atomic.Uint64 // Counts the fences.

	ctx      context.Context // Of the attempts. It ends with the ctx of Drain.
	cancel   context.CancelFunc
	draining chan struct{}
	drain    sync.Once
	running  sync.WaitGroup

	failed  chan struct{}
	failing sync.Once
	err     error
}

// New starts a writer. Drain ends it.
func New(cfg Config, opts Options) (*Writer, error) {
	cfg.SetDefaults()
	if err := errors.Join(cfg.Validate()...); err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	if opts.transport == nil {
		rt, err := newRoundTripper(cfg.RemoteWrite, cfg.ConnectTimeout)
		if err != nil {
			return nil, err
		}
		opts.transport = rt
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	w := &Writer{
		cfg:      cfg,
		log:      opts.Logger,
		client:   newClient(cfg.RemoteWrite, opts.transport, opts.Version),
		health:   newHealth(cfg.Shards),
		split:    make([][]uint32, cfg.Shards),
		draining: make(chan struct{}),
		failed:   make(chan struct{}),
	}
	w.negotiation = newNegotiation(w.client, cfg.RemoteWrite.protocol())
	w.ctx, w.cancel = context.WithCancel(context.Background())
	for i := range cfg.Shards {
		w.shards = append(w.shards, newShard(w, i))
	}
	w.metrics = newMetrics(w)
	if opts.Registerer != nil {
		if err := opts.Registerer.Register(w.metrics); err != nil {
			return nil, fmt.Errorf("registering the writer's metrics: %w", err)
		}
	}
	for _, s := range w.shards {
		w.running.Go(s.run)
	}
	return w, nil
}

// Submit takes a batch over. It never blocks; batches are submitted by one
// goroutine, in poll order. A batch that is submitted after Drain is abandoned.
func (w *Writer) Submit(b *Batch) {
	b.open()
	newest := w.divide(b)
	w.metrics.submitted(len(b.Samples), b.Dropped, newest)
	epoch := w.epoch.Load()
	for i, s := range w.shards {
		if len(w.split[i]) > 0 {
			w.split[i] = s.submit(part{batch: b, index: w.split[i], epoch: epoch})
		}
	}
}

// divide fills split, and returns the newest timestamp.
func (w *Writer) divide(b *Batch) (newest int64) {
	shards := uint64(len(w.shards))
	for i := range b.Samples {
		s := &b.Samples[i]
		// The upper half of the hash, scaled: cheaper than a remainder.
		shard := (s.Series.Hash >> 32) * shards >> 32
		w.split[shard] = append(w.split[shard], uint32(i))
		newest = max(newest, s.Timestamp)
	}
	return newest
}

// Fence says that partitions have been taken from us: samples for which
// Batch.Held is false are dropped from the queues and from pending retries,
// and counted as abandoned. It is about the batches that have been submitted
// before. Requests on the wire are left alone.
func (w *Writer) Fence() {
	w.epoch.Add(1)
	for _, s := range w.shards {
		s.rouse()
	}
}

// Idle says that nothing is on the wire and nothing is about to be: each shard
// is empty, or waits for its next attempt.
func (w *Writer) Idle() bool {
	for _, s := range w.shards {
		if !s.idle() {
			return false
		}
	}
	return true
}

// Drain ends the writer: back-offs are abandoned at once, queued samples get one
// attempt, and what is on the wire may finish until ctx ends. When it returns,
// every batch has landed (what could not be sent counts as abandoned).
//
// A shard that has abandoned one request abandons everything behind it: what was
// sent later would make what comes again a sample out of order.
func (w *Writer) Drain(ctx context.Context) {
	w.drain.Do(func() { close(w.draining) })
	// Attempts are not cancelled with the shutdown itself: the receiver may have stored
	// what a cancelled one carried.
	stop := context.AfterFunc(ctx, w.cancel)
	w.running.Wait()
	stop()
	w.cancel()
	w.client.http.CloseIdleConnections()
}

// Failed is closed when the writer has given up (retry.max_attempts used up); Err
// then says why. Nothing that was not delivered counts as landed: the batches
// stay open until Drain.
func (w *Writer) Failed() <-chan struct{} { return w.failed }

// Err says why the writer has given up; nil as long as it has not.
func (w *Writer) Err() error {
	select {
	case <-w.failed:
		return w.err
	default:
		return nil
	}
}

// fail gives up. Only the first reason counts.
func (w *Writer) fail(err error) {
	w.failing.Do(func() {
		w.err = err
		close(w.failed)
	})
}

// ending says that Drain has been called.
func (w *Writer) ending() bool {
	select {
	case <-w.draining:
		return true
	default:
		return false
	}
}
