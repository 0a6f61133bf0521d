package demo

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// now is the clock of the tests.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func openForTest(t *testing.T, window time.Duration) *database {
	t.Helper()
	d, err := openDatabase(t.TempDir(), window, now)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.close()) })
	return d
}

// everything selects all samples of all series but the database's own first one.
func everything(t require.TestingT, d *database) map[string][]receiver.Point {
	q, err := d.db.Querier(0, 1<<62)
	require.NoError(t, err)
	all := map[string][]receiver.Point{}
	set := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchRegexp, "__name__", ".+"))
	for set.Next() {
		s := set.At()
		it := s.Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			timestamp, value := it.At()
			all[s.Labels().String()] = append(all[s.Labels().String()], receiver.Point{Timestamp: timestamp, Value: value})
		}
		require.NoError(t, it.Err())
	}
	require.NoError(t, set.Err())
	require.NoError(t, q.Close())
	delete(all, labels.FromStrings("__name__", startMetric).String())
	return all
}

func TestTheFirstSampleFixesTheBoundsOfTheDatabase(t *testing.T) {
	d := openForTest(t, 0)
	app := d.Appender()
	a := labels.FromStrings("__name__", "a")
	require.Error(t, app.Append(a, now.Add(-61*time.Minute).UnixMilli(), 1))
	require.NoError(t, app.Append(a, now.Add(-59*time.Minute).UnixMilli(), 1))
	require.NoError(t, app.Commit())
	require.Len(t, everything(t, d), 1)
}

func TestTheTailKeepsWhatWasCommitted(t *testing.T) {
	d := openForTest(t, 0)
	for i := range 3 {
		app := d.Appender()
		for j := range 2 * tailLength {
			at := now.Add(time.Duration(i*2*tailLength+j) * time.Millisecond)
			require.NoError(t, app.Append(labels.FromStrings("__name__", "a"), at.UnixMilli(), float64(j)))
		}
		if i == 2 {
			require.NoError(t, app.Rollback())
		} else {
			require.NoError(t, app.Commit())
		}
	}
	last, total := d.latest.samples()
	require.Equal(t, 4*tailLength, total)
	require.Len(t, last, tailLength)
	require.Equal(t, now.Add((4*tailLength-1)*time.Millisecond).UnixMilli(), last[tailLength-1].timestamp)
}

// pair is a receiver with a TSDB and one with its own memory, and the clock of
// both. Each case of a property starts a day after the one before it, with series
// of its own, so that one database serves all of them.
type pair struct {
	database    *database
	real, model *receiver.Receiver
	now         time.Time
}

func newPair(t *testing.T, window time.Duration) *pair {
	t.Helper()
	p := &pair{database: openForTest(t, window), now: now}
	p.database.db.DisableCompactions()
	clock := func() time.Time { return p.now }
	p.real = receiver.New(receiver.Config{Store: p.database, Now: clock, Forget: true})
	p.model = receiver.New(receiver.Config{OutOfOrderWindow: window, Now: clock, Forget: true})
	return p
}

// draw makes a request of series with samples in any order at few times, so that
// they collide, and around the limits. With conflicts, one time has several values.
func (p *pair) draw(t *rapid.T, conflicts bool) []prompb.TimeSeries {
	offsets := []time.Duration{
		0, time.Millisecond, 2 * time.Millisecond, time.Second, time.Minute, 9 * time.Minute, 11 * time.Minute, time.Hour,
		-time.Millisecond, -time.Minute, -59 * time.Minute, -time.Hour, -61 * time.Minute, -119 * time.Minute, -2 * time.Hour, -3 * time.Hour,
	}
	sample := rapid.Custom(func(t *rapid.T) prompb.Sample {
		at := p.now.Add(rapid.SampledFrom(offsets).Draw(t, "offset")).UnixMilli()
		value := float64(at % 1000)
		if conflicts {
			value = float64(rapid.IntRange(1, 2).Draw(t, "value"))
		}
		return prompb.Sample{Timestamp: at, Value: value}
	})
	ours := prompb.Label{Name: "case", Value: p.now.String()}
	label := rapid.SampledFrom([][]prompb.Label{
		{{Name: "__name__", Value: "a"}, ours},
		{{Name: "__name__", Value: "b"}, ours, {Name: "job", Value: "x"}},
		{{Name: "__name__", Value: "b"}, ours, {Name: "job", Value: ""}},
		{ours},
		{{Name: "__name__", Value: "twice"}, ours, {Name: "job", Value: "x"}, {Name: "job", Value: "y"}},
		{{Name: "__name__", Value: "bad\xff"}, ours},
	})
	series := rapid.Custom(func(t *rapid.T) prompb.TimeSeries {
		return prompb.TimeSeries{Labels: label.Draw(t, "labels"), Samples: rapid.SliceOfN(sample, 0, 5).Draw(t, "samples")}
	})
	return rapid.SliceOfN(series, 1, 4).Draw(t, "series")
}

// stored returns what the series of the case have in the TSDB and in the memory.
func (p *pair) stored(t require.TestingT) (inTSDB, inMemory map[string][]receiver.Point) {
	ours := "case=" + strconv.Quote(p.now.String())
	inTSDB, inMemory = everything(t, p.database), p.model.Samples()
	for _, all := range []map[string][]receiver.Point{inTSDB, inMemory} {
		maps.DeleteFunc(all, func(name string, _ []receiver.Point) bool { return !strings.Contains(name, ours) })
	}
	return inTSDB, inMemory
}

// TestTheReceiversMemoryAndATSDBAgree is what makes the receiver worth testing
// against: the same requests get the same answers, and store the same samples.
// Where two values of one time were accepted, which of them is served is up to how
// the TSDB has cut its chunks; only the times are compared then.
func TestTheReceiversMemoryAndATSDBAgree(t *testing.T) {
	for _, window := range []time.Duration{0, 2 * time.Hour} {
		for _, v2 := range []bool{false, true} {
			for _, conflicts := range []bool{false, true} {
				p := newPair(t, window)
				rapid.Check(t, func(rt *rapid.T) {
					p.now = p.now.Add(24 * time.Hour)
					beginning := prompb.TimeSeries{
						Labels:  []prompb.Label{{Name: "__name__", Value: "beginning"}},
						Samples: []prompb.Sample{{Timestamp: p.now.UnixMilli()}},
					}
					require.Equal(rt, write(t, p.real, v2, beginning), write(t, p.model, v2, beginning))
					for range rapid.IntRange(1, 6).Draw(rt, "requests") {
						series := p.draw(rt, conflicts)
						require.Equal(rt, write(t, p.real, v2, series...), write(t, p.model, v2, series...))
					}
					inTSDB, inMemory := p.stored(rt)
					if conflicts {
						require.Equal(rt, times(inTSDB), times(inMemory))
					} else {
						require.Equal(rt, inTSDB, inMemory)
					}
				})
			}
		}
	}
}

func times(all map[string][]receiver.Point) map[string][]int64 {
	found := map[string][]int64{}
	for name, points := range all {
		for _, p := range points {
			found[name] = append(found[name], p.Timestamp)
		}
	}
	return found
}

// write sends one request, and returns the answer as text.
func write(t *testing.T, r *receiver.Receiver, v2 bool, series ...prompb.TimeSeries) string {
	t.Helper()
	body, err := (&prompb.WriteRequest{Timeseries: series}).Marshal()
	contentType := "application/x-protobuf"
	if v2 {
		body, err = inV2(series).Marshal()
		contentType += ";proto=io.prometheus.write.v2.Request"
	}
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://demo/api/v1/write", bytes.NewReader(snappy.Encode(nil, body)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	resp, err := r.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.Status + " " + resp.Header.Get("X-Prometheus-Remote-Write-Samples-Written") + " " + string(text)
}

func inV2(series []prompb.TimeSeries) *writev2.Request {
	table := writev2.NewSymbolTable()
	var req writev2.Request
	for _, s := range series {
		var ts writev2.TimeSeries
		for _, l := range s.Labels {
			ts.LabelsRefs = append(ts.LabelsRefs, table.Symbolize(l.Name), table.Symbolize(l.Value)) //nolint:misspell // Its name.
		}
		for _, p := range s.Samples {
			ts.Samples = append(ts.Samples, writev2.Sample{Timestamp: p.Timestamp, Value: p.Value})
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	req.Symbols = table.Symbols()
	return &req
}
