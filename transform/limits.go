package transform

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
	"github.com/kafka2prom/kafka2prom/internal/units"
)

// Limits bound what one record may do, and what all of them may. 0 means the default.
type Limits struct {
	RecordBytes units.Bytes `yaml:"record_bytes"` // 1 MiB
	Depth       int         `yaml:"depth"`        // 64, nesting of the decoded value
	// Nodes are the values of a record: objects, arrays and what is in them. The default
	// of 200000 is SamplesPerRecord with twenty values each. JSON of RecordBytes has about
	// half as many; only one made of little else than brackets and commas has more.
	Nodes            int `yaml:"nodes"`
	SamplesPerRecord int `yaml:"samples_per_record"` // 10000
	Labels           int `yaml:"labels"`             // 64 a sample, the name included
	NameBytes        int `yaml:"name_bytes"`         // 256, of a metric or label name
	ValueBytes       int `yaml:"value_bytes"`        // 4096, of a label value
	// Series that were used within the last hour or two: samples of further ones are
	// refused. The default of 2000000 is far from what a healthy pipeline of one process
	// has, also when it takes over the partitions of another, and near enough to stop a
	// producer that makes names up.
	Series      int `yaml:"series"`
	SeriesCache int `yaml:"series_cache"` // 500000 label sets kept encoded
	// MinTimestamp and MaxFuture bound timestamps: not before the given instant
	// (default 1970-01-01T00:00:01Z, so that a zero is no time), not more than
	// MaxFuture ahead of the clock (default 0: unbounded, the receiver decides).
	MinTimestamp time.Time     `yaml:"min_timestamp"`
	MaxFuture    time.Duration `yaml:"max_future"`
}

// limit is the key of a limit, and the label of its counter.
type limit string

const (
	limitRecordBytes      limit = "record_bytes"
	limitDepth            limit = "depth"
	limitNodes            limit = "nodes"
	limitSamplesPerRecord limit = "samples_per_record"
	limitLabels           limit = "labels"
	limitNameBytes        limit = "name_bytes"
	limitValueBytes       limit = "value_bytes"
	limitSeries           limit = "series"
	limitMinTimestamp     limit = "min_timestamp"
	limitMaxFuture        limit = "max_future"
)

// NewLimitCounter makes the counter of one limit. All of them are one family, which
// the packages fill that have limits.
func NewLimitCounter(key string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name:        "kafka2prom_limit_exceeded_total",
		Help:        "Records, samples and fetched batches that exceeded a limit, by the key of the limit.",
		ConstLabels: prometheus.Labels{"limit": key},
	})
}

// limitCounters count what was refused because of each limit.
type limitCounters map[limit]prometheus.Counter

func newLimitCounters() limitCounters {
	counters := limitCounters{}
	for _, key := range []limit{
		limitRecordBytes, limitDepth, limitNodes, limitSamplesPerRecord, limitLabels, limitNameBytes, limitValueBytes,
		limitSeries, limitMinTimestamp, limitMaxFuture,
	} {
		counters[key] = NewLimitCounter(string(key))
	}
	return counters
}

// exceed counts, unless the key is empty: most refusals are not about a limit.
func (c limitCounters) exceed(key limit) {
	if counter, ok := c[key]; ok {
		counter.Inc()
	}
}

// SetDefaults fills in what the section leaves out.
func (l *Limits) SetDefaults() {
	setDefault(&l.RecordBytes, 1<<20)
	setDefault(&l.Depth, 64)
	setDefault(&l.Nodes, 200000)
	setDefault(&l.SamplesPerRecord, 10000)
	setDefault(&l.Labels, 64)
	setDefault(&l.NameBytes, 256)
	setDefault(&l.ValueBytes, 4096)
	setDefault(&l.Series, 2000000)
	setDefault(&l.SeriesCache, 500000)
	setDefault(&l.MinTimestamp, time.Unix(1, 0).UTC())
}

// maxDepth keeps the scanner's recursion far from the end of the stack.
const maxDepth = 10000

func (l *Limits) validate() []error {
	var errs []error
	for _, x := range []struct {
		key   string
		value int64
		max   int64
	}{
		{"record_bytes", int64(l.RecordBytes), 1 << 30},
		{"depth", int64(l.Depth), maxDepth},
		{"nodes", int64(l.Nodes), 1 << 30},
		{"samples_per_record", int64(l.SamplesPerRecord), 1 << 30},
		{"labels", int64(l.Labels), 1 << 20},
		{"name_bytes", int64(l.NameBytes), 1 << 20},
		{"value_bytes", int64(l.ValueBytes), 1 << 30},
		{"series", int64(l.Series), 1 << 30},
		{"series_cache", int64(l.SeriesCache), 1 << 30},
	} {
		if x.value < 1 || x.value > x.max {
			errs = append(errs, fielderr.New(x.key, "%d is out of range: want 1 to %d, or 0 for the default", x.value, x.max))
		}
	}
	if l.MaxFuture < 0 {
		errs = append(errs, fielderr.New("max_future", "%s is negative", l.MaxFuture))
	}
	return errs
}
