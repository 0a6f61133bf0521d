package receiver

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/value"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"
)

func TestSeriesAndSamplesThatNoSenderMaySend(t *testing.T) {
	one := []Point{{base, 1}}
	for _, row := range []struct {
		name string
		send []sent
		want string
	}{
		{"unsorted", []sent{{[]string{"__name__", "a", "z", "1", "b", "2"}, one}}, `unsorted labels: "b" after "z"`},
		{"duplicated", []sent{{[]string{"__name__", "a", "b", "1", "b", "2"}, one}}, `the label "b" twice`},
		{"empty value", []sent{{[]string{"__name__", "a", "b", ""}, one}}, `empty name or value: "b"=""`},
		{"empty name", []sent{{[]string{"", "x", "__name__", "a"}, one}}, `empty name or value: ""="x"`},
		{"no UTF-8", []sent{{[]string{"__name__", "a", "b", "\xff"}, one}}, `no UTF-8: "b"="\xff"`},
		{"nameless", []sent{{[]string{"b", "x"}, one}}, "no metric name"},
		{"no samples", []sent{{[]string{"__name__", "a"}, nil}}, "no samples"},
		{"twice", []sent{series("a", 0, 1), series("b", 0, 1), series("a", 1, 1)}, "series 2 " + name("a") + " is there twice"},
		{"out of order", []sent{series("a", 2, 1, 1, 1)}, "out of order: 1800000000001 after 1800000000002"},
		{"one time twice", []sent{series("a", 2, 1, 2, 1)}, "the timestamp 1800000000002 twice"},
		{"stale marker", []sent{series("a", 0, math.Float64frombits(value.StaleNaN))}, "the stale marker at 1800000000000"},
	} {
		for _, p := range []Protocol{V1, V2} {
			t.Run(row.name+" in "+string(p), func(t *testing.T) {
				r := New(Config{Now: clock})
				send(t, r, p, row.send...)
				require.Len(t, r.Violations(), 1)
				require.Contains(t, r.Violations()[0], "request 1: ")
				require.Contains(t, r.Violations()[0], row.want)
			})
		}
	}
}

func TestOtherNaNsAndInfinitiesAreNoViolation(t *testing.T) {
	r := New(Config{Now: clock})
	send(t, r, V1, series("a", 0, math.NaN(), 1, math.Inf(1), 2, math.Inf(-1), 3, math.Float64frombits(value.NormalNaN)))
	require.Empty(t, r.Violations())
	require.Len(t, r.Samples()[name("a")], 4)
}

func TestHeadersThatTheSpecificationAsksFor(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(http.Header)
		want   string
	}{
		{"no version", func(h http.Header) { h.Del("X-Prometheus-Remote-Write-Version") }, "X-Prometheus-Remote-Write-Version"},
		{"wrong version", func(h http.Header) { h.Set("X-Prometheus-Remote-Write-Version", "9") }, "X-Prometheus-Remote-Write-Version"},
		{"no encoding", func(h http.Header) { h.Del("Content-Encoding") }, "Content-Encoding"},
		{"no content type", func(h http.Header) { h.Del("Content-Type") }, "Content-Type"},
		{"two content types", func(h http.Header) { h.Add("Content-Type", h.Get("Content-Type")) }, "Content-Type"},
		{"no user agent", func(h http.Header) { h.Del("User-Agent") }, "User-Agent"},
		{"attempt zero", func(h http.Header) { h.Set("Retry-Attempt", "0") }, "Retry-Attempt"},
		{"attempt in words", func(h http.Header) { h.Set("Retry-Attempt", "first") }, "Retry-Attempt"},
	} {
		for _, p := range []Protocol{V1, V2} {
			t.Run(row.name+" in "+string(p), func(t *testing.T) {
				r := New(Config{Now: clock})
				body := encodeV1(t, []sent{series("a", 0, 1)})
				if p == V2 {
					body = encodeV2(t, []sent{series("a", 0, 1)})
				}
				req := request(t, p, body)
				row.change(req.Header)
				roundTrip(t, r, req)
				require.NotEmpty(t, r.Violations())
				require.Contains(t, r.Violations()[0], row.want)
			})
		}
	}
}

func TestTheBodyIsOneSnappyBlock(t *testing.T) {
	var framed bytes.Buffer
	w := snappy.NewBufferedWriter(&framed)
	_, err := w.Write(encodeV1(t, []sent{series("a", 0, 1)}))
	require.NoError(t, err)
	require.NoError(t, w.Close())

	for body, want := range map[string]string{
		framed.String():                       "the body is framed snappy, want the block format",
		"plain":                               "the body is no snappy block",
		string(snappy.Encode(nil, []byte{9})): "the body is no prometheus.WriteRequest",
	} {
		r := New(Config{Now: clock})
		req := request(t, V1, nil)
		req.Body = io.NopCloser(bytes.NewBufferString(body))
		require.Equal(t, http.StatusBadRequest, roundTrip(t, r, req).status)
		require.Equal(t, []string{"request 1: " + want}, r.Violations())
	}
}

func TestARequestCarriesSamplesAndNothingElse(t *testing.T) {
	r := New(Config{Now: clock})
	send(t, r, V1)
	unknown := append(encodeV1(t, []sent{series("a", 0, 1)}), 0x78, 0x01) // Field 15.
	roundTrip(t, r, request(t, V1, unknown))
	require.Equal(t, []string{"request 1: the request carries nothing", "request 2: the request has unknown fields"}, r.Violations())
}

func TestTheSymbolTableIsExact(t *testing.T) {
	samples := []writev2.Sample{{Timestamp: base, Value: 1}}
	for _, row := range []struct {
		name    string
		symbols []string
		refs    []uint32
		want    string
		status  int
	}{
		{"exact", []string{"", "__name__", "a"}, []uint32{1, 2}, "", 204},
		{"first not empty", []string{"__name__", "a"}, []uint32{0, 1}, "the first symbol is not the empty string", 204},
		{"unused", []string{"", "__name__", "a", "b"}, []uint32{1, 2}, `symbol 3 "b" is not used`, 204},
		{"twice", []string{"", "__name__", "a", "x", "a"}, []uint32{1, 2, 3, 4}, `symbol 4 "a" is there twice`, 204},
		{"out of the table", []string{"", "__name__"}, []uint32{1, 2}, "bad references", 400},
		{"half a label", []string{"", "__name__"}, []uint32{1}, "bad references", 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			body, err := (&writev2.Request{Symbols: row.symbols, Timeseries: []writev2.TimeSeries{{LabelsRefs: row.refs, Samples: samples}}}).Marshal()
			require.NoError(t, err)
			r := New(Config{Now: clock})
			require.Equal(t, row.status, roundTrip(t, r, request(t, V2, body)).status)
			if row.want == "" {
				require.Empty(t, r.Violations())
				return
			}
			require.NotEmpty(t, r.Violations())
			require.Contains(t, r.Violations()[0], row.want)
		})
	}
}

func TestTheListOfViolationsIsBounded(t *testing.T) {
	r := New(Config{Now: clock})
	var many []sent
	for range maxViolations + 10 {
		many = append(many, sent{labels: []string{"b", "x"}, points: []Point{{base, 1}}})
	}
	send(t, r, V1, many...)
	require.Len(t, r.Violations(), maxViolations)
}
