package transform

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of a mapper. Records and samples are counted by its caller.
type metrics struct {
	misses    prometheus.Counter
	evictions prometheus.Counter
	limits    limitCounters
}

func newMetrics() *metrics {
	return &metrics{
		misses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka2prom_series_cache_misses_total",
			Help: "Label sets in a form that was not in the series cache, so that they were built and encoded.",
		}),
		evictions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka2prom_series_cache_evictions_total",
			Help: "Label sets evicted from the series cache because limits.series_cache was reached, or because they had not been used for an hour or two.",
		}),
		limits: newLimitCounters(),
	}
}

// register exports the metrics, and those of the mapper's cache. A nil registerer
// exports nothing.
func (m *metrics) register(reg prometheus.Registerer, cache *seriesCache) error {
	if reg == nil {
		return nil
	}
	gauge := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	collectors := []prometheus.Collector{
		m.misses, m.evictions,
		gauge("kafka2prom_series", "Series in the series cache.", cache.series.Load),
		gauge("kafka2prom_series_known", "Series that count against limits.series: those in the cache, and those that it has evicted within the last hour or two.", cache.known.Load),
		gauge("kafka2prom_series_limit", "The value of limits.series.", func() int64 { return int64(cache.limits.Series) }),
	}
	for _, counter := range m.limits {
		collectors = append(collectors, counter)
	}
	for _, c := range collectors {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("registering the metrics of the mapper: %w", err)
		}
	}
	return nil
}
