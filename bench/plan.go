package main

import (
	"context"
	"slices"
	"strings"
	"time"
)

// shape is one thing to measure, and what it should come to.
type shape struct {
	name, title string
	load        load
	latency     time.Duration // How far away the receiver is.
	settings    string        // Further keys of the pipeline, a line each.
	rate        int           // Records per second, where they come while it runs.
	window      time.Duration // How long it is looked at, where it has no end.
	sweep       []load        // The loads of a shape that compares many.
	goals       []goal
	measure     func(context.Context, *bench, shape) (findings, error)
}

// Names of figures that have goals.
const (
	perCPUSecond   = "records per CPU-second"
	ofTheLimit     = "part of the limit"
	peakMemory     = "peak memory"
	coreShare      = "CPU of one core"
	requestSamples = "samples of a request"
	delay99        = "from produce to receiver, p99"
	ofNearRate     = "rate of a near receiver"
	knownSeries    = "records per CPU-second in the second pass"
	seriesMemory   = "memory of a series"
	twiceSeries    = "peak memory with twice the series"
	ofFlatRate     = "rate of the same content as JSON"
	ofReceiver     = "CPU of Prometheus' own"
	afterJoin      = "first sample after joining"
	afterStart     = "first sample after the start"
	overPartitions = "lowest rate of the highest, by partitions"
	overRecords    = "lowest rate of the highest, by records"
	memoryRecords  = "highest peak memory of the lowest, by records"
)

// quiet keeps a member in its group while it is stopped.
const quiet = "session_timeout: 1m"

// scale is how much of everything there is.
type scale struct {
	records int // Of a backlog.
	million int // Of the series that are meant to be many.
	window  time.Duration
}

// plan is all shapes, by name: in full, or smaller for a machine that has other things
// to do. A size that is not 0 replaces the records of shapes A, C, E, F and G.
func plan(short bool, size int) []shape {
	sc := scale{records: 1_000_000, million: 1_000_000, window: 20 * time.Second}
	if short {
		sc = scale{records: 500_000, million: 100_000, window: 5 * time.Second}
	}
	if size != 0 {
		sc.records = size
	}
	shapes := slices.Concat(backlogs(sc), situations(sc), []shape{{
		name: "J", title: "cost against work", sweep: sweep(short), measure: measureWork,
		goals: []goal{atLeast(80, overPartitions), atLeast(80, overRecords), atMost(125, memoryRecords)},
	}})
	if !short {
		shapes = append(shapes, shape{
			name: "D", title: "ten million series", measure: measureFlood,
			load:     load{records: 10_000_000, series: 10_000_000, partitions: 4, format: flatJSON},
			settings: "on_error: skip",
			goals:    []goal{atMost(110, twiceSeries)},
		})
	}
	slices.SortStableFunc(shapes, func(a, b shape) int { return strings.Compare(a.name, b.name) })
	return shapes
}

// backlogs are the shapes that read the same samples from a topic to its end.
func backlogs(sc scale) []shape {
	common := load{records: sc.records, series: 10_000, partitions: 4, format: flatJSON}
	single, avro, wide := common, common, common
	single.partitions, avro.format, wide.format = 1, avroFramed, wideJSON
	return []shape{
		{
			name: "A", title: "a backlog of flat JSON", load: common, measure: measureBacklog,
			goals: []goal{atLeast(60, ofTheLimit), atMost(200, peakMemory)},
		},
		{
			name: "C", title: "a receiver that is far away", load: single, latency: 50 * time.Millisecond, measure: measureDistance,
			goals: []goal{atLeast(80, ofNearRate)},
		},
		{
			name: "E", title: "Avro with the framing of a registry", load: avro, measure: measureAvro,
			goals: []goal{atLeast(100, ofFlatRate)},
		},
		{
			name: "F", title: "a backlog of wide JSON", load: wide, measure: measureBacklog,
			goals: []goal{atLeast(250_000, perCPUSecond)},
		},
		{
			name: "G", title: "a real Prometheus", load: common, measure: measurePrometheus,
			goals: []goal{atMost(25, ofReceiver)},
		},
	}
}

// situations are the shapes that look at something else than a backlog's rate.
func situations(sc scale) []shape {
	return []shape{
		{
			name: "B", title: "a trickle over many partitions", rate: 20_000, window: sc.window, measure: measureTrickle,
			load:  load{series: 10_000, partitions: 200, format: flatJSON},
			goals: []goal{atMost(6, coreShare), atLeast(1000, requestSamples), atMost(1500, delay99)},
		},
		{
			name: "D", title: "a million series", measure: measureSeries,
			load:     load{records: 2 * sc.million, series: sc.million, partitions: 4, format: flatJSON},
			settings: "limits: {series_cache: 1000000}\n" + quiet,
			goals:    []goal{atLeast(300_000, knownSeries), atMost(600, seriesMemory)},
		},
		{
			name: "H", title: "the start", measure: measureStart,
			load:  load{records: 10_000, series: 1000, partitions: 4, format: flatJSON},
			goals: []goal{atMost(300, afterJoin), atMost(1000, afterStart)},
		},
		{
			name: "I", title: "nothing to do", window: sc.window, measure: measureIdle,
			load:  load{partitions: 64, format: flatJSON},
			goals: []goal{atMost(0.5, coreShare)},
		},
	}
}

// The load that both sweeps of shape J have in common.
const (
	sweepRecords    = 1_000_000
	sweepPartitions = 4
)

// sweep changes the partitions at one number of records, and the records at one number
// of partitions.
func sweep(short bool) []load {
	partitions, records := []int{1, 4, 16, 64, 256}, []int{100_000, 10_000_000}
	if short {
		partitions, records = []int{1, 4, 256}, []int{100_000}
	}
	var loads []load
	for _, n := range partitions {
		loads = append(loads, load{records: sweepRecords, series: 10_000, partitions: n, format: flatJSON})
	}
	for _, n := range records {
		loads = append(loads, load{records: n, series: 10_000, partitions: sweepPartitions, format: flatJSON})
	}
	return loads
}
