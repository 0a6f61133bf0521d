package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// Lab is what the tests share: a broker, a client of it, and the binary under
// test. Everything that a test must have for itself (topics, groups, receivers)
// it makes with the methods here.
type Lab struct {
	Kafka *servers.Kafka // Nil in a lab on brokers that are somebody else's.
	// Settings are further keys of the programs' kafka section, each with a comma in
	// front.
	Settings string

	brokers []string
	binary  string
	client  *kgo.Client
	admin   *kadm.Client
	topics  atomic.Int64
}

// NewLab builds the binary into dir and starts a broker there, with a door for each
// address that is advertised.
func NewLab(dir string, advertised ...string) (*Lab, error) {
	binary, err := build(dir)
	if err != nil {
		return nil, err
	}
	kafka, err := servers.StartKafka(dir, advertised...)
	if err != nil {
		return nil, err
	}
	lab, err := (&Lab{binary: binary}).On(kafka.Address)
	if err != nil {
		return nil, err
	}
	lab.Kafka = kafka
	return lab, nil
}

// On makes a lab with the same binary on other brokers, which outlive it.
func (l *Lab) On(brokers ...string) (*Lab, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(100_000),
	)
	if err != nil {
		return nil, fmt.Errorf("making a Kafka client: %w", err)
	}
	return &Lab{brokers: brokers, binary: l.binary, client: client, admin: kadm.NewClient(client)}, nil
}

// Close stops the broker, if it is the lab's own.
func (l *Lab) Close() error {
	l.client.Close()
	if l.Kafka == nil {
		return nil
	}
	return l.Kafka.Stop()
}

// build makes the binary under test. $INTEGRATION_BINARY names one that is there
// already.
func build(dir string) (string, error) {
	if binary := os.Getenv("INTEGRATION_BINARY"); binary != "" {
		return filepath.Abs(binary)
	}
	root, err := servers.Root()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	binary := filepath.Join(dir, "kafka2prom")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/kafka2prom") //nolint:gosec // The path is ours.
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building kafka2prom: %w\n%s", err, out)
	}
	return binary, nil
}

// Receiver starts a receiver with an empty database, for this test alone.
func (l *Lab) Receiver(t *testing.T, opts servers.ReceiverOptions) *servers.Receiver {
	t.Helper()
	return l.ReceiverIn(t, t.TempDir(), opts)
}

// ReceiverIn is Receiver for one whose data lies in a directory that is empty, or has
// an empty "data".
func (l *Lab) ReceiverIn(t *testing.T, dir string, opts servers.ReceiverOptions) *servers.Receiver {
	t.Helper()
	r, err := servers.StartReceiver(dir, opts)
	require.NoError(t, err)
	endWith(t, r.Process)
	return r
}

// endWith ends a process with the test, and prints the end of its log when the
// test has failed.
func endWith(t *testing.T, p *servers.Process) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.Tail(60))
		}
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
}

// Topic makes a topic with a name that nobody else uses.
func (l *Lab) Topic(t *testing.T, name string, partitions int32) string {
	t.Helper()
	name += "-" + strconv.FormatInt(l.topics.Add(1), 10)
	resp, err := l.admin.CreateTopic(t.Context(), partitions, 1, nil, name)
	require.NoError(t, err)
	require.NoError(t, resp.Err)
	return name
}
