package demo

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/config"
	"github.com/kafka2prom/kafka2prom/transform"
)

// readings are the first n of a seed, one every ten milliseconds.
func readings(t *testing.T, seed uint64, n int) []reading {
	t.Helper()
	schema, err := meterSchema()
	require.NoError(t, err)
	s := newStream(seed, schema)
	all := make([]reading, n)
	for i := range all {
		all[i], err = s.read(now.Add(time.Duration(i) * 10 * time.Millisecond))
		require.NoError(t, err)
	}
	return all
}

// mappers are those of the demo's own configuration, by topic.
func mappers(t *testing.T) map[string]*transform.Mapper {
	t.Helper()
	cfg, err := config.Load(config.Source{Path: "demo.yaml", Data: Configuration})
	require.NoError(t, err)
	byTopic := map[string]*transform.Mapper{}
	for _, p := range cfg.Pipelines {
		m, err := transform.NewMapper(p.Transform(), transform.Options{})
		require.NoError(t, err)
		require.Len(t, p.Consumer.Topics, 1)
		byTopic[p.Consumer.Topics[0]] = m
		require.Equal(t, groupPrefix+p.Consumer.Topics[0], p.Consumer.Group)
		require.Equal(t, deadLetters(p.Consumer.Topics[0]), p.Consumer.DeadLetter.Topic)
	}
	return byTopic
}

// TestTheConfigurationMakesOfEachRecordWhatTheLedgerSays maps a stream with the
// real mapper: what the ledger expects is not what the stream's code alone believes.
func TestTheConfigurationMakesOfEachRecordWhatTheLedgerSays(t *testing.T) {
	byTopic := mappers(t)
	seen := map[fault]int{}
	for i, r := range readings(t, 1, 30_000) {
		seen[r.fault]++
		var out transform.Output
		verdict, err := byTopic[r.record.Topic].Apply(r.record, uint64(i), &out)
		require.NoError(t, err)
		switch r.fault {
		case sound, repeated:
			require.Equal(t, transform.Mapped, verdict, r.text)
			require.Equal(t, r.samples, points(out.Samples))
		case clockReset, clockAhead, conflict: // Only the receiver can know.
			require.Equal(t, transform.Mapped, verdict, r.text)
			require.Empty(t, r.samples)
		case noValue, tombstone:
			require.Equal(t, transform.Filtered, verdict, r.text)
			require.Empty(t, r.samples)
		default:
			require.Equal(t, transform.Refused, verdict, r.text)
			require.Len(t, out.Refused, 1)
			require.True(t, r.fault.explains(out.Refused[0].Reason), "%s: %s", r.fault, out.Refused[0].Reason)
			require.Equal(t, r.samples, points(out.Samples))
		}
	}
	for _, f := range []fault{sound, repeated, truncated, unknownSchema, textValue, conflict, clockReset, clockAhead, noValue, tombstone} {
		require.Positive(t, seen[f], "fault %q", f)
	}
	require.Greater(t, seen[sound], 29_000)
}

func points(samples []transform.Sample) []point {
	var all []point
	for _, s := range samples {
		var b labels.ScratchBuilder
		for name, value := range s.Series.All() {
			b.Add(name, value)
		}
		b.Sort()
		all = append(all, point{series: b.Labels().String(), timestamp: s.Timestamp, value: s.Value})
	}
	return all
}

func TestTheSameSeedGivesTheSameStream(t *testing.T) {
	one, same, other := readings(t, 7, 5000), readings(t, 7, 5000), readings(t, 8, 5000)
	require.Equal(t, one, same)
	require.NotEqual(t, one, other)
}

func TestTimesOfASeriesIncreaseButForPairs(t *testing.T) {
	last := map[string]int64{}
	for _, r := range readings(t, 3, 20_000) {
		for _, p := range r.samples {
			if r.fault == repeated {
				require.Equal(t, last[p.series], p.timestamp)
			} else {
				require.Greater(t, p.timestamp, last[p.series])
			}
			last[p.series] = p.timestamp
		}
	}
}

// A pair has to be in one partition, one record directly after the other: then
// nothing newer of the series can be stored between the two.
func TestPairsStandTogetherAndShareTheirKey(t *testing.T) {
	all := readings(t, 5, 20_000)
	pairs := 0
	for i, r := range all {
		if r.fault != conflict && r.fault != repeated {
			continue
		}
		pairs++
		first := all[i-1]
		require.Equal(t, sound, first.fault)
		require.Equal(t, first.record.Key, r.record.Key)
		require.Equal(t, first.record.Topic, r.record.Topic)
		require.Equal(t, first.record.Timestamp, r.record.Timestamp)
		require.Equal(t, r.fault == repeated, string(first.record.Value) == string(r.record.Value))
	}
	require.Positive(t, pairs)
}

func TestClocksThatAreWrong(t *testing.T) {
	d := &device{clock: clockReset}
	require.Equal(t, "2000-01-01T00:00:00Z", d.now(now).Format(time.RFC3339Nano))
	require.Equal(t, "2000-01-01T00:00:00.001Z", d.now(now.Add(time.Hour)).Format(time.RFC3339Nano))
	d = &device{clock: clockAhead}
	require.Equal(t, now.Add(time.Hour), d.now(now))
	d = &device{}
	require.Equal(t, now, d.now(now.Add(999*time.Microsecond)))
	require.Equal(t, now.Add(time.Millisecond), d.now(now))
}

func TestFatesAndReasons(t *testing.T) {
	for _, row := range []struct {
		fault   fault
		fate    fate
		reasons []transform.Reason
	}{
		{sound, stored, nil},
		{repeated, stored, nil},
		{noValue, filtered, nil},
		{tombstone, filtered, nil},
		{truncated, deadLettered, []transform.Reason{transform.ReasonNotDecodable}},
		{unknownSchema, deadLettered, []transform.Reason{transform.ReasonUnknownSchema}},
		{textValue, deadLettered, []transform.Reason{transform.ReasonNotANumber}},
		{conflict, deadLettered, []transform.Reason{transform.ReasonDuplicateTimestamp, transform.ReasonRefused, transform.ReasonPossiblyStored}},
		{clockReset, deadLettered, []transform.Reason{transform.ReasonRefused, transform.ReasonPossiblyStored}},
		{clockAhead, deadLettered, []transform.Reason{transform.ReasonRefused, transform.ReasonPossiblyStored}},
	} {
		require.Equal(t, row.fate, row.fault.fate())
		for _, reason := range []transform.Reason{
			transform.ReasonNotDecodable, transform.ReasonUnknownSchema, transform.ReasonNotANumber,
			transform.ReasonDuplicateTimestamp, transform.ReasonRefused, transform.ReasonPossiblyStored, transform.ReasonPanic,
		} {
			require.Equal(t, slices.Contains(row.reasons, reason), row.fault.explains(reason), "%s: %s", row.fault, reason)
		}
	}
}
