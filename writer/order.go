package writer

import (
	"cmp"
	"slices"
	"strings"
)

// A request that has to be sent in pieces lands in the order in which its records
// were polled: whatever happens in the middle of it, the receiver has everything of
// a partition up to some offset, and nothing behind. The next owner of the
// partition relies on that when it finds out what it need not send again.
//
// On the wire the samples of a series stand together, and in order of time.

// landingOrder puts items in the order in which they have to land. Of a series that
// is in order of time as well: request.sort has seen to it.
func landingOrder(items []item) {
	slices.SortFunc(items, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.Timestamp, b.Timestamp))
	})
}

// wireOrder puts items in the order in which they stand in a request.
func wireOrder(items []item) {
	slices.SortFunc(items, func(a, b item) int {
		if a.Series == b.Series {
			return cmp.Compare(a.Timestamp, b.Timestamp)
		}
		return cmp.Or(cmp.Compare(a.Series.Hash, b.Series.Hash), strings.Compare(a.Series.Encoded, b.Series.Encoded))
	})
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

// divide puts the items that meet a condition before the others, in place. Each
// part stays in its order.
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
