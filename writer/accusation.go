package writer

import (
	"strings"

	"github.com/kafka2prom/kafka2prom/transform"
)

// accusation is what the body of an answer says about the items of a request: it
// may name the series of which samples were refused.
type accusation struct {
	texts map[*transform.Series]string // The first line that names the series.
	named map[*transform.Series]naming
	items int // Of the series that are named.
	lines int // That name them.
}

// naming is how a body names a series.
type naming struct {
	items, lines int
	// early says that all the lines call a sample too old: then the first items of the
	// series are meant, because all that follow are newer.
	early bool
}

// accuse finds the series of the items that a body names.
func accuse(items []item, body []byte) accusation {
	lines := make(map[string]naming)
	texts := make(map[string]string)
	for line := range strings.Lines(string(body)) {
		series, said := seriesIn(line)
		for _, labels := range series {
			n, again := lines[labels]
			if !again {
				n.early = true
				texts[labels] = clean(line)
			}
			n.lines++
			n.early = n.early && saysTooOld(said)
			lines[labels] = n
		}
	}
	a := accusation{texts: make(map[*transform.Series]string), named: make(map[*transform.Series]naming)}
	for i := range items {
		series := items[i].Series
		n, named := lines[series.Encoded]
		if !named || items[i].batch == nil {
			continue
		}
		if known, again := a.named[series]; again {
			n = known
		} else {
			a.texts[series] = texts[series.Encoded]
			a.lines += n.lines
		}
		n.items++
		a.items++
		a.named[series] = n
	}
	return a
}

// saysTooOld knows the words of Prometheus, and of those that have its storage.
func saysTooOld(line string) bool {
	return strings.Contains(line, "out of order") || strings.Contains(line, "too old")
}

// maySayStored says whether a refusal can be that of a sample which is stored
// already. Receivers with the storage of Prometheus call it too old, out of order or
// a duplicate, and Thanos a conflict; one that says nothing may mean anything. It
// decides which reason is given, and never what is sent.
func maySayStored(text string) bool {
	_, said := seriesIn(text) // Labels may have any words in them.
	text = strings.ToLower(strings.TrimSpace(said))
	switch {
	case text == "":
		return true
	case strings.Contains(text, "future"):
		return false
	}
	for _, words := range []string{"out of order", "out-of-order", "too old", "too-old", "duplicate", "out of bounds", "conflict"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// takeGuilty moves the items out of a request that are refused for certain, where
// the body has a line for each sample that was: all of a series, or the oldest.
func (a *accusation) takeGuilty(items []item) []item {
	return takeOut(items, func(series *transform.Series) bool {
		n, named := a.named[series]
		if !named || n.lines == 0 || n.lines < n.items && !n.early {
			return false
		}
		n.lines--
		n.items--
		if n.lines == 0 {
			delete(a.named, series) // The others of the series are stored.
			return true
		}
		a.named[series] = n
		return true
	})
}

// take moves all items of the named series out of a request.
func (a *accusation) take(items []item) []item {
	return takeOut(items, func(series *transform.Series) bool {
		_, named := a.named[series]
		return named
	})
}

// takeOut moves items out of a request, in their order.
func takeOut(items []item, wanted func(*transform.Series) bool) []item {
	var out []item
	for i := range items {
		if it := &items[i]; it.batch != nil && wanted(it.Series) {
			out = append(out, *it)
			it.batch = nil
		}
	}
	return out
}
