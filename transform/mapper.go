// Package transform makes samples from Kafka records.
package transform

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// Options are what a mapper needs beside its configuration.
type Options struct {
	// Registerer takes the mapper's metrics. Nil: none.
	Registerer prometheus.Registerer
	// Now is the clock that limits.max_future is held against. Nil: time.Now.
	Now func() time.Time
	// Schemas are those of the registry, where the configuration has one; their
	// maker closes them.
	Schemas *Schemas
	// Logger. Nil: nothing is logged.
	Logger *zap.Logger
}

// Mapper applies the mapping rules of one pipeline to records. Apply is called by
// one goroutine; Landed and Series by any.
type Mapper struct {
	cfg      Config
	now      func() time.Time
	log      *zap.Logger
	decoder  decoder // Nil: JSON.
	rules    []*rule
	metadata []metadataSlot
	builder  labelBuilder
	cache    *seriesCache
	metrics  *metrics
	earliest int64 // limits.min_timestamp, in milliseconds.

	// What follows belongs to the record that is being mapped.
	scan    scanner
	root    *plan
	only    *plan  // Takes a single value.
	field   *value // The name of the entry of values_from.
	index   *value // The position under each.
	rec     *kgo.Record
	batch   uint64
	out     *Output
	start   int   // Length of out.Samples before the record.
	given   int   // Samples and refusals of the record so far.
	latest  int64 // The greatest timestamp so far.
	last    int64 // The last timestamp that limits.max_future allows.
	key     []byte
	shared  int     // How much of key all entries of values_from share.
	fields  []entry // Those that applyEntries is at.
	tags    []entry // The same of labels_from.
	scratch []byte
}

// NewMapper compiles a configuration.
func NewMapper(cfg Config, opts Options) (*Mapper, error) {
	cfg = cfg.WithDefaults()
	if errs := cfg.Validate(); len(errs) > 0 {
		return nil, fmt.Errorf("compiling the mapping: %w", errors.Join(errs...))
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	decoder, err := newDecoder(&cfg, opts.Schemas)
	if err != nil {
		return nil, err
	}
	metrics := newMetrics()
	m := &Mapper{
		cfg:     cfg,
		now:     opts.Now,
		log:     opts.Logger,
		decoder: decoder,
		cache:   newSeriesCache(cfg.Limits, metrics),
		metrics: metrics,
		scan:    newScanner(cfg.Limits),
		root:    newPlan(),
		only:    newPlan(),
		field:   &value{},
		index:   &value{},
	}
	if err := m.compile(); err != nil {
		return nil, err
	}
	return m, metrics.register(opts.Registerer, m.cache)
}

func (m *Mapper) compile() error {
	naming, _ := parseNaming(m.cfg.LabelNames)
	relabel, err := relabelConfigs(m.cfg.Relabel, naming)
	if err != nil {
		return err
	}
	m.builder = labelBuilder{naming: naming, limits: &m.cfg.Limits, relabel: relabel}
	m.earliest = m.cfg.Limits.MinTimestamp.UnixMilli()
	c := compiler{cfg: &m.cfg, root: m.root, field: m.field, index: m.index}
	for i := range m.cfg.Samples {
		r, err := c.rule(i, &m.cfg.Samples[i])
		if err != nil {
			return fmt.Errorf("compiling samples[%d]: %w", i, err)
		}
		m.rules = append(m.rules, r)
	}
	m.metadata = c.metadata
	return nil
}

// Series is the number of series in the cache.
func (m *Mapper) Series() int { return int(m.cache.series.Load()) }

// Landed says that every batch up to this number has landed: series that only
// they have used may be evicted. The numbers never go down.
func (m *Mapper) Landed(batch uint64) { m.cache.landed(batch) }

// Apply appends to out what the record gives. The batch is the one that its
// samples will land with; batches are numbered in the order in which they are
// submitted. The record's value must not change until the batch has landed.
//
// The error is nil or a *RetryError; nothing was appended then.
func (m *Mapper) Apply(rec *kgo.Record, batch uint64, out *Output) (verdict Verdict, err error) {
	if batch != m.batch {
		m.cache.begin(batch, m.now())
	}
	m.rec, m.batch, m.out = rec, batch, out
	m.index.kind = missing
	m.start, m.given, m.latest, m.last = len(out.Samples), 0, rec.Timestamp.UnixMilli(), math.MaxInt64
	if ahead := m.cfg.Limits.MaxFuture; ahead > 0 {
		m.last = m.now().Add(ahead).UnixMilli()
	}
	before := *out
	defer func() {
		if p := recover(); p != nil {
			m.log.Error("mapping a record panicked", zap.String("topic", rec.Topic), zap.Int32("partition", rec.Partition),
				zap.Int64("offset", rec.Offset), zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			verdict, err = m.refuseWhole(before, StageMap, faultf(ReasonPanic, "a defect of this program: mapping the record panicked")), nil
		}
		out.MaxTimestamp = m.latest
		m.rec, m.out = nil, nil
	}()
	return m.apply(before)
}

func (m *Mapper) apply(before Output) (Verdict, error) {
	out, rec := m.out, m.rec
	switch size := len(rec.Value); {
	case rec.Value == nil:
		out.Filtered = ReasonTombstone
		return Filtered, nil
	case size == 0:
		return m.refuseWhole(before, StageDecode, faultf(ReasonEmptyValue, "the record's value is empty")), nil
	case int64(size) > int64(m.cfg.Limits.RecordBytes):
		return m.refuseWhole(before, StageDecode,
			exceeds(limitRecordBytes, "the record has %d bytes, want at most %d", size, m.cfg.Limits.RecordBytes)), nil
	}
	if err := m.decode(); err != nil {
		if bad, ok := errors.AsType[*decodeError](err); ok {
			return m.refuseWhole(before, StageDecode, &fault{bad.Reason, bad.Text, bad.limit}), nil
		}
		return 0, retryable(err)
	}
	if !m.root.fits() {
		return m.refuseWhole(before, StageDecode,
			faultf(ReasonNotAnObject, "found %s, want %s", m.root.whole.found(), m.root.wants())), nil
	}
	for i := range m.metadata {
		m.metadata[i].fill(rec)
	}
	for _, r := range m.rules {
		m.applyRule(r)
	}
	if m.full() {
		most := m.cfg.Limits.SamplesPerRecord
		return m.refuseWhole(before, StageMap,
			exceeds(limitSamplesPerRecord, "the record gives more than %d samples, want at most %d", most, most)), nil
	}
	return verdict(&before, out), nil
}

// decode fills the slots of the root.
func (m *Mapper) decode() error {
	if m.decoder == nil {
		if err := m.scan.document(m.rec.Value, m.root); err != nil {
			return err
		}
		return nil
	}
	return m.decoder.fill(m.rec, m.root)
}

// retryable makes sure of the type of an error that is not the record's.
func retryable(err error) error {
	if retry, ok := errors.AsType[*RetryError](err); ok {
		return retry
	}
	return &RetryError{Err: err}
}

// refuseWhole takes back what the record has given and refuses it as a whole.
func (m *Mapper) refuseWhole(before Output, stage Stage, f *fault) Verdict {
	m.metrics.limits.exceed(f.limit)
	out := m.out
	clear(out.Samples[len(before.Samples):])
	clear(out.Refused[len(before.Refused):])
	out.Samples, out.Refused = out.Samples[:len(before.Samples)], out.Refused[:len(before.Refused)]
	out.Dropped, out.Skipped = before.Dropped, before.Skipped
	out.Refused = append(out.Refused, Refusal{Record: m.rec, Stage: stage, Reason: f.reason, Text: printable(f.text), Rule: -1, Exact: true})
	m.latest = m.rec.Timestamp.UnixMilli()
	return Refused
}

// verdict compares the output before and after a record.
func verdict(before, after *Output) Verdict {
	switch {
	case len(after.Refused) > len(before.Refused):
		return Refused
	case len(after.Samples) > len(before.Samples):
		return Mapped
	case after.Dropped > before.Dropped:
		after.Filtered = ReasonDropped
	default:
		after.Filtered = ReasonNoValue
	}
	return Filtered
}
