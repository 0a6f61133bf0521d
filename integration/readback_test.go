//go:build integration

package integration

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// All other tests trust what is read back, so it is held against each receiver with
// samples that were written by other means.
func TestWhatIsReadBackIsExactlyWhatIsStored(t *testing.T) {
	for _, kind := range servers.Kinds() {
		if kind.Present() != nil {
			continue // TestMain names it, and fails in CI.
		}
		t.Run(string(kind), func(t *testing.T) {
			receiver := lab.Receiver(t, servers.ReceiverOptions{Kind: kind})
			start := time.Now().Add(-time.Minute).UnixMilli()
			write(t, receiver, prompb.Sample{Timestamp: start, Value: 0.1}, prompb.Sample{Timestamp: start + 1, Value: 2})

			labels := map[string]string{"__name__": "up", "job": "a"}
			ledger := func(first, second int64, value float64) *harness.Ledger {
				var l harness.Ledger
				l.Add(labels, first, value)
				l.Add(labels, second, 2)
				return &l
			}
			harness.RequireStored(t, receiver, ledger(start, start+1, 0.1))
			differs := func(l *harness.Ledger) harness.Difference {
				d := harness.Compare(l, harness.Stored(t, receiver, l))
				d.Examples = nil
				return d
			}
			require.Equal(t, harness.Difference{Wrong: 1}, differs(ledger(start, start+1, 0.2)))
			require.Equal(t, harness.Difference{Missing: 1, Phantom: 1}, differs(ledger(start, start+2, 0.1)))
		})
	}
}

// write sends samples of one series by remote write 1.0.
func write(t *testing.T, receiver *servers.Receiver, samples ...prompb.Sample) {
	t.Helper()
	request := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{
		Labels:  []prompb.Label{{Name: "__name__", Value: "up"}, {Name: "job", Value: "a"}},
		Samples: samples,
	}}}
	body, err := request.Marshal()
	require.NoError(t, err)
	post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, receiver.WriteURL(), bytes.NewReader(snappy.Encode(nil, body)))
	require.NoError(t, err)
	post.Header.Set("Content-Encoding", "snappy")
	post.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := http.DefaultClient.Do(post)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
}
