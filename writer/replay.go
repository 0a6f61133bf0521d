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
	// How many series have to confirm that it is a replay at all; as many that have not
	// been asked are asked in the end.
	witnesses = 10
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
	certain bool
}

// replay finds out up to where the partition of a streak is stored, and refuses
// everything up to there without asking about each. Bad means that there may be
// more to be found.
func (i *isolation) replay(rest []item) finding {
	f := newFrontier(&i.streak, rest)
	for _, step := range []func(*frontier, []item) finding{i.advance, i.verify, i.advance, i.verify} {
		if found := step(f, rest); found != bad {
			return found
		}
	}
	if !f.certain {
		return bad
	}
	end := 0
	for end < len(rest) && rest[end].rank <= f.stored {
		end++
	}
	old, _ := divide(rest[:end], f.has)
	if live(old) <= i.log {
		return bad // As well they can be asked about one by one.
	}
	i.condemn(old)
	return i.try(rest)
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

// verify asks series that have not been asked. One that has stored nothing draws the
// frontier back.
func (i *isolation) verify(f *frontier, rest []item) finding {
	for {
		before := f.stored
		silent := f.silent(rest)
		asked := min(witnesses, len(silent))
		for k := 0; k < asked && f.stored == before; k++ {
			if found := i.examine(f, rest, silent[k*len(silent)/asked]); found != bad {
				return found
			}
		}
		if f.stored == before {
			f.certain = len(f.refused) >= min(witnesses, f.series)
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
// new, at most one a series and in landing order. Each is the first of its series
// that is not stored for certain, so that none is passed over if it lands.
func (f *frontier) questions(rest []item) (open []int) {
	seen := make(map[*transform.Series]bool)
	for at := range rest {
		it := &rest[at]
		if it.batch == nil || seen[it.Series] || !f.has(it) || !it.repeated() {
			continue
		}
		if _, known := f.refused[it.Series]; known && f.certain && it.rank <= f.stored {
			continue
		}
		seen[it.Series] = true
		if it.rank > f.stored && it.rank < f.fresh {
			open = append(open, at)
		}
	}
	return open
}

// silent returns the positions of the first samples up to the frontier of the series
// of which none was refused.
func (f *frontier) silent(rest []item) (open []int) {
	seen := make(map[*transform.Series]bool)
	for at := range rest {
		it := &rest[at]
		if it.batch == nil || it.rank > f.stored || seen[it.Series] || !f.has(it) {
			continue
		}
		seen[it.Series] = true
		if _, asked := f.refused[it.Series]; !asked {
			open = append(open, at)
		}
	}
	return open
}
