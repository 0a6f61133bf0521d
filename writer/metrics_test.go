package writer

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

func TestMetricsTellWhatBecameOfTheSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(status(503), refusal(400, 1, "out of order sample")))
		reg := prometheus.NewRegistry()
		w, err := New(configure(func(c *Config) { c.RemoteWrite.Protocol = protocolV2 }), Options{Registerer: reg, transport: r.RoundTripper()})
		require.NoError(t, err)
		defer drained(w, 0)
		c := catalogue{}
		b := &Batch{Dropped: 5, Samples: []transform.Sample{
			sample(c.named("a"), 1000, 1), sample(c.named("a"), 1000, 1), sample(c.named("a"), 1000, 2), sample(c.named("b"), 2500, 1),
		}}
		w.Submit(b)
		<-b.Landed()
		r.SetHook(script(receiver.Answer{Before: time.Hour}))
		submit(w, sample(c.named("c"), 9000, 1))
		synctest.Wait()

		require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP kafka2prom_samples_mapped_total Samples that were made of records. Equals the sum of kafka2prom_samples_total and kafka2prom_samples_in_flight.
# TYPE kafka2prom_samples_mapped_total counter
kafka2prom_samples_mapped_total 10
# HELP kafka2prom_samples_total Samples by what became of them: written, refused, merged (sent twice), dropped (by a relabelling rule), abandoned (revoked, lost or stopped before they were settled: they come again).
# TYPE kafka2prom_samples_total counter
kafka2prom_samples_total{outcome="abandoned"} 0
kafka2prom_samples_total{outcome="dropped"} 5
kafka2prom_samples_total{outcome="merged"} 1
kafka2prom_samples_total{outcome="refused"} 2
kafka2prom_samples_total{outcome="written"} 1
# HELP kafka2prom_samples_in_flight Samples that are not settled yet.
# TYPE kafka2prom_samples_in_flight gauge
kafka2prom_samples_in_flight 1
# HELP kafka2prom_samples_refused_total Samples that were refused, by reason.
# TYPE kafka2prom_samples_refused_total counter
kafka2prom_samples_refused_total{reason="duplicate_timestamp"} 1
kafka2prom_samples_refused_total{reason="poison"} 0
kafka2prom_samples_refused_total{reason="possibly_stored"} 1
kafka2prom_samples_refused_total{reason="refused"} 0
kafka2prom_samples_refused_total{reason="too_large"} 0
# HELP kafka2prom_requests_total Attempts to write, by what the receiver's answer means.
# TYPE kafka2prom_requests_total counter
kafka2prom_requests_total{outcome="landed"} 0
kafka2prom_requests_total{outcome="misconfigured"} 0
kafka2prom_requests_total{outcome="partial"} 0
kafka2prom_requests_total{outcome="refused"} 1
kafka2prom_requests_total{outcome="retry"} 1
kafka2prom_requests_total{outcome="too_large"} 0
kafka2prom_requests_total{outcome="unsupported"} 0
# HELP kafka2prom_remote_storage_samples_retried_total Samples that were sent again because an attempt had failed.
# TYPE kafka2prom_remote_storage_samples_retried_total counter
kafka2prom_remote_storage_samples_retried_total 2
# HELP kafka2prom_remote_storage_samples_total Samples that were sent, as often as they were.
# TYPE kafka2prom_remote_storage_samples_total counter
kafka2prom_remote_storage_samples_total 4
# HELP kafka2prom_remote_storage_queue_highest_timestamp_seconds Greatest timestamp of the samples that were to be written.
# TYPE kafka2prom_remote_storage_queue_highest_timestamp_seconds gauge
kafka2prom_remote_storage_queue_highest_timestamp_seconds 9
`),
			"kafka2prom_samples_mapped_total", "kafka2prom_samples_total", "kafka2prom_samples_in_flight",
			"kafka2prom_samples_refused_total", "kafka2prom_requests_total", "kafka2prom_remote_storage_samples_total",
			"kafka2prom_remote_storage_samples_retried_total", "kafka2prom_remote_storage_queue_highest_timestamp_seconds"))
	})
}

func TestMetricsFollowTheRules(t *testing.T) {
	w := start(t, respond(204, ""), nil)
	problems, err := testutil.CollectAndLint(w.metrics)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestTwoWritersShareARegistryUnderTheirLabels(t *testing.T) {
	reg := prometheus.NewRegistry()
	for _, pipeline := range []string{"a", "b"} {
		w, err := New(configure(nil), Options{
			Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"pipeline": pipeline}, reg), transport: respond(204, ""),
		})
		require.NoError(t, err)
		defer drained(w, 0)
	}
	_, err := New(configure(nil), Options{Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"pipeline": "b"}, reg), transport: respond(204, "")})
	require.ErrorContains(t, err, "registering the writer's metrics")
	_, err = reg.Gather()
	require.NoError(t, err)
}

func TestTroubleIsLoggedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(*receiver.Request) receiver.Answer {
			return receiver.Answer{Status: 503, Body: "line one\nline two", Header: http.Header{"Retry-After": {"1"}}}
		})
		w, err := New(configure(nil), Options{Logger: zap.New(core), transport: r.RoundTripper()})
		require.NoError(t, err)
		defer drained(w, 0)
		b := submit(w, sample(catalogue{}.named("x"), 1, 1))
		time.Sleep(100*time.Second + time.Millisecond)
		r.SetHook(nil)
		<-b.Landed()

		var told []string
		for _, e := range logs.All() {
			told = append(told, e.Level.String()+": "+e.Message)
		}
		again := "warn: the receiver does not take the request now; sending it again until it does"
		require.Equal(t, []string{again, again, again, again, "info: the receiver takes requests again"}, told)
		require.Equal(t, "503 Service Unavailable: line one line two", logs.All()[0].ContextMap()["receiver"])
		require.Equal(t, int64(102), logs.All()[4].ContextMap()["attempts"])
		require.Equal(t, 101*time.Second, logs.All()[4].ContextMap()["after"])
	})
}

// The newest timestamp, and the bytes, are those of requests that have landed; a
// sample from the past moves neither back.
func TestMetricsOfWhatWasSentCountLandingsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, time.Hour)
		reg := prometheus.NewRegistry()
		w, err := New(configure(nil), Options{Registerer: reg, transport: r.RoundTripper()})
		require.NoError(t, err)
		defer drained(w, 0)
		c := catalogue{}
		deliver(w, sample(c.named("x"), 9000, 1))
		deliver(w, sample(c.named("x"), 4000, 1))
		want := r.Requests()[0].Bytes + r.Requests()[1].Bytes
		r.SetHook(func(*receiver.Request) receiver.Answer { return status(503) })
		submit(w, sample(c.named("x"), 12000, 1))
		time.Sleep(time.Minute)
		require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(fmt.Sprintf(`
# HELP kafka2prom_remote_storage_bytes_total Compressed bytes of the requests that have landed.
# TYPE kafka2prom_remote_storage_bytes_total counter
kafka2prom_remote_storage_bytes_total %d
# HELP kafka2prom_remote_storage_queue_highest_sent_timestamp_seconds Greatest timestamp of the samples that were written.
# TYPE kafka2prom_remote_storage_queue_highest_sent_timestamp_seconds gauge
kafka2prom_remote_storage_queue_highest_sent_timestamp_seconds 9
# HELP kafka2prom_remote_storage_queue_highest_timestamp_seconds Greatest timestamp of the samples that were to be written.
# TYPE kafka2prom_remote_storage_queue_highest_timestamp_seconds gauge
kafka2prom_remote_storage_queue_highest_timestamp_seconds 12
`, want)), "kafka2prom_remote_storage_bytes_total", "kafka2prom_remote_storage_queue_highest_sent_timestamp_seconds",
			"kafka2prom_remote_storage_queue_highest_timestamp_seconds"))
	})
}
