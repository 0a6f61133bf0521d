package main

import "time"

// longestDelay is the last millisecond that is told apart; longer ones count as it.
const longestDelay = 60_000

// delays are the times between the production of samples, which their timestamps
// tell, and their arrival.
type delays struct {
	byMillisecond [longestDelay + 1]int64
	count         int64
}

func (d *delays) add(now time.Time, produced []int64) {
	arrived := now.UnixMilli()
	for _, at := range produced {
		d.byMillisecond[min(max(0, arrived-at), longestDelay)]++
	}
	d.count += int64(len(produced))
}

// quantile returns the delay that the given part of the samples does not exceed, and 0
// where there are none.
func (d *delays) quantile(part float64) time.Duration {
	left := int64(float64(d.count) * part)
	for ms, n := range d.byMillisecond {
		if left -= n; left <= 0 && n > 0 {
			return time.Duration(ms) * time.Millisecond
		}
	}
	return 0
}
