package consumer

import (
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kafka2prom/kafka2prom/transform"
)

// ledger keeps the equation of the records: at every moment,
//
//	consumed = written + dead-lettered + filtered + abandoned + in flight.
//
// It is a prometheus.Collector of its own, because the equation is to hold in
// each scrape: all of it is read under one lock.
type ledger struct {
	mu    sync.Mutex
	total tally
}

// tally counts records by what became of them.
type tally struct {
	consumed, written, deadLettered, abandoned, inFlight int64
	filtered                                             map[transform.Reason]int64
}

// outcome is what became of the records of one batch.
type outcome struct {
	written, deadLettered, abandoned int
	filtered                         map[transform.Reason]int
}

func (o *outcome) filter(reason transform.Reason, n int) {
	if n == 0 {
		return
	}
	if o.filtered == nil {
		o.filtered = make(map[transform.Reason]int, 2)
	}
	o.filtered[reason] += n
}

func newLedger() *ledger {
	return &ledger{total: tally{filtered: make(map[transform.Reason]int64)}}
}

// consume counts records that were mapped into the open batch.
func (l *ledger) consume(n int) {
	if n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total.consumed += int64(n)
	l.total.inFlight += int64(n)
}

// settle moves the records of a batch from in flight to where they have ended.
func (l *ledger) settle(o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total.written += int64(o.written)
	l.total.deadLettered += int64(o.deadLettered)
	l.total.abandoned += int64(o.abandoned)
	l.total.inFlight -= int64(o.written + o.deadLettered + o.abandoned)
	for reason, n := range o.filtered {
		l.total.filtered[reason] += int64(n)
		l.total.inFlight -= int64(n)
	}
}

// consumed is the number of records that were mapped so far.
func (l *ledger) consumed() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total.consumed
}

// snapshot returns a copy, for the status page and the log.
func (l *ledger) snapshot() tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.total
	t.filtered = maps.Clone(l.total.filtered)
	return t
}

func (t tally) filteredTotal() (n int64) {
	for _, k := range t.filtered {
		n += k
	}
	return n
}

var (
	consumedDesc = prometheus.NewDesc("kafka2prom_records_consumed_total",
		"Records that were read and mapped. Equals the sum of kafka2prom_records_total and kafka2prom_records_in_flight.", nil, nil)
	recordsDesc = prometheus.NewDesc("kafka2prom_records_total",
		"Records by what became of them: written, dead_lettered, filtered (by a named rule), abandoned (revoked, lost or stopped before they were settled: they come again).", []string{"outcome"}, nil)
	inFlightDesc = prometheus.NewDesc("kafka2prom_records_in_flight",
		"Records that were mapped and are not settled yet.", nil, nil)
	filteredDesc = prometheus.NewDesc("kafka2prom_records_filtered_total",
		"Records that gave no sample, by the rule that says so.", []string{"reason"}, nil)
)

// Describe implements prometheus.Collector.
func (l *ledger) Describe(ch chan<- *prometheus.Desc) {
	ch <- consumedDesc
	ch <- recordsDesc
	ch <- inFlightDesc
	ch <- filteredDesc
}

// Collect implements prometheus.Collector.
func (l *ledger) Collect(ch chan<- prometheus.Metric) {
	t := l.snapshot()
	counter := func(desc *prometheus.Desc, n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
	}
	counter(consumedDesc, t.consumed)
	counter(recordsDesc, t.written, "written")
	counter(recordsDesc, t.deadLettered, "dead_lettered")
	counter(recordsDesc, t.filteredTotal(), "filtered")
	counter(recordsDesc, t.abandoned, "abandoned")
	ch <- prometheus.MustNewConstMetric(inFlightDesc, prometheus.GaugeValue, float64(t.inFlight))
	for _, reason := range filterReasons {
		counter(filteredDesc, t.filtered[reason], string(reason))
	}
}

// filterReasons are all reasons for which a record is filtered, so that each has
// its zero from the start.
var filterReasons = []transform.Reason{
	transform.ReasonTombstone, transform.ReasonNoValue, transform.ReasonDropped,
	transform.ReasonOutOfSpan, transform.ReasonSkipped, transform.ReasonPossiblyStored,
}
