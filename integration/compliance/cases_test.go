package compliance

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/compliance/remotewrite/sender"
	"github.com/stretchr/testify/require"
)

// ownCases are cases in the form of the suite for rules that it does not look at
// yet. Each is there for both versions of the protocol.
func ownCases() []sender.Test {
	var all []sender.Test
	for _, version := range []remote.WriteMessageType{remote.WriteV1MessageType, remote.WriteV2MessageType} {
		for _, test := range []sender.Test{headers(version), labels(), values(), retries(), refusal(version)} {
			test.Version, test.RFCLevel = version, sender.MustLevel
			all = append(all, test)
		}
	}
	return append(all, symbols())
}

// headers of the request, and its method.
func headers(version remote.WriteMessageType) sender.Test {
	want := map[string]string{
		"Content-Encoding":                  "snappy",
		"Content-Type":                      "application/x-protobuf",
		"X-Prometheus-Remote-Write-Version": "0.1.0",
	}
	if version == remote.WriteV2MessageType {
		want["Content-Type"] = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
		want["X-Prometheus-Remote-Write-Version"] = "2.0.0"
	}
	return sender.Test{
		Name:        "headers",
		Description: "Senders MUST send the reserved headers with a POST request",
		ScrapeData:  "x 1\n",
		Validate: func(t *testing.T, res sender.ReceiverResult) {
			require.NotEmpty(t, res.Requests)
			q := res.Requests[0]
			require.Equal(t, http.MethodPost, q.Method)
			for name, value := range want {
				require.Equal(t, []string{value}, q.Headers.Values(name), name)
			}
			require.Regexp(t, `^kafka2prom/\S+$`, q.Headers.Get("User-Agent"), "a name and a version, as RFC 9110 has it")
		},
	}
}

// labels are complete, sorted and not empty, whatever is in them.
func labels() sender.Test {
	return sender.Test{
		Name:        "labels",
		Description: "Labels MUST be complete, sorted, unique and without empty names or values",
		ScrapeData:  `x{zone="z",Zone="Z",empty="",_a="1",a="2",text="\"\\\n Oslo 🚀"} 1` + "\n",
		Validate: func(t *testing.T, res sender.ReceiverResult) {
			require.NotEmpty(t, res.Requests)
			s := find(t, res.Requests[0], "x")
			instance := s.label("instance")
			require.NotEmpty(t, instance)
			require.Equal(t, [][2]string{
				{"Zone", "Z"},
				{"__name__", "x"},
				{"_a", "1"},
				{"a", "2"},
				{"instance", instance},
				{"job", "test"},
				{"text", "\"\\\n Oslo 🚀"},
				{"zone", "z"},
			}, s.labels)
		},
	}
}

// values are doubles bit for bit, and timestamps milliseconds.
func values() sender.Test {
	want := map[string]float64{
		"zero":          0,
		"negative_zero": math.Copysign(0, -1),
		"inf":           math.Inf(1),
		"negative_inf":  math.Inf(-1),
		"largest":       math.MaxFloat64,
		"smallest":      math.SmallestNonzeroFloat64,
		"precise":       0.1234567890123456,
		"nan":           math.Float64frombits(0x7ff8000000000001),
	}
	page := "old 1 1.001\nrounded 1 1763820000.123\n"
	for name, v := range want {
		page += name + " " + strconv.FormatFloat(v, 'g', -1, 64) + " 1763820000.999\n"
	}
	return sender.Test{
		Name:        "values",
		Description: "Values MUST be float64, timestamps int64 milliseconds; the stale marker MUST NOT stand for another NaN",
		ScrapeData:  page,
		Validate: func(t *testing.T, res sender.ReceiverResult) {
			require.NotEmpty(t, res.Requests)
			q := res.Requests[0]
			for name, v := range want {
				s := find(t, q, name)
				require.Len(t, s.samples, 1)
				require.Equal(t, math.Float64bits(v), math.Float64bits(s.samples[0].Value), name)
				require.Equal(t, int64(1_763_820_000_999), s.samples[0].Timestamp, name)
				require.Zero(t, s.samples[0].StartTimestamp, "it is not known: 0 stands for unset")
			}
			require.Equal(t, int64(1001), find(t, q, "old").samples[0].Timestamp, "no limit to how old a sample may be")
			require.Equal(t, int64(1_763_820_000_123), find(t, q, "rounded").samples[0].Timestamp)
		},
	}
}

// retries are the same bytes until they land.
func retries() sender.Test {
	failures := []sender.ReceiverResponse{
		{StatusCode: 500, Body: "out of order sample"},
		{StatusCode: 503},
		{StatusCode: 599},
		{StatusCode: 429, Headers: map[string]string{"Retry-After": "1"}},
	}
	return sender.Test{
		Name:          "retries",
		Description:   "Senders MUST retry on 5xx, and MAY on 429",
		ScrapeData:    "x 1\n",
		TestResponses: append(failures, sender.ReceiverResponse{}),
		Validate: func(t *testing.T, res sender.ReceiverResult) {
			require.Len(t, res.Requests, len(failures)+1)
			for i, q := range res.Requests {
				require.Equal(t, res.Requests[0].Body, q.Body, "request %d", i)
				attempt := ""
				if i > 0 {
					attempt = strconv.Itoa(i)
				}
				require.Equal(t, attempt, q.Headers.Get("Retry-Attempt"), "request %d", i)
			}
		},
	}
}

// refusal is final for a request. Under 1.0, where nothing of it is stored, smaller
// ones look for the samples at fault; under 2.0 nothing of it comes again.
func refusal(version remote.WriteMessageType) sender.Test {
	return sender.Test{
		Name:        "refusal",
		Description: "Senders MUST NOT retry a request on 4xx other than 429",
		ScrapeData:  "x 1\ny 2\nz 3\n",
		TestResponses: []sender.ReceiverResponse{{
			StatusCode: 400, Body: "out of bounds",
			Headers: map[string]string{"X-Prometheus-Remote-Write-Samples-Written": "3"},
		}, {}, {}},
		Validate: func(t *testing.T, res sender.ReceiverResult) {
			require.Len(t, res.Requests, 3)
			refused := pointsOf(t, res.Requests[0])
			require.Len(t, refused, 4, "x, y, z and up")
			for _, q := range res.Requests[1:] {
				again := slices.DeleteFunc(pointsOf(t, q), func(p point) bool { return !slices.Contains(refused, p) })
				require.Less(t, len(again), len(refused), "the request came again")
				if version == remote.WriteV2MessageType {
					require.Empty(t, again)
				}
			}
		},
	}
}

// symbols are what 2.0 has in the place of labels.
func symbols() sender.Test {
	return sender.Test{
		Name:        "symbols",
		Description: "The symbols MUST start with the empty string and be deduplicated",
		RFCLevel:    sender.MustLevel,
		Version:     remote.WriteV2MessageType,
		ScrapeData:  `a{b="a",c="b"} 1` + "\n" + `c{a="b",b="c"} 1` + "\n",
		Validate: func(t *testing.T, res sender.ReceiverResult) {
			require.NotEmpty(t, res.Requests)
			req := res.Requests[0].RW2
			require.Len(t, req.Timeseries, 3)
			require.Empty(t, req.Symbols[0])
			instance := find(t, res.Requests[0], "up").label("instance")
			require.ElementsMatch(t, []string{"", "__name__", "a", "b", "c", "up", "job", "test", "instance", instance}, req.Symbols)
			for _, ts := range req.Timeseries {
				require.Len(t, ts.Samples, 1)
				require.Empty(t, ts.Histograms, "samples and histograms MUST NOT be together")
			}
		},
	}
}
