package transform

import "time"

// census knows which series were used lately, so that limits.series refuses those
// beyond, and neither the cache's size nor what it evicts makes a known one new. Time
// goes in hours by the clock; a series that none of the batches of the present hour
// and of the one before has used is forgotten.
//
// Of what the cache has evicted it keeps the hash of the labels, about 20 bytes. Two
// series of one hash would count as one.
type census struct {
	turned          time.Time // When the present hour began.
	present, before uint64    // The first batches of the present hour and of the one before.
	// Hashes of series that the cache has evicted: used in the present hour, and in the
	// one before.
	evicted, older map[uint64]struct{}
}

const censusPeriod = time.Hour

func newCensus() census {
	return census{evicted: make(map[uint64]struct{}), older: make(map[uint64]struct{})}
}

// begin notes the time at which a batch begins, and says whether another hour has.
func (c *census) begin(batch uint64, now time.Time) (turned bool) {
	for range min(int(now.Sub(c.turned)/censusPeriod), 2) {
		c.before, c.present = c.present, batch
		c.older, c.evicted = c.evicted, make(map[uint64]struct{})
		c.turned, turned = now, true
	}
	return turned
}

// forgets says that a series is to be forgotten that a batch has used last.
func (c *census) forgets(lastUsed uint64) bool { return lastUsed < c.before }

// keep remembers a series that the cache has evicted.
func (c *census) keep(hash, lastUsed uint64) {
	switch {
	case lastUsed >= c.present:
		c.evicted[hash] = struct{}{}
	case !c.forgets(lastUsed):
		c.older[hash] = struct{}{}
	}
}

// recall says whether a series is known that the cache has not. The cache counts it
// from now on.
func (c *census) recall(hash uint64) bool {
	before := c.size()
	delete(c.evicted, hash)
	delete(c.older, hash)
	return c.size() < before
}

// size is the number of series that the cache has evicted and that count.
func (c *census) size() int { return len(c.evicted) + len(c.older) }

// admit says whether a series may come in that the cache does not have.
func (c *seriesCache) admit(hash uint64) bool {
	return c.census.recall(hash) || c.known.Load() < int64(c.limits.Series)
}

// sweep evicts what the census forgets, so that it does not count any more. That takes
// a tenth of a second for a million.
func (c *seriesCache) sweep() {
	for i := 0; i < len(c.forms); {
		if last := c.forms[i].lastUsed; last >= c.inFlight.Load() || !c.census.forgets(last) {
			i++
			continue
		}
		c.forget(&c.forms[i])
		c.fill(i)
	}
}

// count brings known up to date.
func (c *seriesCache) count() { c.known.Store(c.series.Load() + int64(c.census.size())) }

// begin notes the time at which a batch begins. The numbers never go down.
func (c *seriesCache) begin(batch uint64, now time.Time) {
	if c.census.begin(batch, now) {
		c.sweep()
		c.count()
	}
}
