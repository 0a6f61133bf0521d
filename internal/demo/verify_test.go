package demo

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/transform"
)

// outcome is everything that a comparison looks at.
type outcome struct {
	entries []entry
	answers map[string][]point
	letters map[coordinates]letter
}

func at(offset int64) coordinates {
	return coordinates{topic: sensorTopic, partition: 1, offset: offset}
}

// perfect is an outcome without fault: two good records, a repetition, a conflict,
// a text among its values, a bad clock and a tombstone.
func perfect() outcome {
	return outcome{
		entries: []entry{
			{at(0), sound, []point{{"t", 1, 10}, {"h", 1, 50}}},
			{at(1), repeated, []point{{"t", 1, 10}, {"h", 1, 50}}},
			{at(2), sound, []point{{"t", 2, 11}, {"h", 2, 51}}},
			{at(3), conflict, nil},
			{at(4), textValue, []point{{"h", 3, 52}}},
			{at(5), clockReset, nil},
			{at(6), tombstone, nil},
		},
		answers: map[string][]point{
			"t": {{"t", 1, 10}, {"t", 2, 11}},
			"h": {{"h", 1, 50}, {"h", 2, 51}, {"h", 3, 52}},
		},
		letters: map[coordinates]letter{
			at(3): {reason: transform.ReasonDuplicateTimestamp, exact: true},
			at(4): {reason: transform.ReasonNotANumber, exact: true},
			at(5): {reason: transform.ReasonRefused, exact: true},
		},
	}
}

func TestAPerfectOutcome(t *testing.T) {
	o := perfect()
	report := compare(o.entries, o.answers, o.letters)
	require.Equal(t, Report{Produced: 7, Stored: 3, DeadLettered: 3, Filtered: 1, Samples: 7}, report)
	require.True(t, report.OK())
	require.Equal(t, "produced=7 stored=3 dead_lettered=3 missing=0 wrong=0 filtered=1 samples=7", report.String())
}

func TestWhatTheComparisonFinds(t *testing.T) {
	for _, row := range []struct {
		name           string
		spoil          func(*outcome)
		missing, wrong int
		stored, dead   int
		offender       string
	}{
		{"a lost sample", func(o *outcome) { o.answers["h"] = slices.Delete(o.answers["h"], 1, 2) }, 1, 0, 2, 3, "missing: h at 1970-01-01T00:00:00.002Z = 51, from sensors/1@2"},
		{"a lost series", func(o *outcome) { delete(o.answers, "t") }, 3, 0, 0, 3, "missing: t"},
		{"another value", func(o *outcome) { o.answers["t"][1].value = 12 }, 0, 1, 2, 3, "wrong: t at 1970-01-01T00:00:00.002Z is 12, want 11, from sensors/1@2"},
		{"the good half of a bad record is lost", func(o *outcome) { o.answers["h"] = o.answers["h"][:2] }, 1, 0, 3, 2, "missing: h"},
		{"a sample from nowhere", func(o *outcome) { o.answers["x"] = []point{{"x", 1, 1}} }, 0, 1, 3, 3, "wrong: nobody has produced x at 1970-01-01T00:00:00.001Z = 1"},
		{"a sample at another time", func(o *outcome) { o.answers["t"] = append(o.answers["t"], point{"t", 9, 1}) }, 0, 1, 3, 3, "nobody has produced t"},
		{"a lost dead letter", func(o *outcome) { delete(o.letters, at(5)) }, 1, 0, 3, 2, "missing: no dead letter for sensors/1@5 (clock reset)"},
		{"a dead letter with another reason", func(o *outcome) { o.letters[at(5)] = letter{reason: transform.ReasonPanic, text: "boo"} }, 0, 1, 3, 2, "says panic: boo"},
		{"a dead letter for a good record", func(o *outcome) { o.letters[at(0)] = letter{reason: transform.ReasonRefused, exact: true} }, 0, 1, 2, 3, "wrong: dead letter for sensors/1@0 (a good record)"},
		{"a dead letter for a candidate that is stored", func(o *outcome) { o.letters[at(0)] = letter{reason: transform.ReasonRefused} }, 0, 0, 3, 3, ""},
		{"a dead letter for a filtered record", func(o *outcome) { o.letters[at(6)] = letter{reason: transform.ReasonEmptyValue} }, 0, 1, 3, 3, "(tombstone) says empty_value"},
		{"a dead letter from nowhere", func(o *outcome) { o.letters[at(99)] = letter{reason: transform.ReasonRefused} }, 0, 1, 3, 3, "nobody has produced sensors/1@99"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := perfect()
			row.spoil(&o)
			r := compare(o.entries, o.answers, o.letters)
			require.Equal(t, []int{row.missing, row.wrong, row.stored, row.dead}, []int{r.Missing, r.Wrong, r.Stored, r.DeadLettered}, r.Offenders)
			require.Equal(t, row.missing+row.wrong == 0, r.OK())
			require.Contains(t, strings.Join(r.Offenders, "\n"), row.offender)
		})
	}
}

func TestOnlyTheFirstOffendersAreListed(t *testing.T) {
	var entries []entry
	for i := range 100 {
		entries = append(entries, entry{at: at(int64(i)), samples: []point{{"t", int64(i), 1}}})
	}
	r := compare(entries, nil, nil)
	require.Equal(t, 100, r.Missing)
	require.Len(t, r.Offenders, maxOffenders)
}

func TestTheDatabaseAnswersWithEverythingButItsFirstSample(t *testing.T) {
	d := openForTest(t, 0)
	app := d.Appender()
	a := labels.FromStrings("__name__", "a", "site", "oslo")
	require.NoError(t, app.Append(a, now.UnixMilli()-2, 1))
	require.NoError(t, app.Append(a, now.UnixMilli()-1, 2))
	require.NoError(t, app.Append(labels.FromStrings("__name__", "b"), now.UnixMilli(), 3))
	require.NoError(t, app.Commit())
	answers, err := d.answers(t.Context())
	require.NoError(t, err)
	name := `{__name__="a", site="oslo"}`
	require.Equal(t, map[string][]point{
		name:             {{name, now.UnixMilli() - 2, 1}, {name, now.UnixMilli() - 1, 2}},
		`{__name__="b"}`: {{`{__name__="b"}`, now.UnixMilli(), 3}},
	}, answers)
}
