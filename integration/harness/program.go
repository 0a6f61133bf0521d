package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// Program is a running kafka2prom.
type Program struct {
	*servers.Process
	url string // The root of its HTTP server.
}

// preamble stands before the pipelines of every configuration.
const preamble = `kafka: {brokers: [%s]%s}
server: {listen: %q}
`

// Run starts kafka2prom with a command line and a configuration of which the test
// gives the pipelines alone. It is killed at the end of the test.
func (l *Lab) Run(t *testing.T, pipelines string, args ...string) *Program {
	t.Helper()
	return l.RunAt(t, Site{}, pipelines, args...)
}

// Running says whether the program has not ended yet.
func (p *Program) Running() bool {
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

// RequireExit waits until the program has ended by itself, and fails the test where
// that takes too long or the status is another.
func (p *Program) RequireExit(t *testing.T, status int, timeout time.Duration) {
	t.Helper()
	select {
	case <-p.Done():
		require.Equal(t, status, p.ExitCode(), "exit status")
	case <-time.After(timeout):
		require.FailNow(t, "kafka2prom did not end", "waited %s for it", timeout)
	}
}

// Terminate sends SIGTERM and requires an orderly end.
func (p *Program) Terminate(t *testing.T) {
	t.Helper()
	require.NoError(t, p.Signal(syscall.SIGTERM))
	p.RequireExit(t, 0, 30*time.Second)
}

// Ready asks /-/ready. The error has what it says against being ready.
func (p *Program) Ready(ctx context.Context) error {
	body, err := get(ctx, p.url+"/-/ready")
	if err != nil {
		return err
	}
	return body.Close()
}

// Metric returns the sum over all series of a metric that carry these labels. A
// metric that is not there fails the test.
func (p *Program) Metric(t *testing.T, name string, labels map[string]string) float64 {
	t.Helper()
	samples, err := p.Scrape(t.Context())
	require.NoError(t, err)
	sum, found := 0.0, false
	for _, s := range samples {
		if string(s.Metric[model.MetricNameLabel]) != name {
			continue
		}
		found = true
		if carries(s.Metric, labels) {
			sum += float64(s.Value)
		}
	}
	require.True(t, found, "there is no metric %s", name)
	return sum
}

func scrape(ctx context.Context, address string) (model.Vector, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := get(ctx, address)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	decoder := expfmt.SampleDecoder{
		Dec:  expfmt.NewDecoder(body, expfmt.NewFormat(expfmt.TypeTextPlain)),
		Opts: &expfmt.DecodeOptions{Timestamp: model.Now()},
	}
	var all model.Vector
	for {
		var family model.Vector
		if err := decoder.Decode(&family); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("decoding metrics: %w", err)
		}
		all = append(all, family...)
	}
}

func carries(metric model.Metric, labels map[string]string) bool {
	for name, value := range labels {
		if string(metric[model.LabelName(name)]) != value {
			return false
		}
	}
	return true
}
