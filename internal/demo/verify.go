package demo

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Report is the outcome of the comparison of what was produced with what the
// database answers and what is in the dead-letter topics. The first six count
// records, each of which is in exactly one of them beside Produced.
type Report struct {
	Produced     int
	Stored       int
	DeadLettered int
	Filtered     int
	Missing      int // A sample of it is not in the database, or its dead letter is not there.
	Wrong        int // Another value, a dead letter that should not be, or a sample that nobody produced.
	// Samples that were compared.
	Samples int
	// Offenders are the first few records and samples that are missing or wrong.
	Offenders []string
}

// maxOffenders is how many are listed.
const maxOffenders = 10

// OK says that nothing is missing and nothing is wrong.
func (r Report) OK() bool { return r.Missing == 0 && r.Wrong == 0 }

// String is the report in one line.
func (r Report) String() string {
	return fmt.Sprintf("produced=%d stored=%d dead_lettered=%d missing=%d wrong=%d filtered=%d samples=%d",
		r.Produced, r.Stored, r.DeadLettered, r.Missing, r.Wrong, r.Filtered, r.Samples)
}

func (r *Report) accuse(format string, args ...any) {
	if len(r.Offenders) < maxOffenders {
		r.Offenders = append(r.Offenders, fmt.Sprintf(format, args...))
	}
}

// compare holds the ledger against the samples of the database, by series and in
// order of time, and against the dead letters.
func compare(entries []entry, answers map[string][]point, letters map[coordinates]letter) Report {
	report := Report{Produced: len(entries)}
	expected := map[string]map[int64]bool{}
	for _, e := range entries {
		report.judge(e, answers, letters)
		for _, p := range e.samples {
			times := expected[p.series]
			if times == nil {
				times = map[int64]bool{}
				expected[p.series] = times
			}
			times[p.timestamp] = true
		}
	}
	report.findUnexpected(expected, answers)
	report.findStrayLetters(entries, letters)
	return report
}

// judge finds out what became of one record.
func (r *Report) judge(e entry, answers map[string][]point, letters map[coordinates]letter) {
	samplesMissing, samplesWrong := r.samplesOf(e, answers)
	letterMissing, letterWrong := r.letterOf(e, letters)
	tally := map[fate]*int{stored: &r.Stored, deadLettered: &r.DeadLettered, filtered: &r.Filtered}[e.fault.fate()]
	switch {
	case samplesWrong || letterWrong:
		tally = &r.Wrong
	case samplesMissing || letterMissing:
		tally = &r.Missing
	}
	*tally++
}

// letterOf looks for the dead letter of a record. A good record may have one when
// the receiver did not say which samples it refused.
func (r *Report) letterOf(e entry, letters map[coordinates]letter) (missing, wrong bool) {
	dead, found := letters[e.at]
	switch e.fault.fate() {
	case deadLettered:
		missing, wrong = !found, found && !e.fault.explains(dead.reason)
	case stored:
		wrong = found && dead.exact
	case filtered:
		wrong = found
	}
	switch {
	case missing:
		r.accuse("missing: no dead letter for %s (%s)", e.at, e.fault)
	case wrong:
		r.accuse("wrong: dead letter for %s (%s) says %s: %s", e.at, cmp.Or(e.fault, "a good record"), dead.reason, dead.text)
	}
	return missing, wrong
}

// samplesOf looks for the samples of a record in the database.
func (r *Report) samplesOf(e entry, answers map[string][]point) (missing, wrong bool) {
	for _, want := range e.samples {
		r.Samples++
		points := answers[want.series]
		i, found := slices.BinarySearchFunc(points, want.timestamp, func(p point, t int64) int { return cmp.Compare(p.timestamp, t) })
		switch {
		case !found:
			missing = true
			r.accuse("missing: %s at %s = %v, from %s", want.series, clockTime(want.timestamp), want.value, e.at)
		case math.Float64bits(points[i].value) != math.Float64bits(want.value):
			wrong = true
			r.accuse("wrong: %s at %s is %v, want %v, from %s", want.series, clockTime(want.timestamp), points[i].value, want.value, e.at)
		}
	}
	return missing, wrong
}

// findUnexpected looks for samples in the database that nobody has produced.
func (r *Report) findUnexpected(expected map[string]map[int64]bool, answers map[string][]point) {
	for series, points := range answers {
		for _, p := range points {
			if !expected[series][p.timestamp] {
				r.Wrong++
				r.accuse("wrong: nobody has produced %s at %s = %v", series, clockTime(p.timestamp), p.value)
			}
		}
	}
}

// findStrayLetters looks for dead letters about records that nobody has produced.
func (r *Report) findStrayLetters(entries []entry, letters map[coordinates]letter) {
	known := make(map[coordinates]bool, len(entries))
	for _, e := range entries {
		known[e.at] = true
	}
	for at, dead := range letters {
		if !known[at] {
			r.Wrong++
			r.accuse("wrong: nobody has produced %s, which has a dead letter: %s", at, dead.reason)
		}
	}
}

func clockTime(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

// answers selects everything that is in the database, but for its own first sample.
func (d *database) answers(ctx context.Context) (map[string][]point, error) {
	q, err := d.db.Querier(beginningOfTime, endOfTime)
	if err != nil {
		return nil, fmt.Errorf("querying the database: %w", err)
	}
	defer func() { _ = q.Close() }()
	all := map[string][]point{}
	set := q.Select(ctx, false, nil, labels.MustNewMatcher(labels.MatchNotEqual, "__name__", startMetric))
	var it chunkenc.Iterator
	for set.Next() {
		s := set.At()
		name := strings.Clone(s.Labels().String())
		it = s.Iterator(it)
		for it.Next() == chunkenc.ValFloat {
			at, value := it.At()
			all[name] = append(all[name], point{series: name, timestamp: at, value: value})
		}
		if err := it.Err(); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	if err := set.Err(); err != nil {
		return nil, fmt.Errorf("querying the database: %w", err)
	}
	return all, nil
}
