package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNumbersAreWrittenForPeople(t *testing.T) {
	f := func(value float64, unit, want string) {
		t.Helper()
		require.Equal(t, want, amount(value, unit))
	}
	f(0, "", "0")
	f(999, "", "999")
	f(1000, "B", "1,000 B")
	f(1234567.4, "", "1,234,567")
	f(-12345, "", "-12,345")
	f(0.4321, "%", "0.432 %")
	f(60, "%", "60 %")
	f(99.95, "%", "100 %")
	f(150.6, "MiB", "151 MiB")
}

func TestTheTableHasGoalsAndVerdicts(t *testing.T) {
	f := findings{}
	f.add("speed", "", 1234)
	f.add("weight", "MiB", 7)
	require.NoError(t, f.judge(shape{name: "Z", goals: []goal{atMost(5, "weight")}}))
	require.Equal(t, strings.Join([]string{
		"  figure  measured  goal           reached",
		"  speed   1,234     -              -",
		"  weight  7 MiB     at most 5 MiB  no", "",
	}, "\n"), table(f.figures))
}

func someCosts() []cost {
	ours := usage{Records: 600, CPU: time.Second, Peak: 100 << 20}
	return []cost{
		{Shape: "A", Case: "<flat> & \"small\"", Ours: []usage{ours}, Limit: []usage{{Records: 1000, CPU: time.Second}}},
		{Shape: "H", Case: "without a limit", Ours: []usage{ours}},
	}
}

func TestLinesAreOfShapesWithALimit(t *testing.T) {
	require.Equal(t, "shape=A records_per_cpu_second=600 limit_ratio=0.60 peak_rss_mib=100\n", lines(someCosts()))
}

func TestThePlotIsWellFormed(t *testing.T) {
	f := func(bars []bar, rects int) {
		t.Helper()
		decoder := xml.NewDecoder(strings.NewReader(plot(bars)))
		seen := map[string]int{}
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			if start, ok := token.(xml.StartElement); ok {
				seen[start.Name.Local]++
				require.Equal(t, "http://www.w3.org/2000/svg", start.Name.Space)
				requireInside(t, start)
			}
		}
		require.Equal(t, 1, seen["svg"])
		require.Equal(t, rects, seen["rect"], "the background, the legend and two bars a row")
	}
	f(nil, 3)
	f(barsOf(someCosts()), 5)
	f([]bar{{"a", 1, 2}, {"b", 700_000, 1_200_000}, {"c", 0, 0}}, 9)
}

// requireInside finds a shape that would be drawn beside the picture.
func requireInside(t *testing.T, element xml.StartElement) {
	t.Helper()
	at := map[string]float64{}
	for _, a := range element.Attr {
		if n, err := strconv.ParseFloat(a.Value, 64); err == nil {
			at[a.Name.Local] = n
		}
	}
	require.GreaterOrEqual(t, at["x"], 0.0)
	require.LessOrEqual(t, at["x"]+at["width"], float64(plotWidth), element.Name.Local)
}

func TestTheAxisIsDrawnFromTopToBottom(t *testing.T) {
	drawn := plot([]bar{{"a", 100, 200}})
	bottom := strconv.Itoa(plotTop + rowHeight)
	require.Contains(t, drawn, `<path d="M20.0 `+strconv.Itoa(plotTop)+"V"+bottom+`"`)
	require.Contains(t, drawn, ">200</text>")
}

func TestTicksAreFewAndRound(t *testing.T) {
	for _, highest := range []float64{0.3, 1, 1.9, 2, 4.9, 5, 9.9, 1_234_567, 999_999} {
		ticks := highest / tickStep(highest)
		require.True(t, ticks >= 3.9 && ticks <= 10.1, "%v gives %v", highest, ticks)
	}
	require.InDelta(t, 1, tickStep(0), 0)
}

func TestADocumentKeepsWhatIsAroundTheFigures(t *testing.T) {
	dir := t.TempDir()
	o := options{docs: filepath.Join(dir, "docs", "performance.md"), svg: filepath.Join(dir, "docs", "plot.svg"), json: filepath.Join(dir, "new", "results.json")}
	require.NoError(t, os.MkdirAll(filepath.Dir(o.docs), 0o750))
	require.NoError(t, os.WriteFile(o.docs, []byte("before\n"+figuresBegin+"\nold\n"+figuresEnd+"\nafter\n"), 0o600))
	found := findings{costs: someCosts()}
	found.add("speed", "", 1234)
	require.NoError(t, found.judge(shape{name: "A", goals: []goal{atLeast(1000, "speed")}}))
	r := report{Machine: machine{Processor: "Abacus", CPUs: 2}, Runs: 5, Figures: found.figures, Costs: found.costs}
	for range 2 { // Writing it again changes nothing.
		require.NoError(t, r.write(o))
		text, err := os.ReadFile(o.docs)
		require.NoError(t, err)
		require.Regexp(t, `(?s)^before\n.*Abacus.*\| A \| speed \| 1,234 \| at least 1,000 \| yes \|.*\(plot.svg\).*\nafter\n$`, string(text))
		require.NotContains(t, string(text), "old")
	}
	_, err := os.Stat(o.svg)
	require.NoError(t, err)
	raw, err := os.ReadFile(o.json)
	require.NoError(t, err)
	var back report
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, r.Figures[0].Value, back.Figures[0].Value) //nolint:testifylint // It is the same number.
	require.Equal(t, time.Second, back.Costs[0].Ours[0].CPU)

	require.NoError(t, os.WriteFile(o.docs, []byte("no lines"), 0o600))
	require.ErrorContains(t, r.write(o), "there are no lines")
}
