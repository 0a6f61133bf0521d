package main

import (
	"context"
	"time"
)

// measureStart looks at the time up to the first sample that was accepted. A real
// broker does not tell when the program joined; then all of it counts as after that.
func measureStart(ctx context.Context, b *bench, s shape) (findings, error) {
	var f findings
	c, err := b.cost(ctx, workload{load: s.load, settings: s.settings})
	if err != nil {
		return f, err
	}
	f.costs = []cost{c}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	if joined := medianOf(c.Ours, func(u usage) float64 { return ms(u.Joined) }); joined > 0 {
		f.add("joining after the start", "ms", joined)
	}
	f.add(afterJoin, "ms", medianOf(c.Ours, func(u usage) float64 { return ms(u.First - u.Joined) }))
	f.add(afterStart, "ms", medianOf(c.Ours, func(u usage) float64 { return ms(u.First) }))
	return f, nil
}
