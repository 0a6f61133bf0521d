package transform

import (
	"sync/atomic"
)

// seriesCache finds the series of a record from the raw bytes of its labels. Many
// raw forms (other orders, other spellings, labels that relabelling drops) lead
// to one series, and as long as any sample of it is in flight there is only one
// Series for a label set.
//
// The bound is on raw forms. Where it is reached, a hand goes round over them, as
// on a clock, and evicts those that were not used since it passed last. It
// leaves alone what was used by a batch that has not landed, so that the cache
// grows beyond its bound where that many are in flight.
type seriesCache struct {
	limits  Limits    // Of the series, and of the forms: the size of the cache.
	forms   []rawForm // In the order of the hand.
	hand    int
	byRaw   map[string]int32 // Positions in forms.
	byLabel map[string]*Series
	census  census
	metrics *metrics

	// inFlight is the lowest number of a batch that has not landed.
	inFlight atomic.Uint64
	series   atomic.Int64
	known    atomic.Int64 // The series, and those that the census keeps.
}

// rawForm is one way in which records spell a series.
type rawForm struct {
	raw    string
	series *Series
	// lastUsed is the number of the batch that used it last.
	lastUsed uint64
	// passed is lastUsed as the hand found it.
	passed uint64
}

func newSeriesCache(limits Limits, m *metrics) *seriesCache {
	return &seriesCache{
		limits:  limits,
		byRaw:   make(map[string]int32),
		byLabel: make(map[string]*Series),
		census:  newCensus(),
		metrics: m,
	}
}

// landed says that every batch up to this number has landed. It may be called
// from any goroutine.
func (c *seriesCache) landed(batch uint64) { c.inFlight.Store(batch + 1) }

// find returns the series for a raw form, or nil, and notes that the batch uses
// it.
func (c *seriesCache) find(raw []byte, batch uint64) *Series {
	i, ok := c.byRaw[string(raw)]
	if !ok {
		return nil
	}
	form := &c.forms[i]
	form.lastUsed = batch
	return form.series
}

// add keeps a raw form that find did not know. The series of equal labels is
// shared. Empty labels stand for a series that relabelling drops. It returns nil
// where the series is new, and as many are known as there may be.
func (c *seriesCache) add(raw, labels []byte, batch uint64) *Series {
	c.metrics.misses.Inc()
	s := c.byLabel[string(labels)]
	if s == nil {
		s = newSeries(labels)
		if len(labels) > 0 {
			if !c.admit(s.Hash) {
				return nil
			}
			c.byLabel[s.Encoded] = s
			c.series.Add(1)
			c.count()
		}
	}
	s.forms++
	c.place(rawForm{raw: string(raw), series: s, lastUsed: batch, passed: batch})
	return s
}

// handSteps is how far the hand moves for a form that is added: enough to evict
// more than comes in, and too few to be noticed.
const handSteps = 8

// place gives the form a position: that of an evicted one where the bound is
// reached, else a new one. Above the bound it evicts one more.
func (c *seriesCache) place(form rawForm) {
	placed := false
	for range handSteps {
		if len(c.forms) < c.limits.SeriesCache || placed && len(c.forms) == c.limits.SeriesCache {
			break
		}
		if c.hand >= len(c.forms) {
			c.hand = 0
		}
		switch {
		case !c.evict(&c.forms[c.hand]):
			c.hand++
		case placed:
			c.fill(c.hand)
		default:
			c.put(c.hand, form)
			c.hand++
			placed = true
		}
	}
	if !placed {
		c.forms = append(c.forms, rawForm{})
		c.put(len(c.forms)-1, form)
	}
}

func (c *seriesCache) put(i int, form rawForm) {
	c.forms[i] = form
	c.byRaw[form.raw] = int32(i)
}

// evict forgets a form, unless it is in flight or was used since the hand passed
// last.
func (c *seriesCache) evict(form *rawForm) bool {
	if form.lastUsed >= c.inFlight.Load() {
		return false
	}
	if form.lastUsed != form.passed {
		form.passed = form.lastUsed
		return false
	}
	c.forget(form)
	return true
}

// forget takes a form out of the tables. Its position is to be filled.
func (c *seriesCache) forget(form *rawForm) {
	delete(c.byRaw, form.raw)
	if form.series.forms--; form.series.forms == 0 && form.series.Encoded != "" {
		// Each of its forms has landed, so that no sample refers to it any more.
		delete(c.byLabel, form.series.Encoded)
		c.series.Add(-1)
		c.census.keep(form.series.Hash, form.lastUsed)
		c.count()
	}
	c.metrics.evictions.Inc()
}

// fill moves the last form to the position of an evicted one.
func (c *seriesCache) fill(i int) {
	last := len(c.forms) - 1
	if i != last {
		c.put(i, c.forms[last])
	}
	c.forms[last] = rawForm{}
	c.forms = c.forms[:last]
}
