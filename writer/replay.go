package writer

import (
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/transform"
)

const (
	// How many series have to confirm that it was stored up to some sample, if there
	// are as many. Fewer could be at fault for themselves.
	backers = 3
	// How many series have to confirm that a partition is being replayed at all; as many
	// that have not been asked are asked in the end.
	witnesses = 15
)

// partition is where a record comes from.
type partition struct {
	topic string
	id    int32
}

func partitionOf(rec *kgo.Record) partition { return partition{rec.Topic, rec.Partition} }

// frontier is up to where a partition has been stored already. Without an
// out-of-order window a receiver refuses what is older than the newest sample of a
// series. All that is stored was stored in landing order. So where a sample is
// refused for that, everything up to its rank is stored. Where it is not refused, it
// is the newest of its series and nothing has changed, or it was not stored until
// now.
type frontier struct {
	where partition
	// stored is the rank up to which everything is stored, and fresh one beyond that,
	// if one is known.
	stored, fresh int32
	// refused is the highest rank of each series that was refused.
	refused map[*transform.Series]int32
	series  int // Of the partition, those that were refused included.
}

// replay finds out up to where the partition of a streak is stored, and refuses
// everything up to there without asking about each. Bad means that there may be
// more to be found.
func (i *isolation) replay(rest []item) finding {
	f := newFrontier(&i.streak, rest)
	if found := i.advance(f, rest); found != bad {
		return found
	}
	if found := i.verify(f, rest); found != bad {
		return found
	}
	if len(f.refused) < min(witnesses, f.series) {
		return bad
	}
	old := f.old(rest)
	if len(old) <= i.log {
		landingOrder(rest)
		return bad // As well they can be asked about one by one.
	}
	i.condemn(old)
	return i.try(rest)
}

// old cuts off what is stored. The others stay in their order behind it.
func (f *frontier) old(rest []item) []item {
	those, _ := divide(rest, func(it *item) bool { return it.batch != nil && it.rank <= f.stored && f.has(it) })
	return those
}

// advance asks about samples until there is none left whose being refused would say
// something new.
func (i *isolation) advance(f *frontier, rest []item) finding {
	for {
		open := f.questions(rest)
		if len(open) == 0 {
			return bad
		}
		at := open[len(open)/2]
		if f.fresh == math.MaxInt32 {
			at = open[len(open)-1] // Maybe all of it is stored.
		}
		if found := i.examine(f, rest, at); found != bad {
			return found
		}
	}
}

// verify asks about the samples that are next to the frontier. One that was not
// stored draws it back.
func (i *isolation) verify(f *frontier, rest []item) finding {
	for {
		before := f.stored
		open := f.assumed(rest)
		open = open[max(0, len(open)-witnesses):]
		for k := 0; k < len(open) && f.stored == before; k++ {
			if found := i.examine(f, rest, open[k]); found != bad {
				return found
			}
		}
		if f.stored == before {
			return bad
		}
	}
}

// examine asks about a sample, and moves the frontier by the answer. Bad means that
// the search goes on.
func (i *isolation) examine(f *frontier, rest []item, at int) finding {
	it := &rest[at]
	switch found := i.ask(rest, at); found {
	case bad:
		f.refused[it.Series] = it.rank
	case good:
		f.fresh = min(f.fresh, it.rank)
	default:
		return found
	}
	f.move()
	return bad
}

func newFrontier(s *streak, rest []item) *frontier {
	f := &frontier{where: s.where, fresh: math.MaxInt32, refused: s.ranks}
	seen := make(map[*transform.Series]bool)
	for series := range f.refused {
		seen[series] = true
	}
	for at := range rest {
		if it := &rest[at]; it.batch != nil && f.has(it) {
			seen[it.Series] = true
		}
	}
	f.series = len(seen)
	f.move()
	return f
}

// has says whether an item is of the partition.
func (f *frontier) has(it *item) bool { return partitionOf(it.Record) == f.where }

// move sets the frontier to the highest rank that enough series have confirmed, and
// that is not too far.
func (f *frontier) move() {
	f.stored = -1
	ranks := make([]int32, 0, len(f.refused))
	for _, rank := range f.refused {
		if rank < f.fresh {
			ranks = append(ranks, rank)
		}
	}
	slices.Sort(ranks)
	if n := min(backers, f.series); len(ranks) >= n {
		f.stored = ranks[len(ranks)-n]
	}
}

// questions returns the positions of samples whose being refused would say something
// new.
func (f *frontier) questions(rest []item) []int {
	return f.openings(rest, func(it *item) bool { return it.rank > f.stored && it.rank < f.fresh && it.repeated() })
}

// assumed returns the positions of samples that are taken for stored.
func (f *frontier) assumed(rest []item) []int {
	return f.openings(rest, func(it *item) bool { return it.rank <= f.stored })
}

// openings returns the positions of samples of the partition that meet a condition,
// in landing order. Each is the first of its series, so that none is passed over if
// it lands.
func (f *frontier) openings(rest []item, meets func(*item) bool) (positions []int) {
	for _, at := range openings(rest) {
		if it := &rest[at]; f.has(it) && meets(it) {
			positions = append(positions, at)
		}
	}
	return positions
}
