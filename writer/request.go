package writer

import (
	"cmp"
	"math"
	"slices"

	"github.com/kafka2prom/kafka2prom/transform"
)

// item is a sample on its way through a shard.
type item struct {
	transform.Sample
	// batch is nil once the sample is settled: nothing sends or counts it again.
	batch *Batch
	// doubtful says that an attempt which may have stored the sample has failed.
	doubtful bool
	// rank is where the sample stands in landing order, in its request.
	rank int32
}

// repeated says whether an earlier attempt, or an earlier owner of the partition, may
// have stored the sample.
func (it *item) repeated() bool { return it.doubtful || it.batch.replayed(it.Record) }

// request gathers samples in the order in which they came, and arranges them as
// they stand on the wire: series by series, each in order of time. One shard owns
// it and uses it again and again.
type request struct {
	items  []item
	groups []group
	// merged and doubles were found while arranging: exact repetitions, and other
	// values for a time that has one. They are settled by the shard.
	merged, doubles []item

	members []int32 // The group of each item.
	scratch []item
	size    int // At most this many bytes, before compression.
}

// group is the samples of one series.
type group struct {
	series *transform.Series
	last   int64 // Timestamp of the sample that came last.
	begin  int32 // Once arranged: its first item.
	count  int32
	// disorder says that a timestamp was not after the one before.
	disorder bool
}

// What a series and a sample take on the wire at most, beside the labels.
const (
	seriesOverhead = 16
	sampleSize     = 22
)

// reset empties the request and lets go of what it referred to.
func (r *request) reset() {
	clear(r.items)
	clear(r.scratch[:min(len(r.items), len(r.scratch))])
	clear(r.groups)
	clear(r.merged)
	clear(r.doubles)
	r.items, r.groups, r.members = r.items[:0], r.groups[:0], r.members[:0]
	r.merged, r.doubles = r.merged[:0], r.doubles[:0]
	r.size = 0
}

// fits says whether one more sample leaves the request within a size in bytes. A
// request takes one sample in any case.
func (r *request) fits(s *transform.Sample, maxBytes int) bool {
	size := r.size + sampleSize
	if s.Series.Shard.Group == 0 {
		size += seriesOverhead + len(s.Series.Encoded)
	}
	return size <= maxBytes || len(r.items) == 0
}

// add takes a sample in.
func (r *request) add(s *transform.Sample, b *Batch) {
	number := s.Series.Shard.Group
	if number == 0 {
		r.groups = append(r.groups, group{series: s.Series, last: math.MinInt64})
		number = int32(len(r.groups))
		s.Series.Shard.Group = number
		r.size += seriesOverhead + len(s.Series.Encoded)
	}
	g := &r.groups[number-1]
	g.disorder = g.disorder || s.Timestamp <= g.last && g.count > 0
	g.last = s.Timestamp
	g.count++
	r.size += sampleSize
	r.items = append(r.items, item{Sample: *s, batch: b, rank: int32(len(r.items))})
	r.members = append(r.members, number-1)
}

// arrange puts the items in wire order. The scratch space of the series is free
// again afterwards.
func (r *request) arrange() {
	for i := range r.groups {
		r.groups[i].series.Shard.Group = 0
	}
	if len(r.groups) == len(r.items) {
		return // One sample each: in order as they are.
	}
	begin := int32(0)
	for i := range r.groups {
		r.groups[i].begin = begin
		begin += r.groups[i].count
	}
	r.scratch = slices.Grow(r.scratch[:0], len(r.items))[:len(r.items)]
	for i, member := range r.members {
		g := &r.groups[member]
		r.scratch[g.begin] = r.items[i]
		g.begin++
	}
	r.items, r.scratch = r.scratch, r.items
	for i := range r.groups {
		if g := &r.groups[i]; g.disorder {
			r.sort(r.items[g.begin-g.count : g.begin])
		}
	}
}

// sort puts the samples of one series in order of time. Of several samples at one
// time the first that came stays: receivers take the first and say nothing about
// the others. None may land before one that is older.
func (r *request) sort(series []item) {
	slices.SortStableFunc(series, func(a, b item) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	kept := &series[0]
	for i := 1; i < len(series); i++ {
		series[i].rank = max(series[i].rank, series[i-1].rank)
		switch it := &series[i]; {
		case it.Timestamp != kept.Timestamp:
			kept = it
		case math.Float64bits(it.Value) == math.Float64bits(kept.Value):
			r.merged = append(r.merged, *it)
			it.batch = nil
		default:
			r.doubles = append(r.doubles, *it)
			it.batch = nil
		}
	}
}
