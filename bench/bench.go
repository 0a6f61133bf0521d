package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// bench is what the measurements of one command share.
type bench struct {
	options
	self     string // This program, which is the limit program too.
	dir      string // For configurations; removed at the end.
	registry *registry
	launched int
	costs    map[workload]cost // Measured already.
}

func newBench(o options) (*bench, error) {
	b := &bench{options: o, costs: map[workload]cost{}}
	var err error
	if b.self, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("looking for this program: %w", err)
	}
	if b.dir, err = os.MkdirTemp("", "kafka2prom-bench"); err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	if b.registry, err = newRegistry(); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) close() {
	_ = os.RemoveAll(b.dir) //nolint:gosec // It was made in newBench.
	if b.registry != nil {
		b.registry.close()
	}
}

// assignment is one run of the program.
type assignment struct {
	topic    *topic
	url      string // Of the receiver.
	settings string
	protocol string // Left out: that of the command line.
	profile  string // Where it writes a CPU profile, or empty.
	toTheEnd bool   // It ends when all that is there has been committed.
}

// launch starts the program with a group of its own, so that it reads the topic from
// its beginning.
func (b *bench) launch(ctx context.Context, a assignment) (*process, error) {
	b.launched++
	file := filepath.Join(b.dir, strconv.Itoa(b.launched)+".yaml")
	if err := os.WriteFile(file, b.configuration(a), 0o600); err != nil { //nolint:gosec // It is in our own directory.
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	args := []string{"run", "-c", file, "--server", "127.0.0.1:0"}
	if a.toTheEnd {
		args = append(args, "--until-end")
	}
	if a.profile != "" {
		args = append(args, "--cpuprofile", a.profile)
	}
	return start(ctx, b.binary, args...)
}

// configuration is the defaults, except for what the shape wants.
func (b *bench) configuration(a assignment) []byte {
	settings := strings.ReplaceAll(a.settings, "\n", "\n    ")
	protocol := cmp.Or(a.protocol, b.protocol)
	return fmt.Appendf(nil, `
kafka: {brokers: [%s]}
pipelines:
  - name: bench
    topics: [%s]
    group: bench-%d
    %s
    %s
    remote_write: {url: %q, protocol: %q}
log: {level: warn}
`, strings.Join(a.topic.addresses, ", "), topicName, time.Now().UnixNano(), a.topic.load.format.mapping(b.registry.url),
		settings, a.url, protocol)
}

// launchLimit starts the limit program.
func (b *bench) launchLimit(ctx context.Context, t *topic, url string) (*process, error) {
	args := []string{"-brokers", strings.Join(t.addresses, ","), "-topic", topicName, "-url", url, "-n", strconv.FormatInt(t.produced, 10)}
	if b.limit != "" {
		return start(ctx, b.limit, args...)
	}
	return start(ctx, b.self, append([]string{"limit", "-format", string(t.load.format)}, args...)...)
}
