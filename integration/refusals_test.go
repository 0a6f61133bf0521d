//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// point is one sample of a row: its series, its time against the row's own start,
// and its value.
type point struct {
	series string // Empty: it has no name.
	after  time.Duration
	value  float64
}

// refusal is what the dead letter of a point says.
type refusal struct {
	point
	reason string
	words  string // Of the receiver, or of the mapper.
}

// row is one request that Prometheus does not like, as a whole or in part.
type row struct {
	name   string
	before []point // Landed before the request.
	points []point // The request.
	// refused tells, without an out-of-order window and with one, which points get a
	// dead letter. All others are stored, whatever the protocol.
	refused, refusedWithWindow []refusal
}

const (
	outOfOrder  = "out of order sample"
	outOfBounds = "out of bounds"
	duplicate   = "duplicate sample for timestamp"
	future      = "too far in the future"
	tooOld      = "too old sample"
)

// rows are the requests of which docs/delivery.md tells what Prometheus makes of
// them. Times before now: the head's newest sample decides what is too old.
func rows() []row {
	old := point{"f", -5 * time.Hour, 6}
	ahead := point{"b", 11*time.Minute + rowsBefore, 4}
	again := point{"b", 0, 9}
	older := point{"b", -5 * time.Second, 2}
	repeated := []point{{"a", 0, 1}, {"a", time.Second, 2}, {"a", 2 * time.Second, 3}}
	var repeats []refusal
	for _, p := range repeated {
		repeats = append(repeats, refusal{p, "refused", outOfOrder})
	}
	nameless := point{"", time.Second, 5}
	unnamed := []refusal{{nameless, "no_name", "name"}}
	secondValue := []refusal{{point{"d", time.Millisecond, 8}, "duplicate_timestamp", ""}}
	return []row{
		{
			name: "older than the newest", before: []point{{"b", 0, 1}},
			points:  []point{{"a", time.Second, 1}, older},
			refused: []refusal{{older, "refused", outOfOrder}},
		},
		{
			name: "another value for the newest", before: []point{{"b", 0, 1}},
			points:  []point{{"a", 2 * time.Second, 1}, again},
			refused: []refusal{{again, "refused", duplicate}}, refusedWithWindow: []refusal{{again, "refused", duplicate}},
		},
		{
			name:    "ahead of the clock",
			points:  []point{{"a", 3 * time.Second, 1}, ahead},
			refused: []refusal{{ahead, "refused", future}}, refusedWithWindow: []refusal{{ahead, "refused", future}},
		},
		{
			name: "repeated exactly", before: append(slices.Clone(repeated), point{"a", 3 * time.Second, 4}),
			points: repeated, refused: repeats,
		},
		{
			name:   "out of order inside the request",
			points: []point{{"c", 2 * time.Millisecond, 2}, {"c", time.Millisecond, 1}, {"c", 3 * time.Millisecond, 3}},
		},
		{
			name:    "two values for one time",
			points:  []point{{"d", time.Millisecond, 7}, {"d", time.Millisecond, 8}, {"a", time.Second, 1}},
			refused: secondValue, refusedWithWindow: secondValue,
		},
		{
			name:    "a series without a name",
			points:  []point{nameless, {"e", time.Second, 1}},
			refused: unnamed, refusedWithWindow: unnamed,
		},
		{
			name:    "five hours old",
			points:  []point{old, {"e", time.Second, 1}},
			refused: []refusal{{old, "refused", outOfBounds}}, refusedWithWindow: []refusal{{old, "refused", tooOld}},
		},
	}
}

// rowsBefore is how long before now the rows lie.
const rowsBefore = time.Minute

const refusalsPipeline = `
pipelines:
  - name: %[1]s
    topics: [%[2]s]
    shards: 1 # So that all points of a row are in one request.
    batch: {max_age: 200ms}
    commit_interval: 100ms
    samples:
      - {value: v, timestamp: t, labels_from: labels}
    dead_letter: {topic: %[2]s.dead, create: true, partitions: 1}
    remote_write: {url: %[3]q, protocol: %[4]q, on_possibly_stored: dead_letter}
`

// No good sample is lost to a bad neighbour, and each bad one becomes a dead letter
// in the receiver's own words.
func TestBadSamplesTakeNoGoodOnesWithThem(t *testing.T) {
	for _, window := range []time.Duration{0, 2 * time.Hour} {
		for _, protocol := range []string{"1.0", "2.0"} {
			name := strings.NewReplacer(".", "-").Replace(fmt.Sprintf("refusals-%s-window-%.0fh", protocol, window.Hours()))
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				newRefusals(t, name, protocol, window).run(t)
			})
		}
	}
}

// refusals is one receiver, one protocol and one program, through which the rows go
// one after another.
type refusals struct {
	window     time.Duration
	prometheus *servers.Receiver
	program    *harness.Program
	group      string
	topic      string
	start      time.Time
	stored     harness.Ledger
}

func newRefusals(t *testing.T, name, protocol string, window time.Duration) *refusals {
	t.Helper()
	r := &refusals{window: window, topic: lab.Topic(t, name, 1), group: "kafka2prom-" + name}
	r.prometheus = lab.Receiver(t, servers.ReceiverOptions{OutOfOrder: window})
	r.program = lab.Run(t, fmt.Sprintf(refusalsPipeline, name, r.topic, r.prometheus.WriteURL(), protocol))
	r.start = time.Now().Add(-rowsBefore).Truncate(time.Millisecond)
	return r
}

func (r *refusals) run(t *testing.T) {
	t.Helper()
	var want []string
	for i, row := range rows() {
		refused := row.refused
		if r.window > 0 {
			refused = row.refusedWithWindow
		}
		r.send(t, i, row.before)
		r.send(t, i, row.points)
		for _, p := range slices.Concat(row.before, row.points) {
			if !slices.ContainsFunc(refused, func(f refusal) bool { return f.point == p }) || slices.Contains(row.before, p) {
				r.stored.Add(labels(i, p), r.start.Add(p.after).UnixMilli(), p.value)
			}
		}
		for _, f := range refused {
			want = append(want, string(r.value(i, f.point))+" "+f.reason)
		}
	}
	harness.RequireStored(t, r.prometheus, &r.stored)
	letters := lab.DeadLetters(t, r.topic+".dead")
	got := make([]string, len(letters))
	for i, l := range letters {
		got[i] = l.Value + " " + l.Headers["kafka2prom.reason"]
	}
	require.ElementsMatch(t, want, got)
	r.requireWords(t, letters)
	r.program.Terminate(t)
}

// requireWords looks for the receiver's words in each dead letter.
func (r *refusals) requireWords(t *testing.T, letters []harness.DeadLetter) {
	t.Helper()
	byValue := make(map[string]harness.DeadLetter, len(letters))
	for _, l := range letters {
		byValue[l.Value] = l
	}
	for i, row := range rows() {
		refused := row.refused
		if r.window > 0 {
			refused = row.refusedWithWindow
		}
		for _, f := range refused {
			letter := byValue[string(r.value(i, f.point))]
			require.Contains(t, letter.Headers["kafka2prom.error"], f.words, row.name)
			if f.reason == "refused" {
				require.Contains(t, letter.Headers["kafka2prom.refused"], `"isolated":true`, row.name)
			}
		}
	}
}

// send produces points and waits until their offsets are committed.
func (r *refusals) send(t *testing.T, row int, points []point) {
	t.Helper()
	if len(points) == 0 {
		return
	}
	records := make([]*kgo.Record, len(points))
	for i, p := range points {
		records[i] = &kgo.Record{Topic: r.topic, Value: r.value(row, p)}
	}
	lab.Produce(t, records...)
	lab.AwaitNoLag(t, r.group, r.topic, r.program)
}

// labels of a point: each row has series of its own.
func labels(row int, p point) map[string]string {
	if p.series == "" {
		return map[string]string{"row": fmt.Sprint(row)}
	}
	return map[string]string{"__name__": p.series, "row": fmt.Sprint(row)}
}

// value is the record of a point.
func (r *refusals) value(row int, p point) []byte {
	record := map[string]any{"labels": maps.Clone(labels(row, p)), "t": r.start.Add(p.after).UnixMilli(), "v": p.value}
	text, err := json.Marshal(record)
	if err != nil {
		panic(err) // A map of text and numbers.
	}
	return text
}
