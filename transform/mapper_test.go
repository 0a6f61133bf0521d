package transform

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestApplyMapsTheRecordsOfTheSeedSystem(t *testing.T) {
	const config = `samples: [{labels_from: c_map, value: c_double, timestamp: c_timestamp}]`
	const want = "test1 1.23 2024-08-15T17:00:00Z\n"
	require.Equal(t, want, mapped(t, config, `{"c_map":{"__name__":"test1"},"c_double":1.23,"c_timestamp":"2024-08-15T17:00:00"}`))
	require.Equal(t, want, mapped(t, config, `{"c_map":{"__name__":"test1"},"c_double":"1.23","c_timestamp":"2024-08-15T17:00:00"}`))
}

func TestApplyMapsTheJSONOfTelegraf(t *testing.T) {
	got := mapped(t, `samples: [{name: "${name}_${field}", values_from: fields, labels_from: tags, timestamp: {path: timestamp, format: s}}]`,
		`{"fields":{"usage_idle":97.5,"usage_user":1,"up":true,"note":"text"},"name":"cpu","tags":{"cpu":"cpu0","host":"a"},"timestamp":1700000000}`)
	require.Equal(t, lines(
		`cpu_usage_idle{cpu="cpu0", host="a"} 97.5`,
		`cpu_usage_user{cpu="cpu0", host="a"} 1`,
		`cpu_up{cpu="cpu0", host="a"} 1`,
		`skipped: 1`), got)
}

func TestApplyMapsTheJSONOfPrometheusKafkaAdapter(t *testing.T) {
	const config = `samples: [{name: "${name}", value: value, labels_from: labels, timestamp: timestamp}]`
	require.Equal(t, "up{instance=\"a:9100\", job=\"node\"} 1 2024-08-15T17:00:00Z\n", mapped(t, config,
		`{"timestamp":"2024-08-15T17:00:00Z","value":"1","name":"up","labels":{"__name__":"up","instance":"a:9100","job":"node"}}`))
	require.Equal(t, "up{job=\"node\"} NaN 2024-08-15T17:00:00Z\n", mapped(t, config,
		`{"timestamp":"2024-08-15T17:00:00Z","value":"NaN","name":"up","labels":{"__name__":"up","job":"node"}}`))
}

func TestApplyReachesTheMetadataOfTheRecord(t *testing.T) {
	got := mapped(t, `
samples:
  - name: m
    value: v
    labels: {key: $key, site: $header.site, part: $partition, off: $offset, topic: $topic, at: $timestamp, none: $header.nope,
             both: "${$topic}/${$partition}", root: $record.v, head: '$header["x-y.z"]'}
  - {name: header, value: $header.x-y.z}
  - {name: offset, value: $offset, timestamp: $timestamp}
`, `{"v": 7}`)
	require.Equal(t, lines(
		`m{at="1700000000000", both="plant/3", head="1.5", key="dev-1", off="42", part="3", root="7", site="oslo", topic="plant"} 7`,
		`header 1.5`,
		`offset 42`), got)
}

func TestApplyAnswersForTheRecordAsAWhole(t *testing.T) {
	const config = `samples: [{name: m, value: v}]`
	f := func(value []byte, want string) {
		t.Helper()
		m := newTestMapper(t, config)
		rec := testRecord("")
		rec.Value = value
		v, out := apply(t, m, rec)
		require.Equal(t, want, outcome(v, out))
		require.Equal(t, int64(recordTime), out.MaxTimestamp)
		for _, r := range out.Refused {
			require.Equal(t, -1, r.Rule)
			require.Equal(t, StageDecode, r.Stage)
			require.Same(t, rec, r.Record)
			require.True(t, r.Exact)
		}
	}
	f(nil, "filtered: tombstone\n")
	f([]byte{}, "empty_value: the record's value is empty\n")
	f([]byte(`{"v":1`), "not_decodable: no JSON at byte 6: want a comma or a closing brace, found the end of the record\n")
	f([]byte(`{"v":1} x`), "not_decodable: no JSON at byte 8: want the end of the record, found \"x\"\n")
	f([]byte("{\"v\":\"\xff\"}"), "not_decodable: the record is JSON but not UTF-8\n")
	f([]byte(`{"v":1,"v":2}`), "not_decodable: duplicate key \"v\" at byte 7\n")
	f([]byte(`[1]`), "not_an_object: found an array, want an object\n")
	f([]byte(`1.5`), "not_an_object: found 1.5, want an object\n")
	f([]byte(`null`), "not_an_object: found null, want an object\n")
	f([]byte(`"abc"`), "not_an_object: found the text \"abc\", want an object\n")
	f([]byte(`{"x":1,"x":2}`), "filtered: no_value\nskipped: 1\n") // Nobody wants x.
	f([]byte(strings.Repeat("[", 65)), "too_large: found an object or array 65 deep at byte 64, want at most 64 (limits.depth)\n")
	f([]byte(`{"v":"`+strings.Repeat("x", 1<<20)+`"}`), "too_large: the record has 1048584 bytes, want at most 1048576 (limits.record_bytes)\n")
}

func TestApplyTakesOtherRootsWhereARuleWantsThem(t *testing.T) {
	f := func(config, value, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, "samples: ["+config+"]", value))
	}
	f(`{name: m, value: .}`, `1.5`, "m 1.5\n")
	f(`{name: m, value: .}`, `"2"`, "m 2\n")
	f(`{name: m, value: .}`, `true`, "m 1\n")
	f(`{name: m, value: .}`, `null`, "filtered: no_value\nskipped: 1\n")
	f(`{name: m, value: .}`, `{}`, "wrong_type: samples[0] (m): value .: found an object, want a number, a numeric text or a boolean\n")
	f(`{name: m, value: "[1]"}`, `[1,2]`, "m 2\n")
	f(`{name: m, value: "[1]"}`, `5`, "not_an_object: found 5, want an object or an array\n")
	f(`{name: m, each: ., value: v}`, `[{"v":1},{"v":2}]`, "m 1\nm 2\n")
	f(`{name: m, each: ., value: v}`, `{"v":1}`, "wrong_type: samples[0] (m): each .: found an object, want an array\n")
	f(`{values_from: ., name: "${field}"}`, `{"a":1,"b":2}`, "a 1\nb 2\n")
	f(`{labels_from: ., name: m, value: $offset}`, `{"a":1}`, "m{a=\"1\"} 42\n")
}

func TestApplyKeepsWhatTheOtherRulesGive(t *testing.T) {
	m := newTestMapper(t, `samples: [{name: a, value: a}, {name: b, value: b}, {name: c, value: c}, {name: d, value: d}]`)
	rec := testRecord(`{"a":1,"b":"x","d":4}`)
	v, out := apply(t, m, rec)
	require.Equal(t, lines(`a 1`, `d 4`,
		`not_a_number: samples[1] (b): value b: found the text "x", want a number, a numeric text or a boolean`,
		`skipped: 1`), outcome(v, out))
	require.Equal(t, 1, out.Refused[0].Rule)
	require.Equal(t, StageMap, out.Refused[0].Stage)
	require.True(t, out.Refused[0].Exact)
	require.Nil(t, out.Refused[0].Series)
	require.Same(t, rec, out.Refused[0].Record)
	require.Same(t, rec, out.Samples[0].Record)
}

func TestApplyAppendsToWhatTheOutputHas(t *testing.T) {
	m := newTestMapper(t, `samples: [{name: m, value: v, timestamp: t}]`)
	var out Output
	for i, want := range []struct {
		value   string
		verdict Verdict
		latest  int64
	}{
		{`{"v":1,"t":5000}`, Mapped, 5000},
		{`{"v":"x","t":5000}`, Refused, recordTime},
		{`{"v":2,"t":4000}`, Mapped, 4000},
		{`{"v":null,"t":5000}`, Filtered, recordTime},
		{`{"v":3}`, Refused, recordTime},
	} {
		v, err := m.Apply(testRecord(want.value), 1, &out)
		require.NoError(t, err)
		require.Equal(t, want.verdict, v, i)
		require.Equal(t, want.latest, out.MaxTimestamp, i)
	}
	require.Len(t, out.Samples, 2)
	require.Len(t, out.Refused, 2)
	require.Equal(t, 1, out.Skipped)
	out.Reset()
	require.Equal(t, Output{Samples: out.Samples, Refused: out.Refused}, out)
	require.Empty(t, out.Samples)
	require.Equal(t, Sample{}, out.Samples[:1][0], "a reset output still holds the record")
}

func TestApplyTellsTheGreatestTimestampOfARecord(t *testing.T) {
	m := newTestMapper(t, `samples: [{name: m, each: ., value: v, timestamp: t}]`)
	_, out := apply(t, m, testRecord(`[{"v":"x","t":8000},{"v":1,"t":5000},{"v":1,"t":7000},{"v":1,"t":6000},{"v":null,"t":9000}]`))
	require.Len(t, out.Samples, 3)
	require.Equal(t, int64(7000), out.MaxTimestamp)
}

func TestApplyForgetsTheElementAtWhichARecordPanicked(t *testing.T) {
	m := newTestMapper(t, `samples: [{name: m, value: v}]`)
	*m.index = integerValue(3)
	v, out := apply(t, m, testRecord(`{"v":"x"}`))
	require.Equal(t, "not_a_number: samples[0] (m): value v: found the text \"x\", want a number, a numeric text or a boolean\n", outcome(v, out))
}

func TestApplyRefusesARecordThatGivesTooMuch(t *testing.T) {
	const config = `{samples: [{name: "${field}", values_from: v}, {name: m, each: e, value: .}], limits: {samples_per_record: 3}}`
	require.Equal(t, "a 1\nb 2\nc 3\nskipped: 1\n", mapped(t, config, `{"v":{"a":1,"b":2,"c":3}}`))
	m := newTestMapper(t, config)
	var out Output
	_, err := m.Apply(testRecord(`{"v":{"first":1}}`), 1, &out)
	require.NoError(t, err)
	for _, value := range []string{`{"v":{"a":1,"b":2,"c":3,"d":4}}`, `{"v":{"a":1,"b":2},"e":[1,2]}`, `{"v":{"x":"no"},"e":["a","b","c","d","e"]}`} {
		out.Refused = out.Refused[:0]
		v, err := m.Apply(testRecord(value), 1, &out)
		require.NoError(t, err)
		require.Equal(t, Refused, v)
		require.Len(t, out.Samples, 1, "the samples of a record that is refused as a whole are taken back")
		require.Len(t, out.Refused, 1)
		require.Equal(t, ReasonTooLarge, out.Refused[0].Reason)
		require.Equal(t, "the record gives more than 3 samples, want at most 3 (limits.samples_per_record)", out.Refused[0].Text)
		require.Equal(t, 1, out.Skipped, "only what the first record skipped")
	}
}

func TestApplyTurnsAPanicIntoARefusal(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	m, err := NewMapper(parseConfig(t, `samples: [{name: m, value: v}]`), Options{Logger: zap.New(core)})
	require.NoError(t, err)
	m.decoder = treeFunc(func(*kgo.Record) (any, error) { panic("boom") })
	out := Output{Skipped: 7}
	v, err := m.Apply(testRecord("x"), 1, &out)
	require.NoError(t, err)
	require.Equal(t, Refused, v)
	require.Len(t, out.Refused, 1)
	require.Equal(t, ReasonPanic, out.Refused[0].Reason)
	require.Equal(t, 7, out.Skipped)
	require.Equal(t, int64(recordTime), out.MaxTimestamp)
	require.Equal(t, 1, logs.Len())
	require.Equal(t, "boom", logs.All()[0].ContextMap()["panic"])
	require.Equal(t, int64(42), logs.All()[0].ContextMap()["offset"])
}

func TestApplyReturnsWhatCannotBeJudgedNow(t *testing.T) {
	m := newTestMapper(t, `samples: [{name: m, value: v}]`)
	away := errors.New("registry is away")
	for _, given := range []error{&RetryError{Err: away, After: time.Second}, fmt.Errorf("wrapped: %w", &RetryError{Err: away, After: time.Second})} {
		m.decoder = treeFunc(func(*kgo.Record) (any, error) { return nil, given })
		var out Output
		_, err := m.Apply(testRecord("x"), 1, &out)
		var retry *RetryError
		require.ErrorAs(t, err, &retry)
		require.Equal(t, time.Second, retry.After)
		require.ErrorIs(t, err, away)
		require.Empty(t, out.Samples)
		require.Empty(t, out.Refused)
	}
	m.decoder = treeFunc(func(*kgo.Record) (any, error) { return nil, away })
	_, err := m.Apply(testRecord("x"), 1, &Output{})
	var retry *RetryError
	require.ErrorAs(t, err, &retry)
	require.ErrorIs(t, err, away)
}

func TestApplyRefusesWithTheWordsOfTheDecoder(t *testing.T) {
	m := newTestMapper(t, `samples: [{name: m, value: v}]`)
	m.decoder = treeFunc(func(*kgo.Record) (any, error) { return nil, &decodeError{Reason: ReasonUnknownSchema, Text: "id 7\n"} })
	_, out := apply(t, m, testRecord("x"))
	require.Equal(t, ReasonUnknownSchema, out.Refused[0].Reason)
	require.Equal(t, "id 7\uFFFD", out.Refused[0].Text)
}

func TestMapperExportsItsCache(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m, err := NewMapper(parseConfig(t, `{samples: [{name: m, value: v, labels: {l: l}}], limits: {series_cache: 2}}`), Options{Registerer: reg})
	require.NoError(t, err)
	for batch := uint64(1); batch <= 4; batch++ {
		_, err := m.Apply(testRecord(fmt.Sprintf(`{"v":1,"l":%d}`, batch)), batch, &Output{})
		require.NoError(t, err)
		m.Landed(batch)
	}
	require.Equal(t, 2, m.Series())
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP kafka2prom_limit_exceeded_total Records, samples and fetched batches that exceeded a limit, by the key of the limit.
# TYPE kafka2prom_limit_exceeded_total counter
kafka2prom_limit_exceeded_total{limit="depth"} 0
kafka2prom_limit_exceeded_total{limit="labels"} 0
kafka2prom_limit_exceeded_total{limit="max_future"} 0
kafka2prom_limit_exceeded_total{limit="min_timestamp"} 0
kafka2prom_limit_exceeded_total{limit="name_bytes"} 0
kafka2prom_limit_exceeded_total{limit="nodes"} 0
kafka2prom_limit_exceeded_total{limit="record_bytes"} 0
kafka2prom_limit_exceeded_total{limit="samples_per_record"} 0
kafka2prom_limit_exceeded_total{limit="series"} 0
kafka2prom_limit_exceeded_total{limit="value_bytes"} 0
# HELP kafka2prom_series Series in the series cache.
# TYPE kafka2prom_series gauge
kafka2prom_series 2
# HELP kafka2prom_series_cache_evictions_total Label sets evicted from the series cache because limits.series_cache was reached, or because they had not been used for an hour or two.
# TYPE kafka2prom_series_cache_evictions_total counter
kafka2prom_series_cache_evictions_total 2
# HELP kafka2prom_series_cache_misses_total Label sets in a form that was not in the series cache, so that they were built and encoded.
# TYPE kafka2prom_series_cache_misses_total counter
kafka2prom_series_cache_misses_total 4
# HELP kafka2prom_series_known Series that count against limits.series: those in the cache, and those that it has evicted within the last hour or two.
# TYPE kafka2prom_series_known gauge
kafka2prom_series_known 4
# HELP kafka2prom_series_limit The value of limits.series.
# TYPE kafka2prom_series_limit gauge
kafka2prom_series_limit 2e+06
`)))
	_, err = NewMapper(parseConfig(t, `samples: [{name: m, value: v}]`), Options{Registerer: reg})
	require.ErrorContains(t, err, "registering the metrics of the mapper")
}

func TestNewMapperRefusesAConfigurationThatIsNotValid(t *testing.T) {
	_, err := NewMapper(Config{Samples: []Rule{{Name: "m"}}, Format: "xml"}, Options{})
	require.ErrorContains(t, err, `format: "xml" is unknown`)
	require.ErrorContains(t, err, "samples[0].value: is missing")
}

func TestTimestampsMayNotBeTooFarAhead(t *testing.T) {
	now := time.UnixMilli(recordTime).Add(-time.Hour)
	m, err := NewMapper(parseConfig(t, `{samples: [{name: m, value: v, timestamp: t}, {name: own, value: v}], limits: {max_future: 1h}}`),
		Options{Now: func() time.Time { return now }})
	require.NoError(t, err)
	v, out := apply(t, m, testRecord(`{"v":1,"t":1700000000000}`))
	require.Equal(t, "m 1\nown 1\n", outcome(v, out))
	now = now.Add(-time.Millisecond)
	v, out = apply(t, m, testRecord(`{"v":1,"t":1600000000000}`))
	require.Equal(t, "m 1 2020-09-13T12:26:40Z\n"+
		"timestamp_range: samples[1] (own): timestamp of the record: found 2023-11-14T22:13:20Z, want none more than 1h0m0s ahead of the clock (limits.max_future)\n",
		outcome(v, out))
}
