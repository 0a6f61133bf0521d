package demo

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/prometheus/model/labels"
)

// Link is something that people can look at while the demo runs.
type Link struct{ Name, URL string }

// View shows what goes in, what comes out and what is refused.
type View struct {
	demo  *Demo
	links []Link
	logs  *LogTail
	past  []counters // Of the last seconds, for the rates.
}

// View makes a view with links beside the demo's own. Logs may be nil.
func (d *Demo) View(logs *LogTail, links ...Link) *View {
	own := []Link{
		{"query", d.URL() + "/api/v1/query?query=" + url.QueryEscape("avg by (site) (room_temperature_celsius)")},
		{"data source", d.URL() + "  (for Grafana: Prometheus)"},
		{"brokers", d.cluster.address()},
	}
	return &View{demo: d, links: append(own, links...), logs: logs}
}

// counters are the state of the demo at one time.
type counters struct {
	at                        time.Time
	records, samples, letters int
	lag                       int64
}

func (d *Demo) counters(now time.Time) counters {
	c := counters{at: now, lag: d.cluster.lag()}
	_, c.records = d.ledger.newest()
	_, c.samples = d.database.latest.samples()
	_, c.letters = d.letters.newest()
	return c
}

// String is the state in one line, as the view without a terminal has it.
func (c counters) String() string {
	return fmt.Sprintf("produced=%d stored_samples=%d dead_letters=%d lag=%d", c.records, c.samples, c.letters, c.lag)
}

// The pace of the view.
const (
	frameInterval = 250 * time.Millisecond
	lineInterval  = time.Second
	rateSpan      = 3 * time.Second
)

// Lines writes a line each second until ctx ends. It is the view without a
// terminal.
func (v *View) Lines(ctx context.Context, w io.Writer) {
	for _, link := range v.links {
		fmt.Fprintf(w, "%s: %s\n", link.Name, link.URL)
	}
	every(ctx, lineInterval, func(now time.Time) {
		fmt.Fprintln(w, v.demo.counters(now))
	})
}

// Draw draws on a terminal until ctx ends. The size is asked for each time.
func (v *View) Draw(ctx context.Context, w io.Writer, size func() (width, height int)) {
	const clearAll, home, clearLine, clearBelow = "\x1b[2J", "\x1b[H", "\x1b[K", "\x1b[J"
	_, _ = io.WriteString(w, clearAll)
	every(ctx, frameInterval, func(now time.Time) {
		width, height := size()
		frame := v.frame(now, width, height)
		_, _ = io.WriteString(w, home+strings.Join(frame, clearLine+"\r\n")+clearLine+clearBelow)
	})
	_, _ = io.WriteString(w, "\r\n")
}

// every calls f at once and at each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, f func(now time.Time)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	f(time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			f(now)
		}
	}
}

// frame is one picture, of at most height lines.
func (v *View) frame(now time.Time, width, height int) []string {
	c := v.demo.counters(now)
	lines := []string{bold("kafka2prom demo") + "  " + now.Sub(v.demo.began).Truncate(time.Second).String() + "  (Ctrl-C stops, and compares every record)"}
	for _, link := range v.links {
		lines = append(lines, fit(fmt.Sprintf("  %-12s %s", link.Name, link.URL), width))
	}
	lines = append(lines, "", fit(v.summary(c), width))

	records, _ := v.demo.ledger.newest()
	letters, _ := v.demo.letters.newest()
	logs := v.logs.lines()
	room := (height - len(lines) - len(logs) - 6) / 3
	for _, part := range []struct {
		title string
		texts []string
	}{
		{"into Kafka", records},
		{"out of the database", v.samples()},
		{"dead letters", letters},
	} {
		lines = append(lines, "", bold(part.title))
		for _, text := range part.texts[max(0, len(part.texts)-max(1, room)):] {
			lines = append(lines, fit("  "+text, width))
		}
	}
	for _, text := range logs {
		lines = append(lines, fit(text, width))
	}
	return lines[:min(len(lines), max(1, height))]
}

// summary has the counters and how fast they grow.
func (v *View) summary(c counters) string {
	v.past = append(v.past, c)
	for len(v.past) > 1 && c.at.Sub(v.past[0].at) > rateSpan {
		v.past = v.past[1:]
	}
	old := v.past[0]
	rate := func(now, then int) int {
		if seconds := c.at.Sub(old.at).Seconds(); seconds > 0 {
			return int(float64(now-then) / seconds)
		}
		return 0
	}
	return fmt.Sprintf("  produced %d records (%d/s)   stored %d samples (%d/s)   dead letters %d   lag %d records",
		c.records, rate(c.records, old.records), c.samples, rate(c.samples, old.samples), c.letters, c.lag)
}

// samples are the newest of the database, as text.
func (v *View) samples() []string {
	newest, _ := v.demo.database.latest.samples()
	texts := make([]string, len(newest))
	for i, s := range newest {
		name := s.labels.Get("__name__")
		rest := labels.NewBuilder(s.labels).Del("__name__").Labels()
		at := time.UnixMilli(s.timestamp).UTC().Format("15:04:05.000")
		texts[i] = fmt.Sprintf("%s %s%s %s", at, name, rest, strconv.FormatFloat(s.value, 'g', -1, 64))
	}
	return texts
}

func bold(text string) string { return "\x1b[1m" + text + "\x1b[0m" }

// fit makes a text fit for a line: nothing that moves the cursor, and not too long.
func fit(text string, width int) string {
	runes := []rune(text)
	if len(runes) > width {
		runes = append(runes[:max(0, width-1)], '…')
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = '·'
		}
	}
	return string(runes)
}
