package main

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTheChecksumTellsEverySampleApart(t *testing.T) {
	series, other := hashLabels([]label{{"__name__", "a"}, {"b", "c"}}), hashLabels([]label{{"__name__", "a"}, {"b", "d"}})
	turned, moved := hashLabels([]label{{"b", "c"}, {"__name__", "a"}}), hashLabels([]label{{"__name__", "ab"}, {"", "c"}})
	seen := map[uint64]bool{}
	for _, sum := range []uint64{
		0, hashSample(series, 1, 1), hashSample(series, 2, 1), hashSample(series, 1, 2), hashSample(series, 1, -1), hashSample(series, 1, 0),
		hashSample(other, 1, 1), hashSample(turned, 1, 1), hashSample(moved, 1, 1), 2 * hashSample(series, 1, 1),
		hashSample(series, 1, 1) + hashSample(series, 2, 2), hashSample(series, 1, 2) + hashSample(series, 2, 1),
	} {
		require.False(t, seen[sum])
		seen[sum] = true
	}
}

// request is what both versions of remote write can say.
type request []struct {
	labels  []label
	samples []prompb.Sample
}

func drawRequest(t *rapid.T) request {
	r := make(request, rapid.IntRange(0, 4).Draw(t, "series"))
	for i := range r {
		for range rapid.IntRange(0, 3).Draw(t, "labels") {
			r[i].labels = append(r[i].labels, label{rapid.String().Draw(t, "name"), rapid.String().Draw(t, "value")})
		}
		for range rapid.IntRange(0, 3).Draw(t, "samples") {
			r[i].samples = append(r[i].samples, prompb.Sample{Timestamp: rapid.Int64().Draw(t, "at"), Value: rapid.Float64().Draw(t, "value") + 0}) // The encoders leave out -0 as if it were 0.
		}
	}
	return r
}

func (r request) v1(t require.TestingT) []byte {
	var message prompb.WriteRequest
	for _, s := range r {
		ts := prompb.TimeSeries{Samples: s.samples}
		for _, l := range s.labels {
			ts.Labels = append(ts.Labels, prompb.Label{Name: l.name, Value: l.value})
		}
		message.Timeseries = append(message.Timeseries, ts)
	}
	raw, err := message.Marshal()
	require.NoError(t, err)
	return raw
}

func (r request) v2(t require.TestingT) []byte {
	symbols := writev2.NewSymbolTable()
	var message writev2.Request
	for _, s := range r {
		var ts writev2.TimeSeries
		for _, l := range s.labels {
			ts.LabelsRefs = append(ts.LabelsRefs, symbols.Symbolize(l.name), symbols.Symbolize(l.value)) //nolint:misspell // Its authors spell it so.
		}
		for _, p := range s.samples {
			ts.Samples = append(ts.Samples, writev2.Sample{Timestamp: p.Timestamp, Value: p.Value})
		}
		message.Timeseries = append(message.Timeseries, ts)
	}
	message.Symbols = symbols.Symbols()
	raw, err := message.Marshal()
	require.NoError(t, err)
	return raw
}

func TestBothProtocolsAreCountedAsTheyWereEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		var samples int64
		var checksum uint64
		times := []int64{}
		for _, s := range r {
			for _, p := range s.samples {
				samples++
				checksum += hashSample(hashLabels(s.labels), p.Timestamp, p.Value)
				times = append(times, p.Timestamp)
			}
		}
		tally := tally{samples: 99, checksum: 99, times: []int64{99}, symbols: [][]byte{{9}}} // Left over from another request.
		for _, v2 := range []bool{false, true} {
			raw := r.v1(t)
			if v2 {
				raw = r.v2(t)
			}
			require.NoError(t, tally.count(raw, v2))
			require.Equal(t, samples, tally.samples)
			require.Equal(t, checksum, tally.checksum)
			require.Equal(t, times, append([]int64{}, tally.times...))
		}
	})
}

func FuzzNoRequestBreaksTheCount(f *testing.F) {
	r := request{{[]label{{"__name__", "a"}}, []prompb.Sample{{Timestamp: 1, Value: 2}}}}
	f.Add(r.v1(f), false)
	f.Add(r.v2(f), true)
	f.Add([]byte{0x0a, 0xff}, false)
	f.Add([]byte{0x2a, 2, 0x0a, 0}, true)
	f.Fuzz(func(t *testing.T, body []byte, v2 bool) {
		var c tally
		err := c.count(body, v2)
		var oracle prompb.WriteRequest
		if v2 || err != nil || oracle.Unmarshal(body) != nil {
			return
		}
		samples := 0
		for _, ts := range oracle.Timeseries {
			samples += len(ts.Samples)
		}
		require.Equal(t, int64(samples), c.samples)
		require.Len(t, c.times, samples)
	})
}

func TestTheSinkRefusesWhatItCannotRead(t *testing.T) {
	s, err := newSink("1.0", 0)
	require.NoError(t, err)
	defer s.close()
	const v1, v2 = "application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"
	good := request{{[]label{{"__name__", "a"}}, []prompb.Sample{{Timestamp: 1, Value: 2}, {Timestamp: 3, Value: 4}}}}
	f := func(contentType string, body []byte, status int) {
		t.Helper()
		require.Equal(t, status, post(t, s.url, contentType, body))
	}
	f(v1, snappy.Encode(nil, good.v1(t)), http.StatusNoContent)
	f(v1, []byte("nonsense"), http.StatusBadRequest)
	f(v1, snappy.Encode(nil, []byte{0x0a, 0xff}), http.StatusBadRequest)
	f(v2, snappy.Encode(nil, good.v2(t)), http.StatusUnsupportedMediaType)
	got := s.received()
	require.Equal(t, int64(2), got.Samples)
	require.Equal(t, int64(1), got.Requests)
	series := hashLabels([]label{{"__name__", "a"}})
	wanted := &topic{produced: 2, checksum: hashSample(series, 1, 2) + hashSample(series, 3, 4)}
	require.NoError(t, got.verify(wanted))
	wanted.checksum++
	require.ErrorContains(t, got.verify(wanted), "2 samples with checksum")

	newer, err := newSink("2.0", 0)
	require.NoError(t, err)
	defer newer.close()
	require.Equal(t, http.StatusNoContent, post(t, newer.url, v2, snappy.Encode(nil, good.v2(t))))
	require.Equal(t, int64(2), newer.received().Samples)
}

func post(t *testing.T, url, contentType string, body []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}
