package receiver

import (
	"fmt"

	"github.com/gogo/protobuf/proto"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// message is a decoded request.
type message struct {
	series     []Series
	violations []string
}

// decode reads an uncompressed body. What can be said about one that cannot be
// read is among the violations.
func decode(p Protocol, body []byte) (message, error) {
	var msg message
	var err error
	if p == V2 {
		msg, err = decodeV2(body)
	} else {
		msg, err = decodeV1(body)
	}
	for i := range msg.series {
		msg.series[i].name = msg.series[i].Labels.String()
	}
	msg.violations = append(msg.violations, seriesViolations(msg.series)...)
	return msg, err
}

func decodeV1(body []byte) (message, error) {
	var req prompb.WriteRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return message{violations: []string{"the body is no prometheus.WriteRequest"}}, err
	}
	msg := message{violations: messageViolationsV1(&req)}
	var builder labels.ScratchBuilder
	for _, ts := range req.Timeseries {
		s := Series{Labels: ts.ToLabels(&builder, nil)}
		for _, l := range ts.Labels {
			s.raw = append(s.raw, labels.Label{Name: l.Name, Value: l.Value})
		}
		for _, p := range ts.Samples {
			s.Points = append(s.Points, Point{Timestamp: p.Timestamp, Value: p.Value})
		}
		msg.series = append(msg.series, s)
	}
	return msg, nil
}

func decodeV2(body []byte) (message, error) {
	var req writev2.Request
	if err := proto.Unmarshal(body, &req); err != nil {
		return message{violations: []string{"the body is no io.prometheus.write.v2.Request"}}, err
	}
	msg := message{violations: messageViolationsV2(&req)}
	var builder labels.ScratchBuilder
	for _, ts := range req.Timeseries {
		s := readV2(ts, req.Symbols, &builder)
		for _, p := range ts.Samples {
			s.Points = append(s.Points, Point{Timestamp: p.Timestamp, Value: p.Value})
		}
		msg.series = append(msg.series, s)
	}
	return msg, nil
}

// readV2 resolves the references of a series.
func readV2(ts writev2.TimeSeries, symbols []string, builder *labels.ScratchBuilder) Series {
	ls, err := ts.ToLabels(builder, symbols)
	if err != nil {
		return Series{err: fmt.Errorf("parsing labels for series %v: %w", ts.LabelsRefs, err)}
	}
	s := Series{Labels: ls, raw: rawLabels(ts.LabelsRefs, symbols)}
	if _, err := ts.ToMetadata(symbols); err != nil {
		s.err = fmt.Errorf("parsing metadata for series %v: %w", ts.LabelsRefs, err)
	}
	return s
}

// rawLabels are the labels in wire order. The references have been checked.
func rawLabels(refs []uint32, symbols []string) []labels.Label {
	raw := make([]labels.Label, 0, len(refs)/2)
	for i := 0; i+1 < len(refs); i += 2 {
		raw = append(raw, labels.Label{Name: symbols[refs[i]], Value: symbols[refs[i+1]]})
	}
	return raw
}
