package faults

import (
	"context"
	"fmt"
	"sort"
	"time"
)

// commit is a committed offset, and a time at which it was known to be committed.
type commit struct {
	partition int32
	offset    int64
	at        time.Time
}

// commitInterval is how often committed offsets are looked at.
const commitInterval = 10 * time.Millisecond

// watchCommits asks for committed offsets until ctx ends, and returns every change.
// What ask cannot answer is asked again: the broker may be down.
func watchCommits(ctx context.Context, ask func(context.Context) (map[int32]int64, error)) (changes []commit) {
	last := map[int32]int64{}
	for {
		committed, err := ask(ctx)
		now := time.Now()
		for partition, offset := range committed {
			if before, known := last[partition]; err == nil && (!known || before != offset) {
				changes = append(changes, commit{partition, offset, now})
				last[partition] = offset
			}
		}
		select {
		case <-ctx.Done():
			return changes
		case <-time.After(commitInterval):
		}
	}
}

// rewinds lists the commits that went back.
func rewinds(changes []commit) (found []string) {
	last := map[int32]int64{}
	for _, c := range changes {
		if c.offset < last[c.partition] {
			found = append(found, fmt.Sprintf("partition %d: %d after %d", c.partition, c.offset, last[c.partition]))
		}
		last[c.partition] = c.offset
	}
	return found
}

// settled is a record's offset, and when it had come to its end. Records that need
// nothing have the zero time.
type settled struct {
	offset int64
	at     time.Time
}

// never is the time of a record that has not come to its end.
var never = time.Unix(1<<40, 0)

// endless counts the records that have not come to their end at all.
func endless(records map[int32][]settled) (n int) {
	for _, all := range records {
		for _, r := range all {
			if r.at.Equal(never) {
				n++
			}
		}
	}
	return n
}

// tooFar lists the commits that were seen before everything in front of them had
// come to its end. The records of each partition are in the order of their offsets.
func tooFar(changes []commit, records map[int32][]settled) (found []string) {
	latest := make(map[int32][]time.Time, len(records))
	for partition, all := range records {
		due := make([]time.Time, len(all)+1)
		for i, r := range all {
			due[i+1] = due[i]
			if r.at.After(due[i]) {
				due[i+1] = r.at
			}
		}
		latest[partition] = due
	}
	for _, c := range changes {
		all := records[c.partition]
		n := sort.Search(len(all), func(i int) bool { return all[i].offset >= c.offset })
		if n == 0 {
			continue
		}
		if due := latest[c.partition][n]; due.After(c.at) {
			found = append(found, fmt.Sprintf("partition %d: %d was committed at %s, %s too early",
				c.partition, c.offset, c.at.Format("15:04:05.000"), early(due, c.at)))
		}
	}
	return found
}

func early(due, at time.Time) string {
	if due.Equal(never) {
		return "for ever"
	}
	return due.Sub(at).String()
}
