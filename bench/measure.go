package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// program is the program to measure.
type program struct {
	binary  string
	profile string // Where it writes a CPU profile; empty: it does not.
}

// result is what one run has used.
type result struct {
	records, samples, requests, bytes int64
	cpu, wall, first                  time.Duration
	peak                              int64 // Resident memory, in bytes.
}

// String is one line of figures.
func (r result) String() string {
	return fmt.Sprintf("records_per_cpu_second=%.0f records_per_second=%.0f peak_rss_mib=%d first_sample_ms=%d cpu_seconds=%.2f samples_per_request=%.0f bytes_per_sample=%.1f",
		float64(r.records)/r.cpu.Seconds(), float64(r.records)/r.wall.Seconds(), r.peak>>20, r.first.Milliseconds(), r.cpu.Seconds(),
		float64(r.samples)/float64(max(1, r.requests)), float64(r.bytes)/float64(max(1, r.samples)))
}

// measure runs the program over the whole topic, until its end.
func measure(ctx context.Context, t *topic, s shape, p program) (result, error) {
	sink, err := newSink(s.protocol)
	if err != nil {
		return result{}, err
	}
	defer sink.close()
	dir, err := os.MkdirTemp("", "kafka2prom-bench")
	if err != nil {
		return result{}, fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "bench.yaml")
	if err := os.WriteFile(file, configuration(t, sink, s), 0o600); err != nil {
		return result{}, fmt.Errorf("writing the configuration: %w", err)
	}
	args := []string{"run", "-c", file, "--until-end", "--server", "off"}
	if p.profile != "" {
		args = append(args, "--cpuprofile", p.profile)
	}
	cmd := exec.CommandContext(ctx, p.binary, args...) //nolint:gosec // The user names the program.
	var log strings.Builder
	cmd.Stderr = &log
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return result{}, fmt.Errorf("running %s: %w\n%s", p.binary, err, log.String())
	}
	wall := time.Since(began)
	if sink.samples.Load() != int64(s.records) || sink.checksum.Load() != t.checksum {
		return result{}, fmt.Errorf("%d samples with checksum %x arrived; %d with %x were produced\n%s",
			sink.samples.Load(), sink.checksum.Load(), s.records, t.checksum, log.String())
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return result{}, errors.New("this system does not say what a process has used")
	}
	return result{
		records: int64(s.records), samples: sink.samples.Load(), requests: sink.requests.Load(), bytes: sink.bytes.Load(),
		cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall: wall, first: sink.first.Sub(began),
		peak: usage.Maxrss << 10,
	}, nil
}

// configuration is the defaults, and a group of its own for each run.
func configuration(t *topic, sink *sink, s shape) []byte {
	return fmt.Appendf(nil, `
kafka: {brokers: [%s]}
pipelines:
  - name: bench
    topics: [%s]
    group: bench-%d
    format: json
    samples: [{labels_from: labels, value: value, timestamp: ts}]
    remote_write: {url: %s, protocol: "%s"}
log: {level: warn}
`, strings.Join(t.brokers, ", "), topicName, time.Now().UnixNano(), sink.url, s.protocol)
}
