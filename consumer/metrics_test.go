package consumer

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/kafka2prom/kafka2prom/transform"
)

func (l *loose) requireMetrics(t *testing.T, want string, names ...string) {
	t.Helper()
	registry := l.opts.Registerer.(*prometheus.Registry)
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(want), names...))
}

func TestEveryCounterHasItsZeroFromTheStart(t *testing.T) {
	l := newLoose(t)
	l.requireMetrics(t, `
# HELP kafka2prom_batches_total Batches by why they were closed: full, bytes, age, revoke, end.
# TYPE kafka2prom_batches_total counter
kafka2prom_batches_total{reason="age"} 0
kafka2prom_batches_total{reason="bytes"} 0
kafka2prom_batches_total{reason="end"} 0
kafka2prom_batches_total{reason="full"} 0
kafka2prom_batches_total{reason="revoke"} 0
# HELP kafka2prom_commits_total Offset commits by result: ok, failed.
# TYPE kafka2prom_commits_total counter
kafka2prom_commits_total{result="failed"} 0
kafka2prom_commits_total{result="ok"} 0
# HELP kafka2prom_rebalances_total Changes of the assignment: assigned, revoked, lost.
# TYPE kafka2prom_rebalances_total counter
kafka2prom_rebalances_total{kind="assigned"} 0
kafka2prom_rebalances_total{kind="lost"} 0
kafka2prom_rebalances_total{kind="revoked"} 0
# HELP kafka2prom_records_consumed_total Records that were read and mapped. Equals the sum of kafka2prom_records_total and kafka2prom_records_in_flight.
# TYPE kafka2prom_records_consumed_total counter
kafka2prom_records_consumed_total 0
# HELP kafka2prom_records_filtered_total Records that gave no sample, by the rule that says so.
# TYPE kafka2prom_records_filtered_total counter
kafka2prom_records_filtered_total{reason="dropped"} 0
kafka2prom_records_filtered_total{reason="no_value"} 0
kafka2prom_records_filtered_total{reason="out_of_span"} 0
kafka2prom_records_filtered_total{reason="possibly_stored"} 0
kafka2prom_records_filtered_total{reason="skipped"} 0
kafka2prom_records_filtered_total{reason="tombstone"} 0
# HELP kafka2prom_records_in_flight Records that were mapped and are not settled yet.
# TYPE kafka2prom_records_in_flight gauge
kafka2prom_records_in_flight 0
# HELP kafka2prom_records_total Records by what became of them: written, dead_lettered, filtered (by a named rule), abandoned (revoked, lost or stopped before they were settled: they come again).
# TYPE kafka2prom_records_total counter
kafka2prom_records_total{outcome="abandoned"} 0
kafka2prom_records_total{outcome="dead_lettered"} 0
kafka2prom_records_total{outcome="filtered"} 0
kafka2prom_records_total{outcome="written"} 0
`, "kafka2prom_batches_total", "kafka2prom_commits_total", "kafka2prom_rebalances_total", "kafka2prom_records_consumed_total",
		"kafka2prom_records_filtered_total", "kafka2prom_records_in_flight", "kafka2prom_records_total")
}

func TestASecondConsumerOnOneRegistryIsAnError(t *testing.T) {
	l := newLoose(t)
	_, err := New(l.cfg, l.opts)
	require.ErrorContains(t, err, "registering the consumer's metrics")
}

func TestTheMetricsFollowTheRecords(t *testing.T) {
	l := newLoose(t, func(c *Config, _ *Options) { c.OnError = onErrorSkip })
	l.assign(0)
	f := kgo.FetchPartition{Partition: 0, HighWatermark: 20, LastStableOffset: 20}
	for s := range 5 {
		f.Records = append(f.Records, looseRecord(0, s))
	}
	f.Records[1].Value = nil
	l.feed(f)
	l.submit(closedAge)
	v := landing()
	v.refused = append(v.refused, refusal(f.Records[2], transform.ReasonRefused))
	l.settleNext(v)
	l.poll(0, 5, 8)
	l.know(0, 20)
	l.requireMetrics(t, `
# HELP kafka2prom_consumer_lag Offsets between what is settled and the end of what can be read.
# TYPE kafka2prom_consumer_lag gauge
kafka2prom_consumer_lag{partition="0",topic="readings"} 15
# HELP kafka2prom_partitions_assigned Partitions that this instance holds.
# TYPE kafka2prom_partitions_assigned gauge
kafka2prom_partitions_assigned 1
# HELP kafka2prom_records_filtered_total Records that gave no sample, by the rule that says so.
# TYPE kafka2prom_records_filtered_total counter
kafka2prom_records_filtered_total{reason="dropped"} 0
kafka2prom_records_filtered_total{reason="no_value"} 0
kafka2prom_records_filtered_total{reason="out_of_span"} 0
kafka2prom_records_filtered_total{reason="possibly_stored"} 0
kafka2prom_records_filtered_total{reason="skipped"} 1
kafka2prom_records_filtered_total{reason="tombstone"} 1
# HELP kafka2prom_records_in_flight Records that were mapped and are not settled yet.
# TYPE kafka2prom_records_in_flight gauge
kafka2prom_records_in_flight 3
# HELP kafka2prom_records_total Records by what became of them: written, dead_lettered, filtered (by a named rule), abandoned (revoked, lost or stopped before they were settled: they come again).
# TYPE kafka2prom_records_total counter
kafka2prom_records_total{outcome="abandoned"} 0
kafka2prom_records_total{outcome="dead_lettered"} 0
kafka2prom_records_total{outcome="filtered"} 2
kafka2prom_records_total{outcome="written"} 3
# HELP kafka2prom_refusals_total Refused records and samples, by the stage that refused and the reason.
# TYPE kafka2prom_refusals_total counter
kafka2prom_refusals_total{reason="refused",stage="write"} 1
# HELP kafka2prom_settled_offset The offset up to which everything has landed; -1: nothing yet.
# TYPE kafka2prom_settled_offset gauge
kafka2prom_settled_offset{partition="0",topic="readings"} 5
`, "kafka2prom_consumer_lag", "kafka2prom_partitions_assigned", "kafka2prom_records_filtered_total",
		"kafka2prom_records_in_flight", "kafka2prom_records_total", "kafka2prom_refusals_total", "kafka2prom_settled_offset")
}

func TestACommitHasFailedIfItHasForAnyPartition(t *testing.T) {
	answer := func(codes ...int16) *kmsg.OffsetCommitResponse {
		resp := kmsg.NewPtrOffsetCommitResponse()
		topic := kmsg.NewOffsetCommitResponseTopic()
		for i, code := range codes {
			topic.Partitions = append(topic.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: int32(i), ErrorCode: code})
		}
		resp.Topics = append(resp.Topics, topic)
		return resp
	}
	for name, c := range map[string]struct {
		resp   *kmsg.OffsetCommitResponse
		err    error
		failed float64
	}{
		"all well":       {resp: answer(0, 0)},
		"one partition":  {resp: answer(0, kerr.IllegalGeneration.Code), failed: 1},
		"the request":    {err: errors.New("connection reset"), failed: 1},
		"nothing to say": {},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoose(t)
			l.committed(nil, nil, c.resp, c.err)
			require.InDelta(t, c.failed, testutil.ToFloat64(l.metrics.commits.WithLabelValues("failed")), 0)
			require.InDelta(t, 1-c.failed, testutil.ToFloat64(l.metrics.commits.WithLabelValues("ok")), 0)
		})
	}
}

func TestARepeatedLineIsWrittenNowAndThenWithTheNumberLeftOut(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	s := sparseLog{log: zap.New(core)}
	for range 5 {
		s.warn("again")
	}
	s.warn("another")
	require.Equal(t, 2, logs.Len())
	s.last["again"] = time.Now().Add(-sparseInterval)
	s.warn("again")
	require.Equal(t, map[string]any{"left_out": int64(4)}, logs.All()[2].ContextMap())
}
