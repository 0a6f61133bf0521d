//go:build faults

package faults

import (
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// skewed is a timestamp of a producer whose clock, or whose unit, is wrong.
type skewed struct {
	name string
	at   int64 // Milliseconds since the epoch.
	fate fate
}

// skews are the timestamps that go wrong, from a now, with an out-of-order window of
// an hour. What is ahead of the clock ends where the limit says: without
// limits.max_future Prometheus takes ten minutes.
func skews(now time.Time, ahead func(time.Duration) fate) []skewed {
	ms := now.UnixMilli()
	at := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	return []skewed{
		{"fifty minutes behind", at(-50 * time.Minute), stored},
		{"four minutes ahead", at(4 * time.Minute), stored},
		{"nine minutes ahead", at(9 * time.Minute), ahead(9 * time.Minute)},
		{"eleven minutes ahead", at(11 * time.Minute), buried},
		{"a year ahead", at(365 * 24 * time.Hour), buried},
		{"two hours behind", at(-2 * time.Hour), buried},
		{"twenty-five hours behind", at(-25 * time.Hour), buried},
		{"seconds for milliseconds", ms / 1000, buried},
		{"nanoseconds for milliseconds", ms * 1_000_000, buried},
		{"microseconds for milliseconds", ms * 1000, buried},
		{"zero", 0, buried},
		{"the end of time", math.MaxInt64, buried},
	}
}

// Clocks that are wrong never keep the samples of others out.
func TestClockSkew(t *testing.T) {
	f := func(name, rule, limits string, inRecord bool, ahead func(time.Duration) fate) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: name, injured: "timestamps ahead, behind, negative, in other units", partitions: 2, outOfOrder: time.Hour, rule: rule,
				topic:    map[string]string{"retention.ms": "-1", "message.timestamp.after.max.ms": "9223372036854775807"},
				pipeline: []string{limits},
			})
			tr.start()
			lab.Produce(t, tr.stamp(tr.stream.Next(200))...)
			tr.awaitNoLag()
			cases := skews(time.Now(), ahead)
			if !inRecord { // Brokers refuse negative ones.
				cases = append(cases, skewed{"a second before the epoch", -1000, buried}, skewed{"the beginning of time", math.MinInt64, buried})
			}
			for _, c := range cases {
				odd := tr.stream.Sample(1, c.name, c.at, c.fate)
				odd.Timestamp = time.Now()
				if inRecord {
					odd.Timestamp = time.UnixMilli(c.at)
				}
				lab.Produce(t, append(tr.stamp(tr.stream.Next(50)), odd)...)
				lab.Produce(t, tr.stamp(tr.stream.Next(50))...)
			}
			tr.finish()
		})
	}
	prometheus := func(time.Duration) fate { return stored }
	limited := func(d time.Duration) fate { return map[bool]fate{true: buried, false: stored}[d > 5*time.Minute] }
	const byRecord = `{name: ledger, value: v, labels: {series: s}}`
	f("clock skew, in the value", ledgerRule, "limits: {}", false, prometheus)
	f("clock skew, in the value, max_future 5 m", ledgerRule, "limits: {max_future: 5m}", false, limited)
	f("clock skew, of the record", byRecord, "limits: {}", true, prometheus)
	f("clock skew, of the record, max_future 5 m", byRecord, "limits: {max_future: 5m}", true, limited)
}

// stamp gives records of the ledger the timestamps that their values have.
func (tr *trial) stamp(records []*kgo.Record) []*kgo.Record {
	for _, r := range records {
		for _, e := range tr.stream.partitions[r.Partition] {
			if e.record == r {
				r.Timestamp = time.UnixMilli(e.at)
			}
		}
	}
	return records
}
