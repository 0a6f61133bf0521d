package faults

import (
	"fmt"

	"github.com/prometheus/common/model"
)

// equation is a sum that holds in every scrape.
type equation struct{ whole, parts, inFlight model.LabelValue }

var equations = []equation{
	{"kafka2prom_records_consumed_total", "kafka2prom_records_total", "kafka2prom_records_in_flight"},
	{"kafka2prom_samples_mapped_total", "kafka2prom_samples_total", "kafka2prom_samples_in_flight"},
}

// sum adds up all series of a metric.
func sum(scrape model.Vector, name model.LabelValue) (total float64, found bool) {
	for _, s := range scrape {
		if s.Metric[model.MetricNameLabel] == name {
			total, found = total+float64(s.Value), true
		}
	}
	return total, found
}

// unequal lists the equations that do not hold in a scrape.
func unequal(scrape model.Vector) (found []string) {
	for _, e := range equations {
		whole, ok := sum(scrape, e.whole)
		parts, _ := sum(scrape, e.parts)
		inFlight, _ := sum(scrape, e.inFlight)
		if !ok || whole != parts+inFlight || inFlight < 0 {
			found = append(found, fmt.Sprintf("%s %.0f is not %.0f settled and %.0f in flight", e.whole, whole, parts, inFlight))
		}
	}
	return found
}
