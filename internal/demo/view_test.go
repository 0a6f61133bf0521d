package demo

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// busy is a demo with ten of everything.
func busy(t *testing.T) *Demo {
	t.Helper()
	d := start(t, Options{})
	app := d.database.Appender()
	for i := range 10 {
		rec := &kgo.Record{Topic: sensorTopic, Offset: int64(i)}
		d.ledger.add(reading{text: fmt.Sprintf("record %d \x1b[2J", i)}, rec, nil)
		require.NoError(t, app.Append(labels.FromStrings("__name__", "power_watts", "meter", "m1"), d.began.UnixMilli()+int64(i), float64(i)))
		letter := dead("kafka2prom.topic", "sensors", "kafka2prom.partition", "0", "kafka2prom.offset", fmt.Sprint(i),
			"kafka2prom.reason", "refused", "kafka2prom.error", "line one\nline two", "kafka2prom.refused", "[]")
		d.letters.take(letter)
	}
	require.NoError(t, app.Commit())
	return d
}

func TestAFrameFitsItsTerminal(t *testing.T) {
	d := busy(t)
	logs := &LogTail{}
	_, err := logs.Write([]byte("first\nsecond\n"))
	require.NoError(t, err)
	view := d.View(logs, Link{"status", "http://127.0.0.1:1/status"})
	for _, size := range [][2]int{{120, 40}, {80, 24}, {40, 10}, {10, 1}, {1, 0}} {
		lines := view.frame(d.began.Add(5*time.Second), size[0], size[1])
		require.LessOrEqual(t, len(lines), max(1, size[1]))
		for i, line := range lines {
			line = strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(line)
			require.NotContains(t, line, "\x1b", "nothing that comes from a record moves the cursor")
			require.NotContains(t, line, "\n")
			if i > 0 {
				require.LessOrEqual(t, utf8.RuneCountInString(line), max(size[0], len("out of the database")))
			}
		}
	}
}

func TestAFrameShowsWhatGoesInAndComesOut(t *testing.T) {
	d := busy(t)
	view := d.View(nil, Link{"status", "http://127.0.0.1:1/status"})
	view.frame(d.began, 100, 40)
	d.ledger.add(reading{text: "the newest"}, &kgo.Record{Topic: meterTopic, Offset: 20}, nil)
	frame := strings.Join(view.frame(d.began.Add(time.Second), 200, 40), "\n")
	for _, want := range []string{
		"kafka2prom demo", "status       http://127.0.0.1:1/status", d.URL() + "/api/v1/query?query=avg+by+%28site%29",
		"produced 11 records (1/s)", "stored 10 samples (0/s)", "dead letters 10",
		"sensors/0@9    record 9 ·[2J", "meters/0@20    the newest",
		`power_watts{meter="m1"} 9`, "sensors/0@9    refused: line one·line two",
	} {
		require.Contains(t, frame, want)
	}
}

func TestRatesAreThoseOfTheLastSeconds(t *testing.T) {
	d := start(t, Options{})
	view := d.View(nil)
	for second := range 10 {
		for range second {
			d.ledger.add(reading{}, &kgo.Record{Topic: sensorTopic}, nil)
		}
		view.summary(d.counters(d.began.Add(time.Duration(second) * time.Second)))
	}
	require.Contains(t, view.summary(d.counters(d.began.Add(9*time.Second))), "produced 45 records (8/s)") // 7, 8 and 9 in three seconds.
}

func TestWithoutATerminalThereAreLines(t *testing.T) {
	d := busy(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	d.View(nil, Link{"status", "http://127.0.0.1:1/status"}).Lines(ctx, &out)
	require.Contains(t, out.String(), "status: http://127.0.0.1:1/status\n")
	require.True(t, strings.HasSuffix(out.String(), "\nproduced=10 stored_samples=10 dead_letters=10 lag=0\n"), out.String())
}

func TestDrawingEndsWithTheContext(t *testing.T) {
	d := busy(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	d.View(nil).Draw(ctx, &out, func() (int, int) { return 80, 24 })
	require.True(t, strings.HasPrefix(out.String(), "\x1b[2J\x1b[H"))
	require.True(t, strings.HasSuffix(out.String(), "\x1b[J\r\n"))
	require.Equal(t, 1, strings.Count(out.String(), "\x1b[H"))
}

func TestTheLogTailKeepsTheLastLines(t *testing.T) {
	var l LogTail
	for i := range 2 * logTailLength {
		n, err := fmt.Fprintf(&l, "line %d\n", i)
		require.NoError(t, err)
		require.Equal(t, 7, n)
	}
	require.Equal(t, "line 5\nline 6\nline 7\nline 8\nline 9", l.String())
	require.Empty(t, (*LogTail)(nil).lines())
}
