package writer

import (
	"math/bits"

	"github.com/kafka2prom/kafka2prom/transform"
)

// isolation finds the samples at fault in a request of which the receiver has
// stored nothing because of them, and lands the others.
//
// The request is tried from the front, in landing order: halving finds the first
// sample at fault, everything before it has landed by then, and then comes the
// rest. That takes log2(n) requests a sample. Where there is one sample at fault
// there are often many: those of one series, or, when records are replayed after a
// crash, all up to an offset. Both are followed up (peel, replay) by asking about
// single samples, in ways that do no harm where the guess is wrong.
//
// What is left when the budget is used up is tried once more in a few pieces, and
// refused as pieces.
type isolation struct {
	s *shard
	// log is the binary logarithm of the number of samples, the unit of budgets.
	log int
	// budget is how many requests are left, and most is what it was at first. A sample
	// that lands pays one back, so that many samples at fault among more good ones are
	// all found.
	budget, most int
	last         result
	streak       streak
	astray       int // Series that were followed up for nothing.
}

// streak is the samples at fault that were found with none between them that landed.
type streak struct {
	where  partition
	length int
	ranks  map[*transform.Series]int32 // Of the last one of each series.
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
	items = unsettled(items)
	landingOrder(items)
	i := &isolation{s: s, last: r, log: bits.Len(uint(len(items) - 1))}
	if len(items) == 1 {
		i.accuse(items)
		return true
	}
	i.most = 8 * i.log
	for at := range items {
		if items[at].repeated() {
			i.most += 2
		}
	}
	i.budget = i.most
	if i.search(items) == ended {
		return false
	}
	return i.sweep(unsettled(items))
}

// try sends a part.
func (i *isolation) try(part []item) finding {
	n := live(part)
	if n == 0 {
		return good
	}
	if i.budget <= 0 {
		return spent
	}
	i.budget--
	found := i.probe(part)
	if found == good {
		i.budget = min(i.budget+n, i.most)
	}
	return found
}

func (i *isolation) probe(part []item) finding {
	wireOrder(part)
	r := i.s.send(part)
	switch i.s.judge(part, r) {
	case settled:
		return good
	case stopped:
		return ended
	default:
		i.last = r
		landingOrder(part)
		return bad
	}
}

// ask tries a sample alone, and refuses it if it is at fault.
func (i *isolation) ask(items []item, at int) finding {
	found := i.try(items[at : at+1])
	if found == bad {
		i.accuse(items[at : at+1])
	}
	return found
}

// accuse refuses samples that were refused alone.
func (i *isolation) accuse(items []item) {
	i.s.refuse(items, verdict{reason: i.reason(), text: i.last.words(), said: i.last.body, exact: true})
}

// condemn refuses items together: it is not known which of them are at fault.
func (i *isolation) condemn(items []item) {
	i.s.refuse(items, verdict{reason: i.reason(), text: i.last.words(), said: i.last.body, count: live(items), guessed: true})
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
// other. Good means that everything is settled.
func (i *isolation) search(rest []item) finding {
	at, found := i.begin(rest)
	for first := true; found == bad; first = false {
		culprit := rest[at]
		i.accuse(rest[at : at+1])
		i.extend(&culprit, at > 0)
		rest = rest[at+1:]
		// A culprit right behind another one is rarely the last.
		if first || at > 0 {
			if found = i.try(rest); found != bad {
				return found
			}
		}
		if found = i.follow(rest, &culprit); found != bad {
			return found
		}
		rest = unsettled(rest)
		at, found = i.first(rest, 2*at)
	}
	return found
}

// begin finds the first culprit. In a replay that is one of the first samples; else
// it may be anywhere.
func (i *isolation) begin(rest []item) (int, finding) {
	if rest[0].repeated() {
		return i.first(rest, 1)
	}
	at, found := i.halve(rest, 0, len(rest))
	if found == good {
		return i.first(rest, len(rest))
	}
	return at, found
}

// extend adds a culprit to the streak, or begins another one.
func (i *isolation) extend(culprit *item, anew bool) {
	where := partitionOf(culprit.Record)
	if anew || where != i.streak.where {
		i.streak = streak{where: where, ranks: make(map[*transform.Series]int32)}
	}
	i.streak.length++
	i.streak.ranks[culprit.Series] = culprit.rank
}

// follow looks for a pattern that a culprit belongs to. Bad means that there may be
// more to be found.
func (i *isolation) follow(rest []item, culprit *item) finding {
	switch {
	case culprit.repeated() && i.streak.length >= backers:
		return i.replay(rest)
	case culprit.repeated():
		return bad
	case i.streak.length == 2*i.log:
		return i.despair(rest)
	default:
		return i.peel(rest, culprit.Series)
	}
}

// first finds the first sample at fault. Bad: it is at the position, and everything
// before it has landed; good: there is none. Samples at fault are taken to be about
// as far apart as the last two were.
func (i *isolation) first(items []item, apart int) (int, finding) {
	step := max(1, apart)
	for begin := 0; begin < len(items); step *= 2 {
		end := min(begin+step, len(items))
		found := i.try(items[begin:end])
		if found == bad && end > begin+1 {
			end, found = i.halve(items, begin, end)
		} else if found == bad {
			end = begin
		}
		if found != good {
			return end, found
		}
		begin = end
	}
	return 0, good
}

// halve finds the first sample at fault between two positions, which have been
// refused together. Good: there is none before the position that is returned, where
// a part was taken after all.
func (i *isolation) halve(items []item, begin, end int) (int, finding) {
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
	return begin, good
}
