package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// measurePrometheus compares what the program uses with what Prometheus uses for
// taking the same samples.
func measurePrometheus(ctx context.Context, b *bench, s shape) (findings, error) {
	var f findings
	if err := servers.Prometheus.Present(); err != nil {
		fmt.Println("shape G is left out:", err)
		return f, errLeftOut
	}
	t, err := filledTopic(ctx, s.load, b.brokers)
	if err != nil {
		return f, err
	}
	defer t.close()
	var ours, theirs, parts []float64
	for range b.runs {
		program, receiver, err := b.intoPrometheus(ctx, t)
		if err != nil {
			return f, err
		}
		ours, theirs = append(ours, program.Seconds()), append(theirs, receiver.Seconds())
		parts = append(parts, program.Seconds()/receiver.Seconds())
	}
	f.add("CPU-seconds of the program", "s", median(ours))
	f.add("CPU-seconds of Prometheus", "s", median(theirs))
	f.add(ofReceiver, "%", 100*median(parts))
	return f, nil
}

// intoPrometheus runs both to the end of the topic.
func (b *bench) intoPrometheus(ctx context.Context, t *topic) (program, receiver time.Duration, err error) {
	dir, err := os.MkdirTemp(b.dir, "prometheus")
	if err != nil {
		return 0, 0, fmt.Errorf("making a directory: %w", err)
	}
	prometheus, err := servers.StartReceiver(filepath.Clean(dir), servers.ReceiverOptions{})
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = prometheus.Kill() }() // It has nothing that anybody wants.
	before, err := cpuOf(prometheus.PID())
	if err != nil {
		return 0, 0, err
	}
	p, err := b.launch(ctx, assignment{topic: t, url: prometheus.WriteURL(), protocol: "auto", toTheEnd: true})
	if err != nil {
		return 0, 0, err
	}
	used, err := p.wait()
	if err != nil {
		return 0, 0, err
	}
	after, err := cpuOf(prometheus.PID())
	if err != nil {
		return 0, 0, err
	}
	stored, err := scrapeValue(ctx, prometheus.URL+"/metrics", `prometheus_tsdb_head_samples_appended_total{type="float"}`)
	if err != nil {
		return 0, 0, err
	}
	if int64(stored) != t.produced {
		return 0, 0, fmt.Errorf("prometheus has stored %.0f samples of %d", stored, t.produced)
	}
	return used.CPU, after - before, nil
}

// scrapeValue returns one value of a page of metrics.
func scrapeValue(ctx context.Context, url, series string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("scraping %s: %w", url, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("scraping %s: %w", url, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, fmt.Errorf("scraping %s: %w", url, err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("scraping %s: there is no %s", url, series)
}
