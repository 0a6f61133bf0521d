package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// minimal is the smallest configuration that loads.
const minimal = `kafka:
  brokers: [localhost:9092]
pipelines:
  - name: sensors
    topics: [sensors]
    samples:
      - name: temperature
        value: temp
    remote_write:
      url: http://localhost:9090/api/v1/write
`

func load(t *testing.T, text string, environ ...string) *Config {
	t.Helper()
	c, err := Load(Source{Path: "config.yaml", Data: []byte(text), Environ: environ})
	require.NoError(t, err)
	return c
}

// loadError is what Load says about a configuration that is wrong.
func loadError(t *testing.T, text string, environ ...string) string {
	t.Helper()
	c, err := Load(Source{Path: "config.yaml", Data: []byte(text), Environ: environ})
	require.Error(t, err)
	require.Nil(t, c)
	return err.Error()
}

// with puts lines into the pipeline of the minimal configuration, after its
// topics. The first of them is line 6.
func with(lines ...string) string {
	return strings.Replace(minimal, "    samples:", "    "+strings.Join(lines, "\n    ")+"\n    samples:", 1)
}

func TestTheSmallestConfigurationLoads(t *testing.T) {
	c := load(t, minimal)

	require.Equal(t, []string{"localhost:9092"}, c.Kafka.Brokers)
	require.Len(t, c.Pipelines, 1)
	require.Equal(t, "sensors", c.Pipelines[0].Name)
	require.Equal(t, []string{"sensors"}, c.Pipelines[0].Consumer.Topics)
	require.Equal(t, "kafka2prom-sensors", c.Pipelines[0].Consumer.Group)
	require.Equal(t, "temp", c.Pipelines[0].Mapping.Samples[0].Value)
	require.Equal(t, "http://localhost:9090/api/v1/write", c.Pipelines[0].RemoteWrite.URL.String())
	require.Equal(t, ":9808", c.Server.Listen)
	require.Equal(t, LogConfig{Level: "info", Format: "console"}, c.Log)
}
func TestX(t *testing.T) {
	t.Log(loadError(t, with("batch: {max_samples: 0, in_flight: 0, max_age: 0s}", "max_skew: 0", "connect_timeout: 0", "retry: {max_attempts: 0}")))
	c := load(t, with("dead_letter: {topic: x, create: true}", "start: -7d"), "KAFKA2PROM_PIPELINES__sensors__remote_write__headers__X-Scope-OrgID=secret")
	var b strings.Builder
	c.Describe(&b)
	y, err := c.YAML()
	require.NoError(t, err)
	t.Logf("%s\n%s", b.String(), y)
}
