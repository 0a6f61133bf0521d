package writer

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/transform"
)

// isolation finds the samples at fault in a request of which the receiver has
// stored nothing because of them, and lands the others.
//
// The samples of a series must land in order, so a request is tried from the
// front: halving finds the first sample at fault, everything before it has landed
// by then, and then comes the rest. That takes log2(n) requests a sample. Where
// there is one sample at fault there are often many, in one of two patterns: all
// of one series, or, when records are replayed after a crash, all up to an offset.
// So the search guesses, and a wrong guess costs one request and stores nothing
// that it should not.
//
// What is left when the budget is used up is tried once more in a few pieces, and
// refused as pieces.
type isolation struct {
	s     *shard
	items []item
	// log is the binary logarithm of the number of samples, the unit of everything
	// below.
	log    int
	budget int // Requests that are left.
	last   result
	// guessed are the partitions of which a replay has been guessed.
	guessed map[partition]bool
}

// finding is what a part of a search came to.
type finding uint8

const (
	good  finding = iota // It is settled.
	bad                  // Something in it is at fault.
	spent                // The budget is used up.
	ended                // The writer is being drained.
)

// isolate settles items that were refused together. False: the writer is being
// drained.
func (s *shard) isolate(items []item, r result) bool {
	s.complain(items, r)
	i := &isolation{s: s, items: items, last: r, guessed: make(map[partition]bool)}
	n := live(items)
	if n == 1 {
		i.accuse(items)
		return true
	}
	i.log = bits.Len(uint(n - 1))
	i.budget = 8 * i.log
	if i.search(items) == ended {
		return false
	}
	return i.sweep()
}

// try sends a part.
func (i *isolation) try(part []item) finding {
	if live(part) == 0 {
		return good
	}
	if i.budget == 0 {
		return spent
	}
	i.budget--
	return i.probe(part)
}

func (i *isolation) probe(part []item) finding {
	r := i.s.send(part)
	switch i.s.judge(part, r) {
	case settled:
		return good
	case stopped:
		return ended
	default:
		i.last = r
		return bad
	}
}

// accuse refuses samples that were refused alone.
func (i *isolation) accuse(items []item) {
	i.s.refuse(items, verdict{reason: i.reason(), text: i.last.words(), exact: true})
}

func (i *isolation) reason() transform.Reason {
	switch i.last.outcome {
	case poisonous:
		return transform.ReasonPoison
	case tooLarge:
		return transform.ReasonTooLarge
	default:
		return transform.ReasonRefused
	}
}

// search settles items that have been refused together, one culprit after the
// other. Good means that nothing more can be found out about what is left.
func (i *isolation) search(rest []item) finding {
	for {
		at, found := i.first(rest)
		if found != bad {
			return found
		}
		culprit := rest[at]
		i.accuse(rest[at : at+1])
		opening := at == 0 || rest[at-1].Series != culprit.Series
		rest = rest[at+1:]
		if found = i.try(rest); found != bad {
			return found
		}
		own, others := cutSeries(rest, culprit.Series)
		elsewhere := bad
		if live(own) > 0 {
			elsewhere = i.try(others)
		}
		if elsewhere == spent || elsewhere == ended {
			return elsewhere
		}
		boundary, found := i.peel(own, culprit.Record, elsewhere == good)
		if found != good || elsewhere == good {
			return found
		}
		rest = others
		if opening {
			if rest, found = i.guess(rest, boundary); found != bad {
				return found
			}
		}
	}
}

// first finds the first sample at fault among items that have been refused
// together. Bad: it is at the position; good: there is none after all.
func (i *isolation) first(items []item) (int, finding) {
	begin, end := 0, len(items)
	for begin < end {
		half := begin + (end-begin+1)/2
		switch found := i.try(items[begin:half]); {
		case found == good:
			begin = half
		case found != bad:
			return 0, found
		case half == begin+1:
			return begin, bad
		default:
			end = half
		}
	}
	return 0, good
}

// peel settles the samples of one series that follow a culprit: one by one as long
// as they are at fault, too. It returns the record of the last culprit in a row
// where a good sample came next. After a long row it leaves the others.
func (i *isolation) peel(own []item, culprit *kgo.Record, atFault bool) (boundary *kgo.Record, found finding) {
	if live(own) == 0 {
		return nil, good
	}
	if !atFault {
		if found = i.try(own); found != bad {
			return culprit, found
		}
	}
	for row := 0; len(own) > 0 && row < 2*i.log; row++ {
		found = i.try(own[:1])
		if found == bad {
			culprit = own[0].Record
			i.accuse(own[:1])
			own = own[1:]
			continue
		}
		if found == good {
			found = i.peelRest(own[1:])
		}
		return culprit, found
	}
	return nil, good
}

// peelRest settles the samples of one series behind a good one.
func (i *isolation) peelRest(own []item) finding {
	for {
		if found := i.try(own); found != bad {
			return found
		}
		at, found := i.first(own)
		if found != bad {
			return found
		}
		i.accuse(own[at : at+1])
		own = own[at+1:]
	}
}

// cutSeries cuts off the items of a series, which stand at the front.
func cutSeries(items []item, series *transform.Series) (own, others []item) {
	n := 0
	for n < len(items) && items[n].Series == series {
		n++
	}
	return items[:n], items[n:]
}

// sweep tries what is left in a few pieces, in order of time, and refuses those
// that the receiver refuses. False: the writer is being drained.
func (i *isolation) sweep() bool {
	left := unsettled(i.items)
	slices.SortStableFunc(left, func(a, b item) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	for piece := range slices.Chunk(left, max(1, (len(left)+i.log-1)/i.log)) {
		slices.SortStableFunc(piece, func(a, b item) int {
			return cmp.Or(cmp.Compare(a.Series.Hash, b.Series.Hash), strings.Compare(a.Series.Encoded, b.Series.Encoded))
		})
		found := i.probe(piece)
		if found == ended {
			return false
		}
		if found == bad {
			i.condemn(piece)
		}
	}
	return true
}

// unsettled moves the items that are not settled to the front, in place, so that
// fences still find them.
func unsettled(items []item) []item {
	n := 0
	for at := range items {
		if items[at].batch != nil {
			items[n] = items[at]
			n++
		}
	}
	clear(items[n:])
	return items[:n]
}

// condemn refuses items together: it is not known which of them are at fault.
func (i *isolation) condemn(items []item) {
	alone := live(items) == 1
	i.s.refuse(items, verdict{reason: i.reason(), text: i.last.words(), count: live(items), exact: alone, guessed: !alone})
}
