package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// table is figures for a terminal.
func table(figures []figure) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  figure\tmeasured\tgoal\treached")
	for _, f := range figures {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", f.Name, amount(f.Value, f.Unit), f.goal(), f.verdict())
	}
	_ = w.Flush() // A builder takes everything.
	return b.String()
}

// lines are what scripts read: one for each of the shapes whose rate is comparable.
func lines(costs []cost) string {
	var b strings.Builder
	for _, c := range costs {
		if len(c.Limit) > 0 {
			fmt.Fprintf(&b, "shape=%s records_per_cpu_second=%.0f limit_ratio=%.2f peak_rss_mib=%.0f\n",
				c.Shape, medianOf(c.Ours, usage.perCPU), c.limitRatio(), medianOf(c.Ours, usage.peakMiB))
		}
	}
	return b.String()
}

func (f figure) goal() string {
	switch {
	case f.Goal == nil:
		return "-"
	case f.Goal.AtMost:
		return "at most " + amount(f.Goal.Value, f.Unit)
	default:
		return "at least " + amount(f.Goal.Value, f.Unit)
	}
}

func (f figure) verdict() string {
	switch {
	case f.Reached == nil:
		return "-"
	case *f.Reached:
		return "yes"
	default:
		return "no"
	}
}

// amount is a value with its unit: whole where it is large, else with three digits.
func amount(value float64, unit string) string {
	text := group(int64(math.Round(value)))
	if math.Abs(value) < 100 && value != math.Trunc(value) {
		text = strconv.FormatFloat(value, 'g', 3, 64)
	}
	if unit == "" {
		return text
	}
	return text + " " + unit
}

// group writes a number with commas between its thousands.
func group(n int64) string {
	if n < 0 {
		return "-" + group(-n)
	}
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
