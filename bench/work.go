package main

import (
	"context"
	"maps"
	"slices"
)

// measureWork finds out whether a record costs more where there are more partitions,
// or more records. What the start and the first sight of each series cost is in every
// run, and shows in the smallest; hence the rate behind it.
func measureWork(ctx context.Context, b *bench, s shape) (findings, error) {
	var f findings
	var byPartitions, byRecords, memory []float64
	spent := map[int]float64{} // CPU-seconds by records.
	for _, l := range s.sweep {
		c, err := b.cost(ctx, workload{load: l})
		if err != nil {
			return f, err
		}
		f.costs = append(f.costs, c)
		rate, peak := medianOf(c.Ours, usage.perCPU), medianOf(c.Ours, usage.peakMiB)
		f.add(perCPUSecond+", "+c.Case, "", rate)
		f.add(peakMemory+", "+c.Case, "MiB", peak)
		if l.records == sweepRecords {
			byPartitions = append(byPartitions, rate)
		}
		if l.partitions == sweepPartitions {
			byRecords, memory = append(byRecords, rate), append(memory, peak)
			spent[l.records] = float64(l.records) / rate
		}
	}
	least := slices.Min(slices.Collect(maps.Keys(spent)))
	for _, records := range slices.Sorted(maps.Keys(spent)) {
		if records > least {
			f.add("records per CPU-second behind the first "+group(int64(least))+" of "+group(int64(records)), "",
				float64(records-least)/(spent[records]-spent[least]))
		}
	}
	f.add(overPartitions, "%", 100*slices.Min(byPartitions)/slices.Max(byPartitions))
	f.add(overRecords, "%", 100*slices.Min(byRecords)/slices.Max(byRecords))
	f.add(memoryRecords, "%", 100*slices.Max(memory)/slices.Min(memory))
	return f, nil
}
