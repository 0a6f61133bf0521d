package demo

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/config"
)

func start(t *testing.T, opts Options) *Demo {
	t.Helper()
	opts.Listen, opts.Seed = "127.0.0.1:0", 1
	d, err := Start(opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, d.Close())
		_, err := os.Stat(d.dir)
		require.ErrorIs(t, err, os.ErrNotExist, "nothing is left on disk")
	})
	return d
}

func TestTheVariablesLeadThePipelinesToTheDemo(t *testing.T) {
	d := start(t, Options{})
	cfg, err := config.Load(config.Source{Path: "demo.yaml", Data: Configuration, Environ: d.Environ()})
	require.NoError(t, err)
	require.Equal(t, []string{d.cluster.address()}, cfg.Kafka.Brokers)
	require.Len(t, cfg.Pipelines, 2)
	for _, p := range cfg.Pipelines {
		require.Equal(t, d.URL()+"/api/v1/write", p.RemoteWrite.URL.String())
	}
}

func TestTheServerHasTheAPIAndTheReceiver(t *testing.T) {
	d := start(t, Options{Version: "1.2.3"})
	get := func(path string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.URL()+path, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, string(body)
	}
	status, body := get("/api/v1/status/buildinfo")
	require.Equal(t, 200, status)
	require.Contains(t, body, `"version":"1.2.3"`)
	_, body = get("/api/v1/query?query=" + startMetric)
	require.Contains(t, body, `"resultType":"vector","result":[{"metric":{"__name__":"demo_start_time_seconds"}`)
	status, _ = get("/api/v1/write")
	require.Equal(t, http.StatusMethodNotAllowed, status)
}

func TestEveryRecordThatIsProducedIsInTheLedger(t *testing.T) {
	d := start(t, Options{Records: 3000})
	require.NoError(t, d.Produce(t.Context()))
	require.EqualValues(t, 3000, d.cluster.lag())
	entries, err := d.ledger.snapshot()
	require.NoError(t, err)
	require.Len(t, entries, 3000)

	seen := map[coordinates]bool{}
	for _, e := range entries {
		require.False(t, seen[e.at], "%s is there twice", e.at)
		seen[e.at] = true
		require.Less(t, e.at.offset, d.cluster.end(e.at.topic, e.at.partition))
	}
}

// Without pipelines everything is missing, which shows that the comparison looks.
func TestWithoutPipelinesNothingSettlesAndEverythingIsMissing(t *testing.T) {
	d := start(t, Options{Records: 500})
	require.NoError(t, d.Produce(t.Context()))
	err := d.Settle(t.Context(), 100*time.Millisecond)
	require.ErrorIs(t, err, errStuck)
	require.ErrorContains(t, err, "500 records are not committed")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, d.Settle(ctx, time.Hour), context.Canceled)

	report, err := d.Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, 500, report.Produced)
	require.Equal(t, 500, report.Missing+report.Filtered)
	require.Equal(t, 0, report.Wrong)
	require.False(t, report.OK())
	require.Len(t, report.Offenders, maxOffenders)
}

// Settling wants the offsets committed and the dead letters read.
func TestSettlingWaitsForTheDeadLetters(t *testing.T) {
	d := start(t, Options{})
	require.NoError(t, d.Settle(t.Context(), time.Minute), "nothing was produced")
	rec := dead("kafka2prom.topic", "sensors", "kafka2prom.partition", "0", "kafka2prom.offset", "0", "kafka2prom.reason", "refused", "kafka2prom.refused", "[]")
	require.NoError(t, d.producer.ProduceSync(t.Context(), rec).FirstErr())
	require.NoError(t, d.Settle(t.Context(), time.Minute))
	report, err := d.Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, report.Wrong)
	require.Contains(t, report.Offenders[0], "nobody has produced sensors/0@0")
}

func TestARequestThatBreaksTheProtocolIsWrong(t *testing.T) {
	d := start(t, Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL()+"/api/v1/write", strings.NewReader("plain"))
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	report, err := d.Verify(t.Context())
	require.NoError(t, err)
	require.NotZero(t, report.Wrong)
	require.Contains(t, strings.Join(report.Offenders, "\n"), "breaks the protocol: request 1: the body is no snappy block")
}

func TestTheLiveStreamGoesOnUntilItIsStopped(t *testing.T) {
	d := start(t, Options{Rate: 1000})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Produce(ctx) }()
	require.Eventually(t, func() bool {
		_, n := d.ledger.newest()
		return n > liveHistory+100
	}, time.Minute, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	entries, err := d.ledger.snapshot()
	require.NoError(t, err)
	require.EqualValues(t, len(entries), d.cluster.lag(), "what was begun is finished")
}

func TestARateStretchesTheStream(t *testing.T) {
	d := start(t, Options{Records: 20, Rate: 400})
	require.Equal(t, d.began, d.due(0))
	require.Equal(t, d.began.Add(50*time.Millisecond), d.due(20))
	require.NoError(t, d.Produce(t.Context()))
	_, n := d.ledger.newest()
	require.Equal(t, 20, n)
}

func TestPausesEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		require.True(t, pause(ctx, began.Add(-time.Second)), "that time is over")
		require.True(t, pause(ctx, began.Add(500*time.Millisecond)))
		require.Equal(t, 500*time.Millisecond, time.Since(began))
		require.False(t, pause(ctx, began.Add(time.Hour)))
		require.Equal(t, time.Second, time.Since(began))
		require.False(t, pause(ctx, began))
	})
}

func TestARecordThatCannotBeProducedFailsTheDemo(t *testing.T) {
	d := start(t, Options{})
	broken := errors.New("no leader")
	d.ledger.add(reading{}, &kgo.Record{Topic: sensorTopic}, broken)
	d.ledger.add(reading{}, &kgo.Record{Topic: meterTopic}, errors.New("the second"))
	_, err := d.Verify(t.Context())
	require.ErrorIs(t, err, broken)
	require.EqualError(t, err, "producing to topic sensors: no leader")
}

func TestAnAddressThatCannotBeListenedOnFailsTheStart(t *testing.T) {
	_, err := Start(Options{Listen: "127.0.0.1:0:0"})
	require.ErrorContains(t, err, "listening for queries")
}
