package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// sink is a receiver that counts, and adds up a checksum over every sample.
type sink struct {
	server                   *http.Server
	url                      string
	samples, requests, bytes atomic.Int64
	checksum                 atomic.Uint64
	once                     sync.Once
	first                    time.Time // When the first sample was accepted.
	refuseV2                 bool
}

func newSink(protocol string) (*sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It binds at once.
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	s := &sink{url: "http://" + listener.Addr().String(), refuseV2: protocol == "1.0"}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(listener) }() // It ends with Close.
	return s, nil
}

func (s *sink) close() { _ = s.server.Close() } // Every answer has been given.

// ServeHTTP implements http.Handler.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		s.bytes.Add(int64(len(body)))
		body, err = snappy.Decode(nil, body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v2 := strings.Contains(r.Header.Get("Content-Type"), "v2")
	if v2 && s.refuseV2 {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	count := s.count1
	if v2 {
		count = s.count2
	}
	n, err := count(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if n > 0 {
		s.once.Do(func() { s.first = time.Now() })
	}
	s.samples.Add(n)
	s.requests.Add(1)
	if v2 {
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", strconv.FormatInt(n, 10))
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *sink) count1(body []byte) (n int64, err error) {
	var req prompb.WriteRequest
	if err := req.Unmarshal(body); err != nil {
		return 0, fmt.Errorf("decoding 1.0: %w", err)
	}
	for _, ts := range req.Timeseries {
		set := make([][2]string, len(ts.Labels))
		for i, l := range ts.Labels {
			set[i] = [2]string{l.Name, l.Value}
		}
		series := hashLabels(set)
		for _, p := range ts.Samples {
			s.checksum.Add(hashSample(series, p.Timestamp, p.Value))
			n++
		}
	}
	return n, nil
}

func (s *sink) count2(body []byte) (n int64, err error) {
	var req writev2.Request
	if err := req.Unmarshal(body); err != nil {
		return 0, fmt.Errorf("decoding 2.0: %w", err)
	}
	var builder labels.ScratchBuilder
	for _, ts := range req.Timeseries {
		sorted, err := ts.ToLabels(&builder, req.Symbols)
		if err != nil {
			return 0, fmt.Errorf("reading labels: %w", err)
		}
		var set [][2]string
		sorted.Range(func(l labels.Label) { set = append(set, [2]string{l.Name, l.Value}) })
		series := hashLabels(set)
		for _, p := range ts.Samples {
			s.checksum.Add(hashSample(series, p.Timestamp, p.Value))
			n++
		}
	}
	return n, nil
}
