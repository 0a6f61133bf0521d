package receiver

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// maxViolations bounds the list: whoever has made this many has learnt enough.
const maxViolations = 1000

// violate writes violations down. The caller holds the lock.
func (r *Receiver) violate(q *Request, violations []string) {
	for _, v := range violations {
		if len(r.violations) < maxViolations {
			r.violations = append(r.violations, fmt.Sprintf("request %d: %s", q.Number, v))
		}
	}
}

// headerViolations compares the headers with what the specifications ask for.
func headerViolations(req *http.Request, p Protocol) []string {
	version, contentTypes := "0.1.0", []string{"application/x-protobuf", "application/x-protobuf;proto=prometheus.WriteRequest"}
	if p == V2 {
		version, contentTypes = "2.0.0", []string{"application/x-protobuf;proto=io.prometheus.write.v2.Request"}
	}
	var found []string
	expect := func(name string, allowed ...string) {
		got := req.Header.Values(name)
		for _, want := range allowed {
			if len(got) == 1 && got[0] == want {
				return
			}
		}
		found = append(found, fmt.Sprintf("header %s is %q, want one of %q", name, got, allowed))
	}
	if req.Method != http.MethodPost {
		found = append(found, "method is "+req.Method)
	}
	expect("Content-Type", contentTypes...)
	expect("Content-Encoding", "snappy")
	expect("X-Prometheus-Remote-Write-Version", version)
	if req.Header.Get("User-Agent") == "" {
		found = append(found, "header User-Agent is missing")
	}
	if attempts := req.Header.Values("Retry-Attempt"); len(attempts) > 0 {
		if n, err := strconv.Atoi(attempts[0]); len(attempts) > 1 || err != nil || n < 1 {
			found = append(found, fmt.Sprintf("header Retry-Attempt is %q, want a number from 1", attempts))
		}
	}
	return found
}

// bodyViolations says what is wrong with a body that is no snappy block.
func bodyViolations(body []byte) []string {
	if bytes.HasPrefix(body, []byte("\xff\x06\x00\x00sNaPpY")) {
		return []string{"the body is framed snappy, want the block format"}
	}
	return []string{"the body is no snappy block"}
}

func messageViolationsV1(req *prompb.WriteRequest) []string {
	var found []string
	if len(req.Timeseries) == 0 {
		found = append(found, "the request carries nothing")
	}
	if len(req.XXX_unrecognized) > 0 { //nolint:misspell // The name of the field.
		found = append(found, "the request has unknown fields")
	}
	if len(req.Metadata) > 0 {
		found = append(found, "the request has metadata")
	}
	for i, ts := range req.Timeseries {
		unknown := len(ts.XXX_unrecognized) > 0 //nolint:misspell // The name of the field.
		for _, s := range ts.Samples {
			unknown = unknown || len(s.XXX_unrecognized) > 0 //nolint:misspell // The name of the field.
		}
		if unknown {
			found = append(found, fmt.Sprintf("series %d has unknown fields", i))
		}
		if len(ts.Exemplars)+len(ts.Histograms) > 0 {
			found = append(found, fmt.Sprintf("series %d has exemplars or histograms", i))
		}
	}
	return found
}

// messageViolationsV2 allows a request with no series: it is the probe of the
// protocol.
func messageViolationsV2(req *writev2.Request) []string {
	var found []string
	if len(req.XXX_unrecognized) > 0 { //nolint:misspell // The name of the field.
		found = append(found, "the request has unknown fields")
	}
	for i, ts := range req.Timeseries {
		unknown := len(ts.XXX_unrecognized)+len(ts.Metadata.XXX_unrecognized) > 0 //nolint:misspell // The name of the field.
		for _, s := range ts.Samples {
			unknown = unknown || len(s.XXX_unrecognized) > 0 //nolint:misspell // The name of the field.
		}
		if unknown {
			found = append(found, fmt.Sprintf("series %d has unknown fields", i))
		}
		if len(ts.Exemplars)+len(ts.Histograms) > 0 {
			found = append(found, fmt.Sprintf("series %d has exemplars or histograms", i))
		}
	}
	return append(found, symbolViolations(req)...)
}

// symbolViolations wants a table that starts with the empty string and in which
// each other symbol is there once and is used.
func symbolViolations(req *writev2.Request) []string {
	if len(req.Timeseries) == 0 && len(req.Symbols) == 0 {
		return nil
	}
	if len(req.Symbols) == 0 || req.Symbols[0] != "" {
		return []string{"the first symbol is not the empty string"}
	}
	used := make([]bool, len(req.Symbols))
	for _, ts := range req.Timeseries {
		for _, ref := range append([]uint32{ts.Metadata.HelpRef, ts.Metadata.UnitRef}, ts.LabelsRefs...) {
			if int(ref) < len(used) {
				used[ref] = true
			}
		}
	}
	var found []string
	seen := map[string]bool{}
	for i, symbol := range req.Symbols {
		if seen[symbol] {
			found = append(found, fmt.Sprintf("symbol %d %q is there twice", i, symbol))
		}
		seen[symbol] = true
		if i > 0 && !used[i] {
			found = append(found, fmt.Sprintf("symbol %d %q is not used", i, symbol))
		}
	}
	return found
}

// seriesViolations looks at the labels and the samples.
func seriesViolations(all []Series) []string {
	var found []string
	seen := make(map[string]bool, len(all))
	for i, s := range all {
		report := func(format string, args ...any) {
			found = append(found, fmt.Sprintf("series %d %s ", i, s.name)+fmt.Sprintf(format, args...))
		}
		if s.err != nil {
			report("has bad references: %v", s.err)
		}
		labelViolations(s.raw, report)
		pointViolations(s.Points, report)
		if seen[s.name] {
			report("is there twice")
		}
		seen[s.name] = true
	}
	return found
}

func labelViolations(raw []labels.Label, report func(string, ...any)) {
	named := false
	for i, l := range raw {
		named = named || l.Name == model.MetricNameLabel
		switch {
		case i > 0 && l.Name == raw[i-1].Name:
			report("has the label %q twice", l.Name)
		case i > 0 && l.Name < raw[i-1].Name:
			report("has unsorted labels: %q after %q", l.Name, raw[i-1].Name)
		}
		if l.Name == "" || l.Value == "" {
			report("has an empty name or value: %q=%q", l.Name, l.Value)
		}
		if !utf8.ValidString(l.Name) || !utf8.ValidString(l.Value) {
			report("has a label that is no UTF-8: %q=%q", l.Name, l.Value)
		}
	}
	if !named {
		report("has no metric name")
	}
}

func pointViolations(points []Point, report func(string, ...any)) {
	if len(points) == 0 {
		report("has no samples")
	}
	for i, p := range points {
		switch {
		case i > 0 && p.Timestamp == points[i-1].Timestamp:
			report("has the timestamp %d twice", p.Timestamp)
		case i > 0 && p.Timestamp < points[i-1].Timestamp:
			report("is out of order: %d after %d", p.Timestamp, points[i-1].Timestamp)
		}
		if value.IsStaleNaN(p.Value) {
			report("has the stale marker at %d", p.Timestamp)
		}
	}
}
