package main

import (
	"bufio"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

const signalsConfig = `
pipelines:
  - name: sensors
    topics: [sensors]
    shutdown_timeout: 5m
    samples: [{name: temperature, value: temp, labels: {device: id}}]
    remote_write: {url: http://localhost:9090/api/v1/write}
`

// process starts the program as a process of its own. Its log comes line by line.
func process(t *testing.T, environ []string, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args = append([]string{"kafka2prom"}, args...)
	cmd.Env = append(os.Environ(), environ...)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(stderr)
}

func awaitLine(t *testing.T, log *bufio.Scanner, text string) {
	t.Helper()
	for log.Scan() {
		if strings.Contains(log.Text(), text) {
			return
		}
	}
	require.Fail(t, "the log ends without "+text)
}

func TestTheSecondSignalEndsAtOnceAndCommitsNothing(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "sensors"),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	require.NoError(t, err)
	defer cluster.Close()
	recv := receiver.New(receiver.Config{})
	release := make(chan struct{})
	recv.SetHook(func(q *receiver.Request) receiver.Answer {
		if q.Samples > 0 {
			<-release
		}
		return receiver.Answer{}
	})
	server := httptest.NewServer(recv)
	defer server.Close()
	defer close(release)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "sensors", Value: []byte(`{"id":"a","temp":1}`)}).FirstErr())

	file := filepath.Join(t.TempDir(), "sensors.yaml")
	require.NoError(t, os.WriteFile(file, []byte(signalsConfig), 0o600))
	cmd, log := process(t, []string{
		"KAFKA2PROM_KAFKA__BROKERS=" + strings.Join(cluster.ListenAddrs(), ","),
		"KAFKA2PROM_PIPELINES__sensors__REMOTE_WRITE__URL=" + server.URL,
	}, "run", "-c", file, "--server", "127.0.0.1:0")
	require.Eventually(t, func() bool { return recv.InFlight() > 0 }, patience, 5*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	awaitLine(t, log, "a second signal ends at once")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	awaitLine(t, log, "stopped at once")
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Equal(t, exitFailed, exit.ExitCode())

	offsets, err := kadm.NewClient(client).FetchOffsets(t.Context(), "kafka2prom-sensors")
	require.NoError(t, err)
	committed, _ := offsets.Lookup("sensors", 0)
	require.Zero(t, committed.At, "the start alone")
}
