package main

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The benchmark must notice a sample that is missing, doubled or wrong.
func TestTheChecksumTellsEverySampleApart(t *testing.T) {
	series := hashLabels([][2]string{{"__name__", "a"}, {"b", "c"}})
	other := hashLabels([][2]string{{"__name__", "a"}, {"b", "d"}})
	seen := map[uint64]bool{}
	for _, sum := range []uint64{
		hashSample(series, 1, 1), hashSample(series, 2, 1), hashSample(series, 1, 2), hashSample(other, 1, 1), 2 * hashSample(series, 1, 1), 0,
	} {
		require.False(t, seen[sum])
		seen[sum] = true
	}
}

func TestTheSinkCountsWhatATopicHolds(t *testing.T) {
	s := shape{records: 100, series: 10, partitions: 2, protocol: "1.0"}
	topic, err := newTopic(t.Context(), s, "")
	require.NoError(t, err)
	defer topic.close()
	require.Equal(t, 100, countRecords(t, topic))

	sink, err := newSink(s.protocol)
	require.NoError(t, err)
	defer sink.close()
	message := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{
		Labels:  []prompb.Label{{Name: "__name__", Value: "a"}},
		Samples: []prompb.Sample{{Timestamp: 1, Value: 2}, {Timestamp: 3, Value: 4}},
	}}}
	raw, err := message.Marshal()
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, post(t, sink.url, "application/x-protobuf", snappy.Encode(nil, raw)))
	require.Equal(t, int64(2), sink.samples.Load())
	series := hashLabels([][2]string{{"__name__", "a"}})
	require.Equal(t, hashSample(series, 1, 2)+hashSample(series, 3, 4), sink.checksum.Load())
	require.Equal(t, http.StatusBadRequest, post(t, sink.url, "application/x-protobuf", []byte("nonsense")))
	require.Equal(t, http.StatusUnsupportedMediaType, post(t, sink.url, "application/x-protobuf;proto=io.prometheus.write.v2.Request", snappy.Encode(nil, nil)))
}

func countRecords(t *testing.T, topic *topic) (n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(topic.brokers...), kgo.ConsumeTopics(topicName), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	for n < 100 {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		n += fetches.NumRecords()
	}
	return n
}

func post(t *testing.T, url, contentType string, body []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}
