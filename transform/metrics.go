package transform

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of a mapper. Records and samples are counted by its caller.
type metrics struct {
	misses    prometheus.Counter
	evictions prometheus.Counter
}

func newMetrics() *metrics {
	return &metrics{
		misses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka2prom_series_cache_misses_total",
			Help: "Label sets in a form that was not in the series cache, so that they were built and encoded.",
		}),
		evictions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka2prom_series_cache_evictions_total",
			Help: "Label sets evicted from the series cache because limits.series_cache was reached.",
		}),
	}
}

// register exports the metrics and the number of series. A nil registerer exports
// nothing.
func (m *metrics) register(reg prometheus.Registerer, series func() int) error {
	if reg == nil {
		return nil
	}
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "kafka2prom_series",
		Help: "Series in the series cache.",
	}, func() float64 { return float64(series()) })
	for _, c := range []prometheus.Collector{m.misses, m.evictions, size} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("registering the metrics of the mapper: %w", err)
		}
	}
	return nil
}
