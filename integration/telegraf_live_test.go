//go:build integration && live

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// A real agent writes to the real broker for half a minute; what is in the topic
// then is the ledger.
func TestEveryFieldOfALiveTelegrafAgentArrivesWithItsTags(t *testing.T) {
	prometheus := lab.Receiver(t, servers.ReceiverOptions{OutOfOrder: time.Hour})
	topic := lab.Topic(t, "telegraf-live", 3)
	program := lab.Run(t, fmt.Sprintf(telegrafPipeline, "telegraf-live", topic, prometheus.WriteURL()))
	runAgent(t, topic, 30*time.Second)

	lab.AwaitNoLag(t, "kafka2prom-telegraf-live", topic, program)

	var produced harness.Ledger
	for _, r := range lab.Records(t, topic) {
		enterTelegraf(t, &produced, r.Value)
	}
	require.Greater(t, produced.Len(), 1000, "samples of half a minute")
	harness.RequireStored(t, prometheus, &produced)
	program.Terminate(t)
}

func runAgent(t *testing.T, topic string, d time.Duration) {
	t.Helper()
	home, err := servers.Home()
	require.NoError(t, err)
	inputs, err := filepath.Abs("telegraf/inputs.conf")
	require.NoError(t, err)
	dir := t.TempDir()
	outputs := filepath.Join(dir, "outputs.conf")
	require.NoError(t, os.WriteFile(outputs, fmt.Appendf(nil, `
[[outputs.kafka]]
  brokers = [%q]
  topic = %q
  required_acks = -1
  data_format = "json"
  json_timestamp_units = "1ms"
`, lab.Kafka.Address, topic), 0o600))
	agent, err := servers.Start(servers.Command{
		Name: "telegraf", Dir: dir, Path: filepath.Join(home, "telegraf-1.37.2", "telegraf"),
		Args: []string{"--config", inputs, "--config", outputs},
	})
	require.NoError(t, err)
	select {
	case <-agent.Done():
		require.FailNow(t, "the agent ended", "%s", agent.Tail(40))
	case <-time.After(d):
	}
	require.NoError(t, agent.Stop())
}
