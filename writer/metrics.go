package writer

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kafka2prom/kafka2prom/transform"
)

// sampleOutcome is where a sample ends, apart from being refused.
type sampleOutcome uint8

const (
	sampleWritten sampleOutcome = iota
	sampleMerged
	sampleDropped
	sampleAbandoned
	sampleOutcomes
)

// ledger keeps the equation of the samples: at every moment,
//
//	mapped = written + refused + merged + dropped + abandoned + in flight.
//
// All of it is read under one lock, so that it holds in each scrape.
type ledger struct {
	mu      sync.Mutex
	mapped  int64
	settled [sampleOutcomes]int64
	refused map[transform.Reason]int64
}

// refusedReasons are those for which a writer refuses, so that each has its zero
// from the start.
var refusedReasons = []transform.Reason{
	transform.ReasonRefused, transform.ReasonPossiblyStored, transform.ReasonDuplicateTimestamp,
	transform.ReasonTooLarge, transform.ReasonPoison,
}

// entry is a copy of the ledger.
type entry struct {
	mapped, allRefused, inFlight int64
	settled                      [sampleOutcomes]int64
	refused                      map[transform.Reason]int64
}

func (l *ledger) read() entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := entry{mapped: l.mapped, inFlight: l.mapped, settled: l.settled, refused: make(map[transform.Reason]int64)}
	for _, n := range l.settled {
		e.inFlight -= n
	}
	for _, reason := range refusedReasons {
		n := l.refused[reason]
		e.refused[reason] = n
		e.allRefused += n
		e.inFlight -= n
	}
	return e
}

// metrics are those of one writer. They collect themselves, because the equation
// of the samples is to hold in each scrape. What means the same as one of
// Prometheus' own sender has its name behind the prefix, so that dashboards and
// alerts can be taken over.
type metrics struct {
	ledger

	highest, highestSent atomic.Int64 // Timestamps in milliseconds; 0: none yet.

	requests             *prometheus.CounterVec // By outcome.
	retries              prometheus.Counter     // Requests.
	sent, retried, bytes prometheus.Counter     // Samples and their bytes.
	duration             prometheus.Histogram
	readings             []reading
}

// reading is a number that is looked up for each scrape.
type reading struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(e *entry) float64
	label []string // Values.
}

func newMetrics(w *Writer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "kafka2prom_" + name, Help: help})
	}
	m := &metrics{
		ledger: ledger{refused: make(map[transform.Reason]int64)},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kafka2prom_requests_total",
			Help: "Attempts to write, by what the receiver's answer means.",
		}, []string{"outcome"}),
		retries: counter("request_retries_total", "Attempts to write that repeat a request."),
		sent:    counter("remote_storage_samples_total", "Samples that were sent, as often as they were."),
		retried: counter("remote_storage_samples_retried_total", "Samples that were sent again because an attempt had failed."),
		bytes:   counter("remote_storage_bytes_total", "Compressed bytes of the requests that have landed."),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                            "kafka2prom_remote_storage_sent_batch_duration_seconds",
			Help:                            "Duration of the attempts to write.",
			Buckets:                         append(prometheus.DefBuckets, 25, 60, 120, 300),
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}),
	}
	for _, o := range []outcome{landed, partial, retry, misconfigured, tooLarge, unsupported, refused} {
		m.requests.WithLabelValues(o.String())
	}
	m.readings = append(m.sampleReadings(), m.stateReadings(w)...)
	return m
}

// sampleReadings are those that come from the ledger.
func (m *metrics) sampleReadings() []reading {
	describe := prometheus.NewDesc
	samples := describe("kafka2prom_samples_total",
		"Samples by what became of them: written, refused, merged (sent twice), dropped (by a relabelling rule), abandoned (revoked, lost or stopped before they were settled: they come again).",
		[]string{"outcome"}, nil)
	byReason := describe("kafka2prom_samples_refused_total", "Samples that were refused, by reason.", []string{"reason"}, nil)
	mapped := describe("kafka2prom_samples_mapped_total",
		"Samples that were made of records. Equals the sum of kafka2prom_samples_total and kafka2prom_samples_in_flight.", nil, nil)
	inFlight := func(e *entry) float64 { return float64(e.inFlight) }
	allRefused := func(e *entry) float64 { return float64(e.allRefused) }

	readings := []reading{
		{mapped, prometheus.CounterValue, func(e *entry) float64 { return float64(e.mapped) }, nil},
		{samples, prometheus.CounterValue, allRefused, []string{"refused"}},
		{describe("kafka2prom_samples_in_flight", "Samples that are not settled yet.", nil, nil), prometheus.GaugeValue, inFlight, nil},
		{describe("kafka2prom_remote_storage_samples_pending", "Samples that are not settled yet.", nil, nil), prometheus.GaugeValue, inFlight, nil},
		{describe("kafka2prom_remote_storage_samples_failed_total", "Samples that were refused.", nil, nil), prometheus.CounterValue, allRefused, nil},
	}
	for o, name := range [sampleOutcomes]string{"written", "merged", "dropped", "abandoned"} {
		value := func(e *entry) float64 { return float64(e.settled[o]) }
		readings = append(readings, reading{samples, prometheus.CounterValue, value, []string{name}})
	}
	for _, reason := range refusedReasons {
		value := func(e *entry) float64 { return float64(e.refused[reason]) }
		readings = append(readings, reading{byReason, prometheus.CounterValue, value, []string{string(reason)}})
	}
	return readings
}

// stateReadings are those that say how the writer is.
func (m *metrics) stateReadings(w *Writer) []reading {
	gauge := func(name, help string, value func() float64) reading {
		desc := prometheus.NewDesc("kafka2prom_"+name, help, nil, nil)
		return reading{desc, prometheus.GaugeValue, func(*entry) float64 { return value() }, nil}
	}
	seconds := func(ms *atomic.Int64) func() float64 {
		return func() float64 { return float64(ms.Load()) / 1000 }
	}
	return []reading{
		gauge("remote_storage_shards", "Requests that may be on the wire at once.", func() float64 { return float64(len(w.shards)) }),
		gauge("remote_storage_queue_highest_timestamp_seconds", "Greatest timestamp of the samples that were to be written.", seconds(&m.highest)),
		gauge("remote_storage_queue_highest_sent_timestamp_seconds", "Greatest timestamp of the samples that were written.", seconds(&m.highestSent)),
		gauge("shards_backing_off", "Shards that wait before their next attempt.", func() float64 { return float64(w.backingOff()) }),
		gauge("shards_poisoned", "Shards whose request gets nothing but 5xx for long, while others land.", func() float64 { return float64(w.health.poisonedShards()) }),
		gauge("receiver_misconfigured", "1: the receiver's answer says nothing about the data, as 401 or 404 do; somebody has to mend the configuration.", func() float64 {
			if _, bad := w.Misconfigured(); bad {
				return 1
			}
			return 0
		}),
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
	for _, r := range m.readings {
		ch <- r.desc
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
	e := m.read()
	for _, r := range m.readings {
		ch <- prometheus.MustNewConstMetric(r.desc, r.kind, r.value(&e), r.label...)
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.retries, m.sent, m.retried, m.bytes, m.duration}
}

// submitted counts the samples of a batch.
func (m *metrics) submitted(samples, dropped int, newest int64) {
	raise(&m.highest, newest)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mapped += int64(samples + dropped)
	m.settled[sampleDropped] += int64(dropped)
}

// settle counts samples that have come to their end.
func (m *metrics) settle(o sampleOutcome, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settled[o] += int64(n)
}

// refuse counts samples that were refused.
func (m *metrics) refuse(reason transform.Reason, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused[reason] += int64(n)
}

// newestSent notes the newest timestamp of a request that has landed.
func (m *metrics) newestSent(newest int64) { raise(&m.highestSent, newest) }

func raise(to *atomic.Int64, value int64) {
	for {
		old := to.Load()
		if value <= old || to.CompareAndSwap(old, value) {
			return
		}
	}
}

// posted counts an attempt that carried samples.
func (m *metrics) posted(r result, p *payload, again bool) {
	m.asked(r)
	m.duration.Observe(r.took.Seconds())
	m.sent.Add(float64(p.samples))
	if again {
		m.retries.Inc()
		m.retried.Add(float64(p.samples))
	}
	if r.outcome == landed {
		m.bytes.Add(float64(len(p.bytes)))
	}
}

// asked counts an attempt.
func (m *metrics) asked(r result) { m.requests.WithLabelValues(r.outcome.String()).Inc() }
