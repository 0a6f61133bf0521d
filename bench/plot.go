package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// bar is one pair of bars: records per CPU-second of the program and of the limit.
type bar struct {
	name        string
	ours, limit float64
}

// barsOf takes the costs of which the limit is known.
func barsOf(costs []cost) (bars []bar) {
	for _, c := range costs {
		if len(c.Limit) > 0 {
			bars = append(bars, bar{c.Shape + ": " + c.Case, medianOf(c.Ours, usage.perCPU), medianOf(c.Limit, usage.perCPU)})
		}
	}
	return bars
}

// The picture, in pixels.
const (
	plotWidth  = 820
	plotLeft   = 20
	plotRight  = 110 // Room for the figure behind the longest bar.
	plotTop    = 56
	barHeight  = 18
	rowHeight  = 74
	axisHeight = 48
)

// plot draws the bars, one row for each shape. It is SVG without anything that a
// viewer may lack.
func plot(bars []bar) string {
	highest := 0.0
	for _, b := range bars {
		highest = max(highest, b.ours, b.limit)
	}
	step := tickStep(highest)
	end := max(step, math.Ceil(highest/step)*step)
	scale := (plotWidth - plotLeft - plotRight) / end
	height := plotTop + rowHeight*len(bars) + axisHeight

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="13">`+"\n", plotWidth, height)
	b.WriteString("<title>Records per CPU-second</title>\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", plotWidth, height)
	legend(&b)
	bottom := plotTop + rowHeight*len(bars)
	for v := 0.0; v <= end; v += step {
		x := plotLeft + v*scale
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#dddddd"/>`+"\n", x, plotTop, bottom)
		text(&b, place{x, bottom + 18, "middle"}, group(int64(v)))
	}
	text(&b, place{plotLeft, bottom + 38, "start"}, "records per CPU-second of the whole process; longer is better")
	for i, one := range bars {
		y := plotTop + rowHeight*i
		text(&b, place{plotLeft, y + 16, "start"}, one.name)
		rect(&b, y+24, one.ours*scale, oursColour)
		text(&b, place{plotLeft + one.ours*scale + 6, y + 38, "start"}, group(int64(one.ours)))
		rect(&b, y+24+barHeight+3, one.limit*scale, limitColour)
		text(&b, place{plotLeft + one.limit*scale + 6, y + 38 + barHeight + 3, "start"}, group(int64(one.limit)))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

const (
	oursColour  = "#2563a8"
	limitColour = "#b8bfc8"
)

func legend(b *strings.Builder) {
	for i, entry := range []struct{ name, colour string }{
		{"kafka2prom", oursColour}, {"the limit: consume, scan, append, compress, post; no checks, no commits", limitColour},
	} {
		x := plotLeft + 130*i
		fmt.Fprintf(b, `<rect x="%d" y="18" width="14" height="14" fill="%s"/>`+"\n", x, entry.colour)
		text(b, place{float64(x + 20), 30, "start"}, entry.name)
	}
}

func rect(b *strings.Builder, y int, width float64, colour string) {
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", plotLeft, y, width, barHeight, colour)
}

// place is where text stands, and which end of it.
type place struct {
	x      float64
	y      int
	anchor string
}

func text(b *strings.Builder, at place, content string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="%s" fill="#222222">%s</text>`+"\n", at.x, at.y, at.anchor, html.EscapeString(content))
}

// tickStep is 1, 2 or 5 times a power of ten, so that there are four to ten ticks.
func tickStep(highest float64) float64 {
	if highest <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(highest)))
	switch {
	case highest/power >= 5:
		return power
	case highest/power >= 2:
		return power / 2
	default:
		return power / 5
	}
}
