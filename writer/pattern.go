package writer

import (
	"slices"

	"github.com/kafka2prom/kafka2prom/transform"
)

// peel asks about the samples of a series that follow a culprit, one by one, as
// long as they are at fault, too. One that is not lands a little before its turn.
func (i *isolation) peel(rest []item, series *transform.Series) finding {
	if i.astray == mostAstray {
		return bad
	}
	guilty := 0
	for at := range rest {
		if rest[at].Series != series || rest[at].batch == nil {
			continue
		}
		found := i.ask(rest, at)
		if found == good && guilty == 0 {
			i.astray++
		}
		if found == good {
			return bad
		}
		if found != bad {
			return found
		}
		if guilty++; guilty == 2*i.log {
			return i.setAside(rest, series)
		}
	}
	return bad
}

// mostAstray is how many wrong guesses are enough.
const mostAstray = 2

// setAside settles everything but a series, and leaves that.
func (i *isolation) setAside(rest []item, series *transform.Series) finding {
	_, others := divide(rest, func(it *item) bool { return it.Series == series })
	found := i.try(others)
	if found == bad {
		found = i.search(unsettled(others))
	}
	if found == good {
		return spent
	}
	return found
}

// despair asks about the first samples of some series, evenly spread. If all of them
// are at fault there is no use in looking on.
func (i *isolation) despair(rest []item) finding {
	series := openings(rest)
	for k := range min(i.log, len(series)) {
		switch found := i.ask(rest, series[k*len(series)/min(i.log, len(series))]); found {
		case bad:
		case good:
			return bad
		default:
			return found
		}
	}
	return spent
}

// openings returns the positions of the first samples of each series.
func openings(items []item) (positions []int) {
	seen := make(map[*transform.Series]bool)
	for at := range items {
		if it := &items[at]; it.batch != nil && !seen[it.Series] {
			seen[it.Series] = true
			positions = append(positions, at)
		}
	}
	return positions
}

// sweep tries what is left in a few pieces, and refuses those that the receiver
// refuses. False: the writer is being drained.
func (i *isolation) sweep(left []item) bool {
	landingOrder(left)
	for piece := range slices.Chunk(left, max(1, (len(left)+i.log-1)/i.log)) {
		found := i.probe(piece)
		if found == ended {
			return false
		}
		switch {
		case found == good:
		case live(piece) == 1:
			i.accuse(piece)
		case i.last.outcome == tooLarge:
			if !i.s.halve(piece, i.last) {
				return false
			}
		default:
			i.condemn(piece)
		}
	}
	return true
}
