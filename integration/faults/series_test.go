//go:build faults

package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A million new series a minute: each sample is the first of its series. The cache of
// encoded series turns over and over, and memory does not grow with it.
func TestMillionNewSeriesAMinute(t *testing.T) {
	tr := begin(t, plan{
		name: "a million new series a minute", injured: "each sample has a label of its own, for 20 s; 20,000 series are cached", outOfOrder: time.Hour,
		pipeline: []string{`limits: {series_cache: 20000}`},
		shape:    "    batch: {max_samples: 5000, max_age: 200ms, in_flight: 4}\n    shards: 2",
	})
	program := tr.start()
	const tick, eachTick = 50 * time.Millisecond, 1_000_000 / 60 / 20
	pace := time.NewTicker(tick)
	defer pace.Stop()
	at, made := time.Now().Add(-time.Minute).UnixMilli(), 0
	for range 20 * time.Second / tick {
		var records []*kgo.Record
		for range eachTick {
			records = append(records, tr.stream.Sample(int32(made%4), fmt.Sprintf("new-%d", made), at, stored))
			made++
		}
		lab.Produce(t, records...)
		for _, r := range records {
			r.Value = nil // The ledger needs its offset alone.
		}
		<-pace.C
	}
	tr.awaitNoLag()
	require.Less(t, program.Metric(t, "go_memstats_heap_alloc_bytes", nil), 150e6)
	tr.finish()
}

// Over the limit a new series is refused, and those that are known go on.
func TestMoreSeriesThanAllowed(t *testing.T) {
	const known, limit, beyond = seriesPerPartition, 1000, 2000
	tr := begin(t, plan{
		name: "more series than allowed", injured: "3,000 series where 1,000 are allowed, new ones among known ones", partitions: 1,
		outOfOrder: time.Hour, pipeline: []string{fmt.Sprintf("limits: {series: %d}", limit)},
	})
	program := tr.start()
	lab.Produce(t, tr.stream.Next(known)...) // Known from here on.
	at := time.Now().Add(-time.Minute).UnixMilli()
	for made := range limit - known + beyond {
		f := stored
		if made >= limit-known {
			f = buried
		}
		records := []*kgo.Record{tr.stream.Sample(0, fmt.Sprintf("new-%d", made), at, f)}
		lab.Produce(t, append(records, tr.stream.Next(1)...)...)
	}
	tr.awaitNoLag()
	require.InDelta(t, beyond, program.Metric(t, "kafka2prom_limit_exceeded_total", map[string]string{"limit": "series"}), 0)
	require.InDelta(t, limit, program.Metric(t, "kafka2prom_series_known", nil), 0)
	tr.finish()
}
