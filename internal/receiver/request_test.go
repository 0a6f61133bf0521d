package receiver

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"
)

// sent is one series of a request that a test sends.
type sent struct {
	labels []string // Names and values in turn, in wire order.
	points []Point
}

// series is a series of one metric with points at offsets, each with the value
// that follows it.
func series(name string, offsetsAndValues ...float64) sent {
	s := sent{labels: []string{"__name__", name}}
	for p := range slices.Chunk(offsetsAndValues, 2) {
		s.points = append(s.points, Point{Timestamp: base + int64(p[0]), Value: p[1]})
	}
	return s
}

func encodeV1(t *testing.T, all []sent) []byte {
	t.Helper()
	var req prompb.WriteRequest
	for _, s := range all {
		var ts prompb.TimeSeries
		for l := range slices.Chunk(s.labels, 2) {
			ts.Labels = append(ts.Labels, prompb.Label{Name: l[0], Value: l[1]})
		}
		for _, p := range s.points {
			ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: p.Timestamp, Value: p.Value})
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	body, err := req.Marshal()
	require.NoError(t, err)
	return body
}

func encodeV2(t *testing.T, all []sent) []byte {
	t.Helper()
	var req writev2.Request
	table := writev2.NewSymbolTable()
	for _, s := range all {
		var ts writev2.TimeSeries
		for _, text := range s.labels {
			ts.LabelsRefs = append(ts.LabelsRefs, table.Symbolize(text)) //nolint:misspell // Its name.
		}
		for _, p := range s.points {
			ts.Samples = append(ts.Samples, writev2.Sample{Timestamp: p.Timestamp, Value: p.Value})
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	if len(all) > 0 {
		req.Symbols = table.Symbols()
	}
	body, err := req.Marshal()
	require.NoError(t, err)
	return body
}

// request is a request with the headers that its protocol asks for.
func request(t *testing.T, p Protocol, body []byte) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://receiver/api/v1/write", bytes.NewReader(snappy.Encode(nil, body)))
	require.NoError(t, err)
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	req.Header.Set("User-Agent", "test/1")
	if p == V2 {
		req.Header.Set("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
		req.Header.Set("X-Prometheus-Remote-Write-Version", "2.0.0")
	}
	return req
}

// reply is what a sender sees.
type reply struct {
	status  int
	written string // Empty: there is no such header.
	body    string
}

func roundTrip(t *testing.T, r *Receiver, req *http.Request) reply {
	t.Helper()
	resp, err := r.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return reply{resp.StatusCode, resp.Header.Get("X-Prometheus-Remote-Write-Samples-Written"), string(bytes.TrimSuffix(body, []byte("\n")))}
}

func send(t *testing.T, r *Receiver, p Protocol, all ...sent) reply {
	t.Helper()
	body := encodeV1(t, all)
	if p == V2 {
		body = encodeV2(t, all)
	}
	return roundTrip(t, r, request(t, p, body))
}

// stored writes the samples of a receiver as name, offset, value.
func stored(r *Receiver) map[string][]float64 {
	all := map[string][]float64{}
	for name, points := range r.Samples() {
		for _, p := range points {
			all[name] = append(all[name], float64(p.Timestamp-base), p.Value)
		}
	}
	return all
}

func name(metric string) string {
	return labels.FromStrings("__name__", metric).String()
}

func TestRequestsAreLoggedWithTheirProtocolAndContent(t *testing.T) {
	for _, p := range []Protocol{V1, V2} {
		r := New(Config{Now: clock})
		a, b := series("a", 0, 1, 1000, 2), series("b", 0, 3)
		require.Equal(t, http.StatusNoContent, send(t, r, p, a, b).status)
		retry := request(t, p, map[Protocol][]byte{V1: encodeV1(t, []sent{a, b}), V2: encodeV2(t, []sent{a, b})}[p])
		retry.Header.Set("Retry-Attempt", "1")
		require.NotEqual(t, 0, roundTrip(t, r, retry).status)

		log := r.Requests()
		require.Len(t, log, 2)
		require.Equal(t, p, log[0].Protocol)
		require.Equal(t, []int{1, 2}, []int{log[0].Number, log[1].Number})
		require.Equal(t, []string{"", "1"}, []string{log[0].Attempt, log[1].Attempt})
		require.Equal(t, []int{3, 3}, []int{log[0].Samples, log[0].Written})
		require.Equal(t, http.StatusNoContent, log[0].Status)
		require.Equal(t, clock(), log[0].Time)
		require.Equal(t, log[0].Hash, log[1].Hash, "a retry has the same bytes")
		require.Positive(t, cmp.Compare(log[0].Bytes, 0))
		require.Equal(t, name("a"), log[0].Series[0].Labels.String())
		require.Equal(t, b.points, log[0].Series[1].Points)
		require.Empty(t, r.Violations())
	}
}
