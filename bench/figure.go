package main

import (
	"fmt"
	"slices"
)

// goal is what a figure should be at least, or at most.
type goal struct {
	Figure string  `json:"-"`
	AtMost bool    `json:"at_most"`
	Value  float64 `json:"value"`
}

func atLeast(value float64, figure string) goal { return goal{Figure: figure, Value: value} }
func atMost(value float64, figure string) goal {
	return goal{Figure: figure, Value: value, AtMost: true}
}

func (g goal) reached(value float64) bool {
	if g.AtMost {
		return value <= g.Value
	}
	return value >= g.Value
}

// figure is one number that was measured.
type figure struct {
	Shape   string  `json:"shape"`
	Name    string  `json:"name"`
	Unit    string  `json:"unit"`
	Value   float64 `json:"value"`
	Goal    *goal   `json:"goal,omitempty"`
	Reached *bool   `json:"reached,omitempty"` // Nil without a goal.
}

// cost is what the runs over one topic have used: of the program, and of the limit
// program in turn with it, where it was run.
type cost struct {
	Shape string  `json:"shape"`
	Case  string  `json:"case"`
	Ours  []usage `json:"ours"`
	Limit []usage `json:"limit,omitempty"`
}

// limitRatio is the median of the program as a part of the limit's, 0 without one.
func (c cost) limitRatio() float64 {
	if len(c.Limit) == 0 {
		return 0
	}
	return medianOf(c.Ours, usage.perCPU) / medianOf(c.Limit, usage.perCPU)
}

// findings are what measuring one shape has found.
type findings struct {
	figures []figure
	costs   []cost
}

func (f *findings) add(name, unit string, value float64) {
	f.figures = append(f.figures, figure{Name: name, Unit: unit, Value: value})
}

// judge adds the goals. A goal without its figure is an error of the benchmark.
func (f *findings) judge(s shape) error {
	for i := range f.figures {
		f.figures[i].Shape = s.name
	}
	for i := range f.costs {
		f.costs[i].Shape = s.name
	}
	for _, g := range s.goals {
		at := slices.IndexFunc(f.figures, func(f figure) bool { return f.Name == g.Figure })
		if at < 0 {
			return fmt.Errorf("shape %s has a goal for %q, which was not measured", s.name, g.Figure)
		}
		reached := g.reached(f.figures[at].Value)
		f.figures[at].Goal, f.figures[at].Reached = &g, &reached
	}
	return nil
}

// median is the one in the middle, or the mean of the two there; 0 of nothing.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func medianOf[T any](all []T, value func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = value(one)
	}
	return median(values)
}
