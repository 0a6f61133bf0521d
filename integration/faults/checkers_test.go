package faults

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// second is the n-th second of a trial.
func second(n int) time.Time { return time.Unix(1_000_000_000+int64(n), 0) }

func TestAValueSaysWhichRecordItIsOf(t *testing.T) {
	for _, partition := range []int32{0, 1, 63, 65535} {
		for _, at := range []int{0, 1, perPartition - 1} {
			p, n, ok := identify(identity(partition, at))
			require.True(t, ok)
			require.Equal(t, partition, p)
			require.Equal(t, at, n)
		}
	}
	for _, stranger := range []float64{-1, 0.5, math.NaN(), math.Inf(1), math.MaxFloat64} {
		_, _, ok := identify(stranger)
		require.False(t, ok, "%v", stranger)
	}
}

func TestTheJournalKeepsTheFirstTimeAndCountsTheOthers(t *testing.T) {
	var j Journal
	j.Note(identity(1, 3), second(5))
	j.Note(identity(1, 3), second(4))
	j.Note(identity(1, 3), second(6))
	j.Note(identity(0, 0), second(1))
	j.Note(0.5, second(1))
	require.Equal(t, second(4), j.First(1, 3))
	require.Zero(t, j.First(1, 2))
	require.Zero(t, j.First(7, 0))
	samples, again := j.Accepted()
	require.Equal(t, []int{2, 2}, []int{samples, again})
}

func TestACommitBeforeItsRecordsHaveEndedIsTooFar(t *testing.T) {
	records := map[int32][]settled{0: {
		{offset: 0, at: second(1)},
		{offset: 1, at: second(9)},
		{offset: 3}, // Needs nothing. Offset 2 is a marker.
		{offset: 4, at: second(2)},
		{offset: 5, at: never},
	}}
	f := func(name string, offset int64, at, want int) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			require.Len(t, tooFar([]commit{{0, offset, second(at)}}, records), want)
		})
	}
	f("nothing", 0, 0, 0)
	f("one in time", 1, 1, 0)
	f("one too early", 1, 0, 1)
	f("a hole in front of what has landed", 5, 3, 1)
	f("the hole is closed", 5, 9, 0)
	f("behind a marker", 3, 9, 0)
	f("a record that never ends", 6, 100, 1)
	require.Equal(t, 1, endless(records))
	require.Empty(t, tooFar([]commit{{1, 5, second(0)}}, records), "a partition without records")
}

func TestACommitThatGoesBackIsFound(t *testing.T) {
	got := rewinds([]commit{{0, 5, second(1)}, {1, 3, second(1)}, {0, 4, second(2)}, {0, 6, second(3)}, {1, 3, second(3)}})
	require.Equal(t, []string{"partition 0: 4 after 5"}, got)
}

func TestTheWatcherKeepsChangesAndOutlivesErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []map[int32]int64{{0: 1}, nil, {0: 1}, {0: 0, 1: 2}}
		ctx, cancel := context.WithCancel(t.Context())
		got := watchCommits(ctx, func(context.Context) (map[int32]int64, error) {
			if len(answers) == 0 {
				cancel()
				return nil, ctx.Err()
			}
			answer := answers[0]
			answers = answers[1:]
			if answer == nil {
				return map[int32]int64{0: 99}, errors.New("the broker is down")
			}
			return answer, nil
		})
		offsets := map[int32][]int64{}
		for _, c := range got {
			offsets[c.partition] = append(offsets[c.partition], c.offset)
		}
		require.Equal(t, map[int32][]int64{0: {1, 0}, 1: {2}}, offsets)
	})
}

func TestAnEquationThatDoesNotHoldIsFound(t *testing.T) {
	scrape := func(consumed, written, inFlight float64) model.Vector {
		metric := func(name string, value float64) *model.Sample {
			return &model.Sample{Metric: model.Metric{model.MetricNameLabel: model.LabelValue(name)}, Value: model.SampleValue(value)}
		}
		return model.Vector{
			metric("kafka2prom_records_consumed_total", consumed),
			metric("kafka2prom_records_total", written), metric("kafka2prom_records_total", 1),
			metric("kafka2prom_records_in_flight", inFlight),
			metric("kafka2prom_samples_mapped_total", 3), metric("kafka2prom_samples_total", 3), metric("kafka2prom_samples_in_flight", 0),
		}
	}
	require.Empty(t, unequal(scrape(5, 2, 2)))
	require.Len(t, unequal(scrape(5, 2, 1)), 1)
	require.Len(t, unequal(scrape(2, 2, -1)), 1)
	require.Len(t, unequal(nil), len(equations))
}

func TestTheLedgerKnowsWhereEachRecordHasToEnd(t *testing.T) {
	s := NewStream("topic", 2)
	records := s.Next(3)
	bad := s.Odd(1, buried, func(value float64) []byte { require.InDelta(t, identity(1, 3), value, 0); return []byte("{") })
	require.Equal(t, 7, s.Len())
	for i, r := range append(records, bad) {
		r.Offset = int64(i/2) + 10
	}
	require.JSONEq(t, `{"s":"1-0","t":`+strconv.FormatInt(s.begin, 10)+`,"v":4294967296}`, string(records[1].Value))
	require.Equal(t, 6, s.Produced().Len())
	s.Decide(records[:1], spared)
	require.Equal(t, 5, s.Produced().Len())

	var j Journal
	j.Note(identity(0, 1), second(3))
	letters, err := ReadLetters([]*kgo.Record{letterOf(1, 13, second(5)), letterOf(1, 13, second(6)), letterOf(0, 11, second(2))})
	require.NoError(t, err)
	all := s.settled(&j, letters)
	require.Equal(t, []settled{{offset: 10}, {11, second(2)}, {12, never}}, all[0])
	require.Equal(t, settled{13, second(5)}, all[1][3])
	require.Len(t, letters.Misplaced(s), 1, "a record that is stored has a letter")
	delete(letters, place{1, 13})
	require.Len(t, letters.Misplaced(s), 2, "and one that is not has none")

	before := s.settled(&j, letters)
	s.Seal()
	require.Equal(t, before, s.settled(&j, letters), "offsets outlive the records")
	require.Len(t, letters.Misplaced(s), 2)
	require.Equal(t, 2, s.Forget(1, 0, 12, &j))
	require.Equal(t, 3, s.Produced().Len())
	s.Next(1)
	require.Len(t, s.settled(&j, letters)[0], 4, "and there may be more of them")
}

func letterOf(partition, offset int, at time.Time) *kgo.Record {
	return &kgo.Record{Timestamp: at, Headers: []kgo.RecordHeader{
		{Key: "kafka2prom.partition", Value: []byte(strconv.Itoa(partition))},
		{Key: "kafka2prom.offset", Value: []byte(strconv.Itoa(offset))},
	}}
}

func TestALetterWithoutItsPlaceIsAnError(t *testing.T) {
	_, err := ReadLetters([]*kgo.Record{{}})
	require.ErrorContains(t, err, "reading a dead letter")
}

// behind starts a proxy in front of a receiver that answers always the same.
func behind(t *testing.T, answer http.HandlerFunc) *Proxy {
	t.Helper()
	receiver := httptest.NewServer(answer)
	t.Cleanup(receiver.Close)
	p, err := StartProxy(receiver.URL)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// post sends one sample, and returns the status; 0 where there is no answer.
func post(t *testing.T, p *Proxy, version int) int {
	t.Helper()
	v1 := &prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{Samples: []prompb.Sample{{Value: identity(1, 2)}}}}}
	raw, err := v1.Marshal()
	contentType := "application/x-protobuf"
	if version == 2 {
		v2 := &writev2.Request{Timeseries: []writev2.TimeSeries{{Samples: []writev2.Sample{{Value: identity(1, 2)}}}}}
		raw, err = v2.Marshal()
		contentType += ";proto=io.prometheus.write.v2.Request"
	}
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL, bytes.NewReader(snappy.Encode(nil, raw)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestTheProxyKnowsWhatWasAccepted(t *testing.T) {
	f := func(name string, version, receiver int, fault Fault, status, accepted int) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			heard := false
			p := behind(t, func(w http.ResponseWriter, _ *http.Request) {
				heard = true
				if version == 2 {
					w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", "1")
				}
				w.WriteHeader(receiver)
			})
			p.Set(func() Fault { return fault })
			require.Equal(t, status, post(t, p, version))
			samples, _ := p.Journal.Accepted()
			require.Equal(t, accepted, samples)
			require.Equal(t, fault.Status == 0 && !fault.Reset && fault.Cut == 0, heard)
			total, byStatus := p.Requests()
			require.Equal(t, 1, total)
			require.Equal(t, map[int]int{status: 1}, byStatus)
		})
	}
	f("passed on", 1, 204, Fault{}, 204, 1)
	f("passed on, 2.0", 2, 204, Fault{}, 204, 1)
	f("refused", 1, 400, Fault{}, 400, 0)
	f("refused in part", 2, 400, Fault{}, 400, 1)
	f("failed, and nothing written", 2, 500, Fault{}, 500, 0)
	f("answered by the script", 1, 204, Fault{Status: 503, RetryAfter: "1"}, 503, 0)
	f("cut before", 1, 204, Fault{Reset: true}, 0, 0)
	f("cut after", 1, 204, Fault{Lose: true}, 0, 1)
	f("cut in the body", 1, 204, Fault{Cut: 10}, 0, 0)
	f("late", 1, 204, Fault{Delay: time.Millisecond}, 204, 1)
}

func TestAShareOfTheRequestsFails(t *testing.T) {
	script := mixed(0.25, Fault{Status: 500}, Fault{Status: 503})
	got := map[int]int{}
	for range 400 {
		got[script().Status]++
	}
	require.Equal(t, map[int]int{0: 300, 500: 50, 503: 50}, got)
}

func TestTheTableIsReplacedRowByRow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "doc.md")
	require.NoError(t, os.WriteFile(file, []byte("before\n"+tableBegin+"\n"+tableEnd+"\nafter\n"), 0o600))
	require.NoError(t, WriteTable(file, []Result{{Name: "a", Lost: 1}, {Name: "b"}}, false))
	requireRows := func(rows ...Result) {
		t.Helper()
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		want := "before\n" + tableBegin + "\n" + tableHead[0] + "\n" + tableHead[1] + "\n"
		for _, r := range rows {
			want += r.Row() + "\n"
		}
		require.Equal(t, want+tableEnd+"\nafter\n", string(text))
	}
	require.NoError(t, WriteTable(file, []Result{{Name: "a", Lost: 2}, {Name: "c"}}, false))
	requireRows(Result{Name: "a", Lost: 2}, Result{Name: "b"}, Result{Name: "c"})
	require.NoError(t, WriteTable(file, []Result{{Name: "c"}, {Name: "d"}}, true))
	requireRows(Result{Name: "c"}, Result{Name: "d"})

	require.NoError(t, os.WriteFile(file, []byte("no table"), 0o600))
	require.ErrorContains(t, WriteTable(file, nil, false), "there are no lines")
	require.Error(t, WriteTable(filepath.Join(t.TempDir(), "missing"), nil, false))
}
