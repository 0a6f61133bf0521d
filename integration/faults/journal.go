// Package faults injures the kafka2prom binary, and what it talks to, while a
// known stream of records flows, and then counts what is lost, wrong, doubled or
// committed too early.
package faults

import (
	"math"
	"sync"
	"time"
)

// perPartition is how many values each partition has for itself. All of them are
// exact as doubles.
const perPartition = 1 << 32

// identity makes the value of a sample that says which record it is of: its
// partition, and its place among the records of the partition.
func identity(partition int32, place int) float64 {
	return float64(partition)*perPartition + float64(place)
}

// identify is the inverse of identity. Values that nobody has produced give false
// where that can be seen.
func identify(value float64) (partition int32, place int, ok bool) {
	if !(value >= 0 && value < perPartition<<16) || value != math.Trunc(value) {
		return 0, 0, false
	}
	return int32(value / perPartition), int(math.Mod(value, perPartition)), true
}

// Journal knows when a record's sample was first where it belongs, and how often
// it was. It is safe for concurrent use.
type Journal struct {
	mu         sync.Mutex
	partitions map[int32][]arrival
}

// arrival is what is known of one record.
type arrival struct {
	first time.Time // Zero: not yet.
	times int
}

// Note enters that a receiver has accepted a sample.
func (j *Journal) Note(value float64, at time.Time) {
	partition, place, ok := identify(value)
	if !ok {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.partitions == nil {
		j.partitions = make(map[int32][]arrival)
	}
	known := j.partitions[partition]
	for len(known) <= place {
		known = append(known, arrival{})
	}
	if known[place].times == 0 || at.Before(known[place].first) {
		known[place].first = at
	}
	known[place].times++
	j.partitions[partition] = known
}

// First is when a record was accepted first; the zero time where it never was.
func (j *Journal) First(partition int32, place int) time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	if known := j.partitions[partition]; place < len(known) {
		return known[place].first
	}
	return time.Time{}
}

// Accepted counts the samples that were accepted, and how often one was again.
func (j *Journal) Accepted() (samples, again int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, known := range j.partitions {
		for _, a := range known {
			if a.times > 0 {
				samples++
				again += a.times - 1
			}
		}
	}
	return samples, again
}
