package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/consumer"
	"github.com/kafka2prom/kafka2prom/writer"
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
	var problems *Error
	require.ErrorAs(t, err, &problems)
	return err.Error()
}

// with puts lines into the pipeline of the minimal configuration, after its
// topics: the first of them is line 6.
func with(lines ...string) string {
	return strings.Replace(minimal, "    samples:", "    "+strings.Join(lines, "\n    ")+"\n    samples:", 1)
}

func TestTheSmallestConfigurationGetsEveryDefault(t *testing.T) {
	c := load(t, minimal)

	require.Equal(t, "config.yaml", c.Path())
	require.Equal(t, []string{"localhost:9092"}, c.Kafka.Brokers)
	require.Equal(t, "kafka2prom", c.Kafka.ClientID)
	require.Len(t, c.Pipelines, 1)
	p := c.Pipelines[0]
	require.Equal(t, "sensors", p.Name)
	require.Equal(t, []string{"sensors"}, p.Consumer.Topics)
	require.Equal(t, "kafka2prom-sensors", p.Consumer.Group)
	require.Equal(t, "stop", p.Consumer.OnError)
	require.Equal(t, "json", p.Mapping.Format)
	require.Equal(t, "temp", p.Mapping.Samples[0].Value)
	require.Equal(t, 4, p.Shards)
	require.Equal(t, writer.RetryConfig{MinBackoff: 100 * time.Millisecond, MaxBackoff: 10 * time.Second}, p.Retry)
	require.Equal(t, 12*time.Second, p.ConnectTimeout)
	require.Equal(t, "http://localhost:9090/api/v1/write", p.RemoteWrite.URL.String())
	require.Equal(t, ServerConfig{Listen: ":9808"}, c.Server)
	require.Equal(t, LogConfig{Level: "info", Format: "console"}, c.Log)
}

func TestThePartsOfAPipelineGoToTheirPackages(t *testing.T) {
	c := load(t, strings.Replace(with("batch: {max_samples: 77}", "shards: 3", "connect_timeout: 5s", "retry: {max_attempts: 9}"),
		"    remote_write:", "    remote_write:\n      write_relabel_configs: [{action: labeldrop, regex: host}]", 1))

	w := c.Pipelines[0].Writer()
	require.Equal(t, 77, w.MaxSamples)
	require.Equal(t, 3, w.Shards)
	require.Equal(t, 5*time.Second, w.ConnectTimeout)
	require.Equal(t, 9, w.Retry.MaxAttempts)
	require.Equal(t, "localhost:9090", w.RemoteWrite.URL.Host)
	mapping := c.Pipelines[0].Transform()
	require.Len(t, mapping.Relabel, 1)
	require.Equal(t, "labeldrop", string(mapping.Relabel[0].Action))
	require.Nil(t, c.Pipelines[0].Mapping.Relabel, "the configuration itself stays as it was read")
}

func TestDurationsHaveDaysAndWeeksEverywhere(t *testing.T) {
	c := load(t, with("max_skew: 1d", "stall_timeout: 1w", "session_timeout: 1m30s", "batch: {max_age: 1d12h}", "limits: {max_future: 2d}",
		`heartbeat_interval: "2s"`)+"      idle_timeout: 1d\n")

	p := c.Pipelines[0]
	require.Equal(t, 24*time.Hour, p.Consumer.MaxSkew)
	require.Equal(t, 7*24*time.Hour, p.Consumer.StallTimeout)
	require.Equal(t, 90*time.Second, p.Consumer.SessionTimeout)
	require.Equal(t, 36*time.Hour, p.Consumer.Batch.MaxAge)
	require.Equal(t, 48*time.Hour, p.Mapping.Limits.MaxFuture)
	require.Equal(t, 2*time.Second, p.Consumer.HeartbeatInterval)
	require.Equal(t, 24*time.Hour, p.RemoteWrite.IdleTimeout)
}

func TestTextStaysAsItIsWritten(t *testing.T) {
	// As numbers these would be 1, 7 and true.
	c := load(t, strings.Replace(with("group: 007", "instance_id: true"), "    remote_write:", "    remote_write:\n      protocol: 1.0", 1))

	require.Equal(t, "1.0", c.Pipelines[0].RemoteWrite.Protocol)
	require.Equal(t, "007", c.Pipelines[0].Consumer.Group)
	require.Equal(t, "true", c.Pipelines[0].Consumer.InstanceID)
}

func TestNamesWithDotsStayWhole(t *testing.T) {
	c := load(t, strings.Replace(with("label_names: utf8"), "value: temp", `value: temp
        labels: {app.kubernetes.io/name: a, app: b, app.kubernetes.io: c}`, 1)+"      headers: {X.Y: z}\n")

	require.Len(t, c.Pipelines[0].Mapping.Samples[0].Labels, 3)
	require.Equal(t, "a", c.Pipelines[0].Mapping.Samples[0].Labels["app.kubernetes.io/name"].Path)
	require.Equal(t, map[string]string{"X.Y": "z"}, c.Pipelines[0].RemoteWrite.Headers)
}

func TestAnchorsAndMergeKeysAreResolved(t *testing.T) {
	c := load(t, `kafka: {brokers: [localhost:9092]}
pipelines:
  - &first
    name: a
    topics: [a]
    shards: 7
    samples: &rules
      - {name: x, value: v}
    remote_write: &destination {url: "http://localhost:9090/api/v1/write"}
  - name: b
    topics: [b]
    samples: *rules
    remote_write: *destination
  - <<: *first
    name: c
    topics: [c]
`)

	require.Equal(t, "v", c.Pipelines[1].Mapping.Samples[0].Value)
	require.Equal(t, 4, c.Pipelines[1].Shards)
	require.Equal(t, "c", c.Pipelines[2].Name)
	require.Equal(t, []string{"c"}, c.Pipelines[2].Consumer.Topics)
	require.Equal(t, 7, c.Pipelines[2].Shards)
	require.Equal(t, "localhost:9090", c.Pipelines[2].RemoteWrite.URL.Host)
}

func TestASectionThatIsThereButEmptyCounts(t *testing.T) {
	require.Nil(t, load(t, minimal).Kafka.TLS)
	require.NotNil(t, load(t, strings.Replace(minimal, "kafka:", "kafka:\n  tls:", 1)).Kafka.TLS)
	require.NotNil(t, load(t, strings.Replace(minimal, "kafka:", "kafka:\n  tls: {}", 1)).Kafka.TLS)
}

func TestAByteOrderMarkAndWindowsLineEndsAreTaken(t *testing.T) {
	c := load(t, "\xef\xbb\xbf"+strings.ReplaceAll(minimal, "\n", "\r\n"))

	require.Equal(t, []string{"sensors"}, c.Pipelines[0].Consumer.Topics)
}

func TestDeadLetterTopicsAreLeftOutOfPatterns(t *testing.T) {
	c := load(t, `kafka: {brokers: [localhost:9092]}
pipelines:
  - name: a
    topics: ["^sensors"]
    dead_letter: {topic: sensors.a.dead}
    samples: [{name: x, value: v}]
    remote_write: {url: "http://localhost:9090/api/v1/write"}
  - name: b
    topics: [other]
    dead_letter: {topic: sensors.b.dead}
    samples: [{name: x, value: v}]
    remote_write: {url: "http://localhost:9090/api/v1/write"}
`)

	require.Equal(t, []string{"sensors.a.dead", "sensors.b.dead"}, c.Pipelines[0].Consumer.ExcludeTopics)
	require.Empty(t, c.Pipelines[1].Consumer.ExcludeTopics)
	require.Equal(t, "dead_letter", c.Pipelines[0].Consumer.OnError)
	require.Equal(t, &consumer.DeadLetterConfig{Topic: "sensors.a.dead", Partitions: -1, Replication: -1}, c.Pipelines[0].Consumer.DeadLetter)
}

func TestRelativeFilesStartAtTheDirectoryOfTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "k.yaml")
	text := strings.Replace(with("format: avro", "avro: {schema_file: [a.avsc, /b.avsc], framing: single_object}",
		"schema_registry: {url: http://localhost:8081, basic_auth: {username: u, password_file: p}}"),
		"kafka:", `kafka:
  tls: {ca_file: ca.pem, cert_file: /abs.pem, key_file: key.pem}
  sasl: {mechanism: PLAIN, username: u, password_file: secrets/password}`, 1) + `      http_headers: {X-Key: {files: [key]}}
      oauth2: {client_id: c, client_secret_file: s, token_url: "http://localhost/token", tls_config: {ca_file: x.pem}}
`
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))

	c, err := Load(Source{Path: path})

	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "ca.pem"), c.Kafka.TLS.CAFile)
	require.Equal(t, "/abs.pem", c.Kafka.TLS.CertFile)
	require.Equal(t, filepath.Join(dir, "secrets/password"), c.Kafka.SASL.PasswordFile)
	p := c.Pipelines[0]
	require.Equal(t, []string{filepath.Join(dir, "a.avsc"), "/b.avsc"}, []string(p.Mapping.Avro.SchemaFile))
	require.Equal(t, filepath.Join(dir, "p"), p.Mapping.SchemaRegistry.HTTPClientConfig.BasicAuth.PasswordFile)
	require.Equal(t, []string{filepath.Join(dir, "key")}, p.RemoteWrite.HTTPClientConfig.HTTPHeaders.Headers["X-Key"].Files)
	require.Equal(t, filepath.Join(dir, "s"), p.RemoteWrite.HTTPClientConfig.OAuth2.ClientSecretFile)
	require.Equal(t, filepath.Join(dir, "x.pem"), p.RemoteWrite.HTTPClientConfig.OAuth2.TLSConfig.CAFile)
}

func TestThePathComesFromTheCallerElseTheVariable(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
	require.NoError(t, os.WriteFile(a, []byte(minimal), 0o600))
	require.NoError(t, os.WriteFile(b, []byte(minimal), 0o600))

	c, err := Load(Source{Path: a, Environ: []string{"KAFKA2PROM_CONFIG=" + b}})
	require.NoError(t, err)
	require.Equal(t, a, c.Path())

	c, err = Load(Source{Environ: []string{"KAFKA2PROM_CONFIG=" + b}})
	require.NoError(t, err)
	require.Equal(t, b, c.Path())
}

func TestAFileThatIsNotThere(t *testing.T) {
	t.Chdir(t.TempDir())

	_, err := Load(Source{})

	require.EqualError(t, err, "config.yaml: reading the file: no such file or directory")
}
