package writer

import (
	"github.com/twmb/franz-go/pkg/kgo"
)

// witnesses is how many series have to confirm a guess, and fewest is how many
// there have to be for it.
const (
	witnesses = 5
	fewest    = 3
)

// partition is where a record comes from; the zero value is anywhere.
type partition struct {
	topic string
	id    int32
}

func partitionOf(rec *kgo.Record) partition { return partition{rec.Topic, rec.Partition} }

// guess follows up on a series that is at fault from its first sample up to a
// boundary, while others are at fault, too. That is what a replay looks like: all
// of the partition has been stored up to there. A series that is at fault as a
// whole (no boundary) may mean that the whole request is.
//
// The guess is tested on the first samples of a few other series. Each is sent
// alone, and nothing is harmed if it lands: it is the first of its series. Bad
// means that there is more to be found in the rest that is returned.
func (i *isolation) guess(rest []item, boundary *kgo.Record) ([]item, finding) {
	var where partition
	before := func(*item) bool { return true }
	if boundary != nil {
		where = partitionOf(boundary)
		before = func(it *item) bool { return partitionOf(it.Record) == where && it.Record.Offset <= boundary.Offset }
	}
	if i.guessed[where] {
		return rest, bad
	}
	i.guessed[where] = true
	confirmed, found := i.ask(spread(openings(rest, before)), rest)
	switch {
	case found == spent, found == ended:
		return nil, found
	case !confirmed:
		return rest, bad
	case boundary == nil:
		return nil, spent // There is no use in looking on.
	}
	old, fresh := divide(rest, before)
	if found = i.try(old); found == spent || found == ended {
		return nil, found
	}
	if found == bad {
		i.condemn(old)
	}
	return fresh, i.try(fresh)
}

// ask tests samples alone, until one of them lands.
func (i *isolation) ask(positions []int, items []item) (confirmed bool, found finding) {
	if len(positions) < fewest {
		return false, good
	}
	for _, at := range positions {
		if found = i.try(items[at : at+1]); found != bad {
			return false, found
		}
		i.accuse(items[at : at+1])
	}
	return true, good
}

// openings returns the positions of the first samples of each series that meet a
// condition.
func openings(items []item, meets func(*item) bool) (positions []int) {
	for at := range items {
		opening := at == 0 || items[at-1].Series != items[at].Series
		if opening && items[at].batch != nil && meets(&items[at]) {
			positions = append(positions, at)
		}
	}
	return positions
}

// spread picks as many as there are to be witnesses, evenly.
func spread(positions []int) []int {
	if len(positions) <= witnesses {
		return positions
	}
	picked := make([]int, witnesses)
	for k := range picked {
		picked[k] = positions[k*(len(positions)-1)/(witnesses-1)]
	}
	return picked
}

// divide puts the items that meet a condition before the others, in place. Each
// part stays in wire order.
func divide(items []item, meets func(*item) bool) (those, others []item) {
	rest := make([]item, 0, len(items))
	n := 0
	for at := range items {
		if meets(&items[at]) {
			items[n] = items[at]
			n++
		} else {
			rest = append(rest, items[at])
		}
	}
	copy(items[n:], rest)
	return items[:n], items[n:]
}
