// Package consumer reads records as a member of a consumer group, hands them to
// the mapper and the writer in batches, and commits a batch's offsets after
// everything in it has landed.
//
// Data flows one way: poll → map → submit → land → dead letters → mark. The poll
// loop (poll.go) owns the open batch; the settler (settle.go) ranges over the
// submitted batches in poll order; the callbacks of the group (assign.go) end
// leases. One mutex guards what they share.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/kafka2prom/kafka2prom/transform"
	"github.com/kafka2prom/kafka2prom/writer"
)

// mapper makes samples from one record at a time. Apply is called by one
// goroutine; its only error is *transform.RetryError, which means that nothing
// was appended and the record has to be mapped again. Landed may be called from
// another goroutine.
type mapper interface {
	Apply(rec *kgo.Record, batch uint64, out *transform.Output) (transform.Verdict, error)
	Landed(batch uint64)
}

// sink delivers batches. It is implemented by *writer.Writer, which says what
// each method promises.
type sink interface {
	Submit(b *writer.Batch)
	Fence()
	Idle() bool
	Drain(ctx context.Context)
	Failed() <-chan struct{}
	Err() error
}

// marker keeps offsets for the next commit. It is implemented by *kgo.Client,
// which does not check whether a partition is still held: whoever marks does.
type marker interface {
	MarkCommitOffsets(marks map[string]map[int32]kgo.EpochOffset)
}

// Options are what a consumer needs beside its configuration.
type Options struct {
	// Pipeline is the name of the pipeline, and Version the program's: both go into
	// dead letters.
	Pipeline, Version string
	Kafka             KafkaConfig
	Mapper            mapper
	Writer            sink
	// BatchSamples is how many samples fill the requests of all shards.
	BatchSamples int
	// CountPossiblyStored makes refusals of what may have been stored before a
	// counted rule instead of dead letters.
	CountPossiblyStored bool
	// Span bounds the run; its zero value does not.
	Span Span
	// Registerer takes the metrics of the consumer and its clients.
	Registerer prometheus.Registerer
	Logger     *zap.Logger
	// ClientOptions are added to those of every Kafka client.
	ClientOptions []kgo.Opt
}

// Consumer is one pipeline's member of its consumer group.
type Consumer struct {
	cfg     Config
	opts    Options
	log     *zap.Logger
	client  *kgo.Client  // The group member; made by prepare.
	marks   marker       // The same, for the settler alone.
	side    *kgo.Client  // Asks about topics and offsets, and writes dead letters.
	admin   *kadm.Client // On side.
	letters *letterbox   // Nil without a dead-letter topic.
	metrics *metrics
	ledger  *ledger
	span    *span
	limiter *rate.Limiter // Nil without a rate.
	from    time.Time     // Where a group without offsets starts; zero: at the start of the log.

	// slots bounds the batches in memory, the open one included. The poll loop takes a
	// slot before it polls, so that submitting a batch never blocks; the settler
	// gives it back.
	slots chan struct{}
	// settling carries the submitted batches to the settler, in poll order. It has
	// room for all of them.
	settling chan *batch
	// relag asks for a look at the bounds of the logs now.
	relag chan struct{}

	mu        sync.Mutex
	leases    leases
	start     map[partition]kgo.EpochOffset // Committed offsets, as the group's offset fetch brought them.
	open      *batch                        // Nil until a record has come.
	pending   []run                         // Polled, not mapped yet.
	jumps     []jump                        // Where the client has to go on fetching.
	inFlight  []*batch                      // Submitted, not settled.
	numbers   uint64                        // The number of the last batch.
	recreated []string                      // Topics that were deleted while they were read.
	spare     []transform.Output            // Of settled batches, to be filled again.
	// notBefore holds mapping back: the schema registry is out of reach, or the rate is
	// used up.
	notBefore time.Time

	progress progress
	stop     context.CancelCauseFunc // Ends consuming; the cause is Run's error.
	running  atomic.Bool
}

// errEnded is the cause with which a bounded run ends.
var errEnded = errors.New("the end of the run is reached")

// New makes a consumer. It connects to nothing.
func New(cfg Config, opts Options) (*Consumer, error) {
	c := &Consumer{
		cfg:      cfg,
		opts:     opts,
		log:      opts.Logger,
		ledger:   newLedger(),
		slots:    make(chan struct{}, cfg.Batch.InFlight),
		settling: make(chan *batch, cfg.Batch.InFlight),
		relag:    make(chan struct{}, 1),
		leases:   leases{},
		start:    map[partition]kgo.EpochOffset{},
	}
	if opts.Span.Rate > 0 {
		c.limiter = rate.NewLimiter(rate.Limit(opts.Span.Rate), max(1, int(opts.Span.Rate/10)))
	}
	c.metrics = newMetrics(opts.Registerer, c)
	if err := c.metrics.register(c); err != nil {
		return nil, err
	}
	if _, err := c.groupOptions(time.Now()); err != nil {
		return nil, err
	}
	if cfg.DeadLetter != nil && cfg.OnError == onErrorDeadLetter {
		c.letters = newLetterbox(c)
	}
	sideOpts, err := c.sideOptions()
	if err != nil {
		return nil, err
	}
	if c.side, err = kgo.NewClient(sideOpts...); err != nil {
		return nil, fmt.Errorf("making the Kafka client: %w", err)
	}
	c.admin = kadm.NewClient(c.side)
	return c, nil
}

// Run consumes until ctx ends, a bounded run has reached its end, or the pipeline
// cannot go on. Then it drains: what is open is submitted, what is on the wire
// may finish within the shutdown timeout, what has landed is committed, and the
// group is left. The error is nil where it was asked to stop or has reached
// its end.
func (c *Consumer) Run(ctx context.Context) error {
	connected, disconnect := context.WithCancel(context.WithoutCancel(ctx))
	defer c.close(disconnect)
	if err := c.prepare(ctx, connected); err != nil {
		c.opts.Writer.Drain(ctx)
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	consuming, stop := context.WithCancelCause(ctx)
	c.stop = stop
	defer stop(nil)
	c.running.Store(true)
	defer c.running.Store(false)

	// Settling outlives consuming: it ends when the poll loop has closed its channel, or
	// when the drain gives up.
	settling, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var background sync.WaitGroup
	background.Go(func() { c.settleAll(settling) })
	background.Go(func() { c.watchBounds(consuming) })
	background.Go(func() { c.watchWriter(consuming) })

	c.consume(consuming)
	cause := context.Cause(consuming)
	c.drain(ctx, cause, giveUp)
	background.Wait()
	c.logUncommitted()
	if errors.Is(cause, errEnded) || ctx.Err() != nil && errors.Is(cause, context.Cause(ctx)) {
		return nil
	}
	if given := c.opts.Writer.Err(); given != nil && !errors.Is(cause, given) {
		return errors.Join(cause, given)
	}
	return cause
}

// prepare does what has to be known before the first poll, and makes the client, which
// joins the group at once. The client lives until connected ends, or it is closed.
func (c *Consumer) prepare(ctx, connected context.Context) error {
	if c.letters != nil {
		if err := c.letters.prepare(ctx); err != nil {
			return err
		}
	}
	now := time.Now()
	if err := c.resolveSpan(ctx, now); err != nil {
		return err
	}
	clientOpts, err := c.groupOptions(now)
	if err != nil {
		return err
	}
	if c.client, err = kgo.NewClient(append(clientOpts, kgo.WithContext(connected))...); err != nil {
		return fmt.Errorf("making the Kafka client: %w", err)
	}
	c.marks = c.client
	if c.opts.Span.direct() {
		c.consumeSpan(now)
	}
	c.progress.begin(now)
	return nil
}

// watchWriter ends consuming when the writer has given up.
func (c *Consumer) watchWriter(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-c.opts.Writer.Failed():
		c.stop(c.opts.Writer.Err())
	}
}
