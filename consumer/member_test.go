package consumer

import (
	"time"

	"github.com/stretchr/testify/require"
)

// stop asks the member to stop, and returns the error with which it did.
func (m *member) stop() error {
	m.cancel()
	return m.wait()
}

// wait returns the error with which the member ends by itself.
func (m *member) wait() error {
	m.bed.t.Helper()
	select {
	case <-m.done:
	case <-time.After(patience):
		require.FailNow(m.bed.t, "the member does not end")
	}
	return m.err
}

// assigned are the partitions that the member holds.
func (m *member) assigned() int { return len(m.consumer.Status().Partitions) }

// metric is the value of a metric without labels of its own, or the sum over its
// labels.
func (m *member) metric(name string, labels ...string) float64 {
	m.bed.t.Helper()
	families, err := m.registry.Gather()
	require.NoError(m.bed.t, err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	series:
		for _, metric := range f.GetMetric() {
			for i := 0; i+1 < len(labels); i += 2 {
				found := false
				for _, l := range metric.GetLabel() {
					found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
				}
				if !found {
					continue series
				}
			}
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return sum
}

// requireBalanced checks the equation of the records.
func (m *member) requireBalanced() {
	m.bed.t.Helper()
	t := m.consumer.ledger.snapshot()
	require.Equal(m.bed.t, t.consumed, t.written+t.deadLettered+t.filteredTotal()+t.abandoned+t.inFlight, "%+v", t)
}
