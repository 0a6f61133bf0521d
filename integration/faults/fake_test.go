//go:build faults

package faults

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/kafka2prom/kafka2prom/integration/harness"
)

// fake is a cluster in this process, which can be made to say what a real broker says
// only in bad moments.
type fake struct {
	*kfake.Cluster
	wire *Wire
	lab  *harness.Lab
}

// pretend starts a cluster of three brokers for one scenario.
func pretend(t *testing.T) *fake {
	t.Helper()
	wire := &Wire{}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.ListenFn(wire.Listen), kfake.BrokerConfigs(map[string]string{
		"group.initial.rebalance.delay.ms": "0", "group.consumer.heartbeat.interval.ms": "1000", "group.consumer.session.timeout.ms": "6000",
	}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	on, err := lab.On(cluster.ListenAddrs()...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, on.Close()) })
	on.Settings = ", metadata_max_age: 1s" // How late partitions are found.
	return &fake{Cluster: cluster, wire: wire, lab: on}
}

// fail makes requests fail until that many of them have.
func (f *fake) fail(tr *trial, times int, fault kfake.Fault) {
	tr.Helper()
	fault.Count = times
	handle := f.Fault(fault)
	defer handle.Remove()
	ctx, cancel := context.WithTimeout(tr.Context(), 20*time.Second)
	defer cancel()
	require.NoError(tr, handle.Wait(ctx, times), "%v of %v, %d times", fault.Err, fault.Keys, times)
}

// failFor makes requests fail for a while, from the first of them on.
func (f *fake) failFor(tr *trial, d time.Duration, fault kfake.Fault) {
	tr.Helper()
	fault.Count = -1
	handle := f.Fault(fault)
	defer handle.Remove()
	require.Eventually(tr, func() bool { return handle.Hits() > 0 }, 20*time.Second, 10*time.Millisecond, "%v of %v", fault.Err, fault.Keys)
	time.Sleep(d)
}

// metric is the sum of a metric of an instance over all its labels; -1 while it
// cannot be asked.
func (tr *trial) metric(program *harness.Program, name string) float64 {
	samples, err := program.Scrape(tr.Context())
	if err != nil {
		return -1
	}
	total, _ := sum(samples, model.LabelValue(name))
	return total
}
