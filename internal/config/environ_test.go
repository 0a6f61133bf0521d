package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVariablesOverrideTheFile(t *testing.T) {
	c := load(t, minimal+"log: {level: warn, format: json}\n",
		"PATH=/bin",
		"KAFKA2PROM_KAFKA__BROKERS=a:1, b:2",
		"KAFKA2PROM_KAFKA__FETCH_MAX_WAIT=250ms",
		"KAFKA2PROM_KAFKA__FETCH_MAX_BYTES=4MiB",
		"KAFKA2PROM_KAFKA__TLS__INSECURE_SKIP_VERIFY=true",
		"KAFKA2PROM_LOG__LEVEL=debug",
		"KAFKA2PROM_PIPELINES__SENSORS__REMOTE_WRITE__URL=https://mimir.example/api/v1/push",
		"KAFKA2PROM_PIPELINES__sensors__remote_write__protocol=1.0",
		"KAFKA2PROM_PIPELINES__sensors__REMOTE_WRITE__HEADERS__X-Scope-OrgID=plant",
		"KAFKA2PROM_PIPELINES__sensors__REMOTE_WRITE__BASIC_AUTH__USERNAME=u",
		"KAFKA2PROM_PIPELINES__sensors__REMOTE_WRITE__BASIC_AUTH__PASSWORD=a,b: *c",
		"KAFKA2PROM_PIPELINES__sensors__BATCH__MAX_SAMPLES=17",
		"KAFKA2PROM_PIPELINES__sensors__MAX_SKEW=1d",
		"KAFKA2PROM_PIPELINES__sensors__TOPICS=^plant-[0-9]+$",
		"KAFKA2PROM_PIPELINES__sensors__LIMITS__MIN_TIMESTAMP=2020-01-01T00:00:00Z",
		"KAFKA2PROM_PIPELINES__sensors__GROUP=null",
	)

	require.Equal(t, []string{"a:1", "b:2"}, c.Kafka.Brokers)
	require.Equal(t, 250*time.Millisecond, c.Kafka.FetchMaxWait)
	require.EqualValues(t, 4<<20, c.Kafka.FetchMaxBytes)
	require.True(t, c.Kafka.TLS.InsecureSkipVerify)
	require.Equal(t, LogConfig{Level: "debug", Format: "json"}, c.Log)
	p := c.Pipelines[0]
	require.Equal(t, "https://mimir.example/api/v1/push", p.RemoteWrite.URL.String())
	require.Equal(t, "1.0", p.RemoteWrite.Protocol)
	require.Equal(t, map[string]string{"X-Scope-OrgID": "plant"}, p.RemoteWrite.Headers)
	require.Equal(t, "a,b: *c", string(p.RemoteWrite.HTTPClientConfig.BasicAuth.Password))
	require.Equal(t, 17, p.Consumer.Batch.MaxSamples)
	require.Equal(t, 24*time.Hour, p.Consumer.MaxSkew)
	require.Equal(t, []string{"^plant-[0-9]+$"}, p.Consumer.Topics)
	require.Equal(t, 2020, p.Mapping.Limits.MinTimestamp.Year())
	require.Equal(t, "null", p.Consumer.Group)
	require.Equal(t, "temp", p.Mapping.Samples[0].Value, "what no variable sets stays")
}

func TestVariablesAddToMappingsAndReplaceLists(t *testing.T) {
	c := load(t, minimal+"      headers: {A: file, B: file}\n",
		"KAFKA2PROM_PIPELINES__sensors__REMOTE_WRITE__HEADERS__B=variable",
		"KAFKA2PROM_PIPELINES__sensors__REMOTE_WRITE__HEADERS__C__D=variable",
		"KAFKA2PROM_KAFKA__BROKERS=b:2")

	require.Equal(t, map[string]string{"A": "file", "B": "variable", "C__D": "variable"}, c.Pipelines[0].RemoteWrite.Headers)
	require.Equal(t, []string{"b:2"}, c.Kafka.Brokers)
}

func TestPipelinesAreAddressedByName(t *testing.T) {
	text := `kafka: {brokers: [localhost:9092]}
pipelines:
  - name: Plant-a
    topics: [a]
    samples: [{name: x, value: v}]
    remote_write: {url: "http://localhost:9090/api/v1/write"}
  - name: plant-a__b
    topics: [b]
    samples: [{name: x, value: v}]
    remote_write: {url: "http://localhost:9090/api/v1/write"}
`
	c := load(t, text, "KAFKA2PROM_PIPELINES__PLANT_A__SHARDS=2", "KAFKA2PROM_PIPELINES__plant-a__b__SHARDS=3")

	require.Equal(t, 2, c.Pipelines[0].Shards)
	require.Equal(t, 3, c.Pipelines[1].Shards)
}

func TestWhatOnlyAVariableSetsCompletesTheFile(t *testing.T) {
	text := `kafka:
pipelines:
  - name: sensors
    samples: [{name: x, value: v}]
    remote_write: {basic_auth: {username: u}}
`
	c := load(t, text,
		"KAFKA2PROM_KAFKA__BROKERS=a:1",
		"KAFKA2PROM_PIPELINES__SENSORS__TOPICS=t",
		"KAFKA2PROM_PIPELINES__SENSORS__DEAD_LETTER__TOPIC=d",
		"KAFKA2PROM_PIPELINES__SENSORS__REMOTE_WRITE__URL=http://localhost:9090/api/v1/write",
		"KAFKA2PROM_PIPELINES__SENSORS__REMOTE_WRITE__BASIC_AUTH__PASSWORD=p")

	require.Equal(t, "dead_letter", c.Pipelines[0].Consumer.OnError)
	require.Equal(t, "u", c.Pipelines[0].RemoteWrite.HTTPClientConfig.BasicAuth.Username)
	require.Equal(t, "p", string(c.Pipelines[0].RemoteWrite.HTTPClientConfig.BasicAuth.Password))
}

func TestVariablesThatAreNotOursAreIgnored(t *testing.T) {
	load(t, minimal,
		"KAFKA2PROM=x",
		"KAFKA2PROMETHEUS_X=y",
		"KAFKA2PROM_CONFIG=other.yaml",
		"KAFKA2PROM_LOG__LEVEL=",
		"KAFKA2PROM_NONSENSE=",
		// Kubernetes sets these for services called kafka2prom and kafka2prom-metrics.
		"KAFKA2PROM_SERVICE_HOST=10.0.0.1",
		"KAFKA2PROM_SERVICE_PORT=9808",
		"KAFKA2PROM_SERVICE_PORT_HTTP_METRICS=9808",
		"KAFKA2PROM_PORT=tcp://10.0.0.1:9808",
		"KAFKA2PROM_PORT_9808_TCP=tcp://10.0.0.1:9808",
		"KAFKA2PROM_PORT_9808_TCP_PROTO=tcp",
		"KAFKA2PROM_PORT_9808_TCP_PORT=9808",
		"KAFKA2PROM_PORT_9808_TCP_ADDR=10.0.0.1",
		"KAFKA2PROM_METRICS_SERVICE_HOST=10.0.0.1",
		"KAFKA2PROM_METRICS_PORT_9808_TCP=tcp://10.0.0.1:9808")
}

func TestEachFaultOfAVariableIsToldWithItsName(t *testing.T) {
	for _, test := range []struct{ name, entry, want string }{
		{"a misspelt key", "KAFKA2PROM_KAFKA__BROKRES=a:1", "KAFKA2PROM_KAFKA__BROKRES: kafka.brokres: unknown key; did you mean KAFKA2PROM_KAFKA__BROKERS?"},
		{"one underscore", "KAFKA2PROM_LOG_LEVEL=debug", "KAFKA2PROM_LOG_LEVEL: log_level: unknown key; did you mean KAFKA2PROM_LOG__LEVEL?"},
		{"one level too high", "KAFKA2PROM_PIPELINES__SENSORS__URL=http://x", "KAFKA2PROM_PIPELINES__SENSORS__URL: pipelines[0].url: unknown key; did you mean KAFKA2PROM_PIPELINES__SENSORS__REMOTE_WRITE__URL?"},
		{"no such key", "KAFKA2PROM_XYZZY=1", "KAFKA2PROM_XYZZY: xyzzy: unknown key"},
		{"a key of a rule", "KAFKA2PROM_PIPELINES__SENSORS__KEY_VALUE=v", "KAFKA2PROM_PIPELINES__SENSORS__KEY_VALUE: pipelines[0].key_value: unknown key"},
		{"no such pipeline", "KAFKA2PROM_PIPELINES__SENSOR__SHARDS=1", "KAFKA2PROM_PIPELINES__SENSOR__SHARDS: pipelines.sensor: no pipeline of the file is called that: there is sensors"},
		{"a section", "KAFKA2PROM_LOG=debug", "KAFKA2PROM_LOG: log: a variable holds one value, or a list with commas, and no section: name one of its keys after __"},
		{"all pipelines", "KAFKA2PROM_PIPELINES=sensors", "KAFKA2PROM_PIPELINES: pipelines: a variable holds one value, or a list with commas, and no section: name one of its keys after __"},
		{"a pipeline", "KAFKA2PROM_PIPELINES__SENSORS=x", "KAFKA2PROM_PIPELINES__SENSORS: pipelines[0]: a variable holds one value, or a list with commas, and no section: name one of its keys after __"},
		{"a list of rules", "KAFKA2PROM_PIPELINES__SENSORS__SAMPLES=x", "KAFKA2PROM_PIPELINES__SENSORS__SAMPLES: pipelines[0].samples: a variable holds one value, or a list with commas, and no section: name one of its keys after __"},
		{"a mapping", "KAFKA2PROM_PIPELINES__SENSORS__REMOTE_WRITE__HEADERS=x", "KAFKA2PROM_PIPELINES__SENSORS__REMOTE_WRITE__HEADERS: pipelines[0].remote_write.headers: a variable holds one value, or a list with commas, and no section: name one of its keys after __"},
		{"a key of a value", "KAFKA2PROM_LOG__LEVEL__X=debug", "KAFKA2PROM_LOG__LEVEL__X: log.level: a value without keys of its own: leave out __X"},
		{"no number", "KAFKA2PROM_PIPELINES__SENSORS__SHARDS=many", `KAFKA2PROM_PIPELINES__SENSORS__SHARDS: pipelines[0].shards: want a whole number, have "many"`},
		{"no duration", "KAFKA2PROM_KAFKA__DIAL_TIMEOUT=10", "KAFKA2PROM_KAFKA__DIAL_TIMEOUT: kafka.dial_timeout: 10 of what? Add a unit, for example 10s or 10ms"},
		{"no URL", "KAFKA2PROM_PIPELINES__SENSORS__REMOTE_WRITE__URL=http://u:hunter2@h:x", "KAFKA2PROM_PIPELINES__SENSORS__REMOTE_WRITE__URL: pipelines[0].remote_write.url: not a URL: want one such as http://localhost:9090/api/v1/write"},
		{"no level", "KAFKA2PROM_LOG__LEVEL=loud", `KAFKA2PROM_LOG__LEVEL: log.level: want debug, info, warn or error, have "loud"`},
		{"no topic", "KAFKA2PROM_PIPELINES__SENSORS__TOPICS=a b", `KAFKA2PROM_PIPELINES__SENSORS__TOPICS: pipelines[0].topics[0]: "a b" is no name of a topic: want up to 249 letters, digits, dots, underscores and hyphens`},
		{"a 0", "KAFKA2PROM_PIPELINES__SENSORS__SHARDS=0", "KAFKA2PROM_PIPELINES__SENSORS__SHARDS: pipelines[0].shards: 0 is not possible: leave the key out for the default, 4"},
		{"a section that only variables begin", "KAFKA2PROM_PIPELINES__SENSORS__DEAD_LETTER__CREATE=true", "KAFKA2PROM_PIPELINES__SENSORS__DEAD_LETTER__CREATE: pipelines[0].dead_letter.topic: missing: want the name of a topic, or leave out dead_letter"},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, loadError(t, minimal, test.entry))
		})
	}
}

func TestTwoVariablesForOneKeyAreAnError(t *testing.T) {
	require.Equal(t, "KAFKA2PROM_log__level: log.level: KAFKA2PROM_LOG__LEVEL sets the same key",
		loadError(t, minimal, "KAFKA2PROM_log__level=info", "KAFKA2PROM_LOG__LEVEL=debug"))
}

func TestNamesThatAreAlikeInVariablesMustBeTold(t *testing.T) {
	text := two("topics: [t]", "topics: [u]")
	require.Equal(t, `KAFKA2PROM_PIPELINES__A_1__SHARDS: pipelines.a_1: "a-1" and "a_1" are the same name in a variable: rename one`,
		loadError(t, replaceNames(text, "a-1", "a_1"), "KAFKA2PROM_PIPELINES__A_1__SHARDS=2"))
	load(t, replaceNames(text, "a-1", "a_1"))
}

func TestASecretInAVariableThatContradictsTheFileIsNotRepeated(t *testing.T) {
	msg := loadError(t, minimal+"      basic_auth: {username: u, password_file: f}\n",
		"KAFKA2PROM_PIPELINES__SENSORS__REMOTE_WRITE__BASIC_AUTH__PASSWORD=hunter2")

	require.Equal(t, "config.yaml:9: pipelines[0].remote_write: at most one of basic_auth password, password_file & password_ref must be configured", msg)
}
