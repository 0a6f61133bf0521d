package compliance

import (
	"testing"

	"github.com/prometheus/compliance/remotewrite/sender"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"
)

// series is one of a request, in either version.
type series struct {
	labels  [][2]string // In wire order.
	samples []writev2.Sample
}

// name is the metric name.
func (s series) name() string { return s.label("__name__") }

// label returns the value of a label, empty where there is none.
func (s series) label(name string) string {
	for _, l := range s.labels {
		if l[0] == name {
			return l[1]
		}
	}
	return ""
}

// seriesOf decodes a request.
func seriesOf(t *testing.T, q sender.ReceiverRequest) []series {
	t.Helper()
	require.NoError(t, q.Err)
	if q.RW2 != nil {
		return seriesOf2(t, q.RW2)
	}
	return seriesOf1(q.RW1)
}

func seriesOf1(req *prompb.WriteRequest) []series {
	var all []series
	for _, ts := range req.Timeseries {
		var s series
		for _, l := range ts.Labels {
			s.labels = append(s.labels, [2]string{l.Name, l.Value})
		}
		for _, x := range ts.Samples {
			s.samples = append(s.samples, writev2.Sample{Value: x.Value, Timestamp: x.Timestamp})
		}
		all = append(all, s)
	}
	return all
}

func seriesOf2(t *testing.T, req *writev2.Request) []series {
	t.Helper()
	var all []series
	for _, ts := range req.Timeseries {
		s := series{samples: ts.Samples}
		require.Zero(t, len(ts.LabelsRefs)%2, "references come in pairs")
		for i := 0; i < len(ts.LabelsRefs); i += 2 {
			name, value := ts.LabelsRefs[i], ts.LabelsRefs[i+1]
			require.Less(t, int(max(name, value)), len(req.Symbols), "a reference points out of the symbols")
			s.labels = append(s.labels, [2]string{req.Symbols[name], req.Symbols[value]})
		}
		all = append(all, s)
	}
	return all
}

// find returns the only series of a name.
func find(t *testing.T, q sender.ReceiverRequest, name string) series {
	t.Helper()
	var found []series
	for _, s := range seriesOf(t, q) {
		if s.name() == name {
			found = append(found, s)
		}
	}
	require.Len(t, found, 1, "series named %s", name)
	return found[0]
}

// point is a sample of a series: what must not be sent twice.
type point struct {
	name      string
	timestamp int64
}

func pointsOf(t *testing.T, q sender.ReceiverRequest) []point {
	t.Helper()
	var all []point
	for _, s := range seriesOf(t, q) {
		for _, x := range s.samples {
			all = append(all, point{name: s.name(), timestamp: x.Timestamp})
		}
	}
	return all
}
