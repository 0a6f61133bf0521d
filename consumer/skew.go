package consumer

import (
	"math"
	"time"
)

// quietWait is how long a partition that gives nothing holds the others back, at
// most: its leader may be away, or its last offsets hold no record any more.
const quietWait = 10 * time.Second

// eventFloor is the event time, in milliseconds, of the partition that is
// furthest behind among those that have something left to read. While one of
// them has not given its first record, nothing may run ahead: the floor is the
// beginning of time. Consumer.mu is held.
func (c *Consumer) eventFloor(now time.Time) int64 {
	if c.cfg.MaxSkew <= 0 {
		return math.MaxInt64
	}
	floor := int64(math.MaxInt64)
	for _, l := range c.leases {
		if !l.behind() || l.failed != nil || l.broken {
			continue
		}
		if now.Sub(l.lastFetch) > quietWait && !l.paused && !c.isPending(l) {
			continue
		}
		floor = min(floor, l.eventTime)
	}
	return floor
}

// behind says that the partition has something left to map, as far as is known.
func (l *lease) behind() bool {
	if l.stop >= 0 {
		return l.short()
	}
	return l.end < 0 || l.mapped < l.end
}

// ahead says that a partition must wait for the others: its last record is newer
// than the floor by more than the allowed skew.
func (c *Consumer) ahead(l *lease, floor int64) bool {
	if c.cfg.MaxSkew <= 0 || l.eventTime == 0 {
		return false
	}
	return floor < math.MaxInt64 && l.eventTime > floor+c.cfg.MaxSkew.Milliseconds()
}

// alignFetching pauses partitions that are ahead of the others or at their stop,
// and resumes those that are not any more. Consumer.mu is held.
func (c *Consumer) alignFetching() {
	if c.cfg.MaxSkew <= 0 && c.span == nil {
		return
	}
	now := time.Now()
	floor := c.eventFloor(now)
	pause, resume := map[string][]int32{}, map[string][]int32{}
	for _, l := range c.leases {
		want := c.ahead(l, floor) || l.stop >= 0 && l.read >= l.stop
		switch {
		case want && !l.paused:
			pause[l.topic] = append(pause[l.topic], l.id)
		case !want && l.paused:
			resume[l.topic] = append(resume[l.topic], l.id)
			l.lastFetch = now
		}
		l.paused = want
	}
	if len(pause) > 0 {
		c.client.PauseFetchPartitions(pause)
	}
	if len(resume) > 0 {
		c.client.ResumeFetchPartitions(resume)
	}
}
