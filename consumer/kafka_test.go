package consumer

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/version"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v3"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

const canary = "canary-in-the-mine"

// decodeKafka reads the section as the configuration loader does, and sets its
// defaults.
func decodeKafka(t *testing.T, text string) KafkaConfig {
	t.Helper()
	var cfg KafkaConfig
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&cfg))
	cfg.SetDefaults()
	return cfg
}

// startCluster runs a cluster of one broker and returns the configuration that
// reaches it.
func startCluster(t *testing.T, opts ...kfake.Opt) KafkaConfig {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.ClusterID("plant")}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	cfg := KafkaConfig{Brokers: cluster.ListenAddrs()}
	cfg.SetDefaults()
	return cfg
}

// option reads back one option of a client with these settings.
func option(t *testing.T, cfg KafkaConfig, fn any) any {
	t.Helper()
	opts, err := clientOptions(cfg)
	require.NoError(t, err)
	client, err := kgo.NewClient(opts...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client.OptValue(fn)
}

func TestTheDefaultsAreValid(t *testing.T) {
	cfg := KafkaConfig{Brokers: []string{"localhost:9092"}}
	cfg.SetDefaults()
	require.Empty(t, cfg.Validate())
	require.Equal(t, KafkaConfig{
		Brokers: []string{"localhost:9092"}, ClientID: "kafka2prom",
		FetchMaxBytes: 16 << 20, FetchMaxPartitionBytes: 1 << 20, FetchMaxWait: 500 * time.Millisecond,
		MaxConcurrentFetches: 4, MetadataMaxAge: time.Minute, DialTimeout: 10 * time.Second,
	}, cfg)
}

func TestDefaultsLeaveAloneWhatIsSet(t *testing.T) {
	cfg := decodeKafka(t, "{client_id: mine, fetch_max_bytes: 64KiB, metadata_max_age: 5s}")
	require.Equal(t, "mine", cfg.ClientID)
	require.Equal(t, units.Bytes(64<<10), cfg.FetchMaxPartitionBytes, "a partition's part is not more than the whole")
	require.Equal(t, 5*time.Second, cfg.MetadataMaxAge)
}

func TestSettingsReachTheClient(t *testing.T) {
	cfg := decodeKafka(t, `
brokers: [a:1, b]
client_id: mine
rack: r1
fetch_max_bytes: 100MiB
fetch_max_partition_bytes: 2MiB
fetch_max_wait: 700ms
max_concurrent_fetches: 7
max_decompressed_bytes: 3MiB
metadata_max_age: 2s
`)
	require.Empty(t, cfg.Validate())
	for _, test := range []struct {
		name     string
		fn, want any
	}{
		{"brokers", kgo.SeedBrokers, []string{"a:1", "b"}},
		{"client id", kgo.ClientID, "mine"},
		{"rack", kgo.Rack, "r1"},
		{"fetch bytes", kgo.FetchMaxBytes, int32(100 << 20)},
		{"partition bytes", kgo.FetchMaxPartitionBytes, int32(2 << 20)},
		{"wait", kgo.FetchMaxWait, 700 * time.Millisecond},
		{"concurrent fetches", kgo.MaxConcurrentFetches, 7},
		{"decompressed bytes", kgo.MaxDecompressBatchBytes, 3 << 20},
		{"metadata age", kgo.MetadataMaxAge, 2 * time.Second},
		{"metadata age at least", kgo.MetadataMinAge, 2 * time.Second},
		{"read bytes", kgo.BrokerMaxReadBytes, int32(200 << 20)},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.EqualValues(t, test.want, option(t, cfg, test.fn))
		})
	}
}

func TestEveryValidLimitIsAcceptedByTheClient(t *testing.T) {
	for _, text := range []string{
		"brokers: [a]",
		"{brokers: [a], fetch_max_bytes: 128MiB, fetch_max_partition_bytes: 128MiB, max_decompressed_bytes: 1GiB, fetch_max_wait: 1m, metadata_max_age: 1h}",
		"{brokers: [a], fetch_max_bytes: 1KiB, fetch_max_partition_bytes: 1KiB, max_decompressed_bytes: 1KiB, fetch_max_wait: 10ms, metadata_max_age: 10ms}",
		"{brokers: [a], client_id: " + strings.Repeat("x", 256) + ", rack: " + strings.Repeat("r", 512) + "}",
	} {
		cfg := decodeKafka(t, text)
		require.Empty(t, cfg.Validate())
		opts, err := clientOptions(cfg)
		require.NoError(t, err)
		client, err := kgo.NewClient(opts...)
		require.NoError(t, err)
		client.Close()
	}
}

func TestMistakesInTheKafkaSectionAreNamed(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no broker", "client_id: a", "brokers: at least one broker is needed, such as localhost:9092"},
		{"a scheme", "brokers: [ok:9092, 'SASL_SSL://b:9092']", `brokers[1]: "SASL_SSL://b:9092" has a scheme: want host:port alone; the tls section switches TLS on`},
		{"several in one", "brokers: ['a:9092,b:9092']", `brokers[0]: "a:9092,b:9092" is no address: want host:port`},
		{"no host", "brokers: [':9092']", `brokers[0]: ":9092" is no address: want one host:port an entry`},
		{"a port that is none", "brokers: ['a:kafka']", `brokers[0]: "a:kafka" has no valid port: want host:port`},
		{"port zero", "brokers: ['a:0']", `brokers[0]: "a:0" has no valid port: want host:port`},
		{"a long client id", "{brokers: [a], client_id: " + strings.Repeat("x", 257) + "}", "client_id: must not be longer than 256 bytes"},
		{"a long rack", "{brokers: [a], rack: " + strings.Repeat("x", 513) + "}", "rack: must not be longer than 512 bytes"},
		{"large fetches", "{brokers: [a], fetch_max_bytes: 1GiB}", "fetch_max_bytes: 1GiB is out of range: want between 1KiB and 128MiB"},
		{"a part above the whole", "{brokers: [a], fetch_max_bytes: 1MiB, fetch_max_partition_bytes: 2MiB}", "fetch_max_partition_bytes: 2MiB is more than fetch_max_bytes, which is 1MiB"},
		{"large batches", "{brokers: [a], max_decompressed_bytes: 2GiB}", "max_decompressed_bytes: 2GiB is out of range: want between 1KiB and 1GiB"},
		{"negative fetches", "{brokers: [a], max_concurrent_fetches: -1}", "max_concurrent_fetches: -1 is out of range: want at least 1"},
		{"a long wait", "{brokers: [a], fetch_max_wait: 2m}", "fetch_max_wait: 2m0s is out of range: want between 10ms and 1m0s"},
		{"old metadata", "{brokers: [a], metadata_max_age: 2h}", "metadata_max_age: 2h0m0s is out of range: want between 10ms and 1h0m0s"},
		{"a short dial", "{brokers: [a], dial_timeout: 1ms}", "dial_timeout: 1ms is out of range: want between 10ms and 10m0s"},
		{"an old TLS", "{brokers: [a], tls: {min_version: TLS11}}", "tls.min_version: TLS before 1.2 is broken: want TLS12 or TLS13"},
		{"an old TLS at most", "{brokers: [a], tls: {max_version: TLS10}}", "tls.max_version: TLS before 1.2 is broken: want TLS12 or TLS13"},
		{"versions the wrong way round", "{brokers: [a], tls: {min_version: TLS13, max_version: TLS12}}", "tls.max_version: is below min_version"},
		{"a secret manager", "{brokers: [a], tls: {ca_ref: x}}", "tls.ca_ref: there is no secret manager here: use the key that ends in _file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := decodeKafka(t, test.text)
			errs := cfg.Validate()
			require.Len(t, errs, 1)
			require.EqualError(t, errs[0], test.want)
		})
	}
}

func TestAddressesOfBrokersMayLeaveOutThePort(t *testing.T) {
	for _, broker := range []string{"localhost", "10.0.0.1", "10.0.0.1:9092", "[::1]:9092", "::1", "[::1]", "kafka-0.kafka.svc:65535"} {
		require.Empty(t, brokerProblem(broker), broker)
	}
}

func TestATLSKeyWithoutAValueMeansTLS(t *testing.T) {
	require.Nil(t, decodeKafka(t, "brokers: [a]").TLS)
	require.NotNil(t, decodeKafka(t, "brokers: [a]\ntls: {}").TLS)
	require.NotNil(t, decodeKafka(t, "brokers: [a]\ntls:").TLS)
	require.NotNil(t, decodeKafka(t, "brokers: [a]\ntls: null").TLS)
}

func TestUnknownKeysOfTheSectionAreRefused(t *testing.T) {
	var cfg KafkaConfig
	for text, want := range map[string]string{
		"broker: [a]":             "line 1: field broker not found",
		"sasl: {user: a}":         "line 1: field user not found",
		"tls: {ca: a, verify: b}": "line 1: field verify not found",
	} {
		decoder := yaml.NewDecoder(strings.NewReader(text))
		decoder.KnownFields(true)
		require.ErrorContains(t, decoder.Decode(&cfg), want)
	}
}

func TestFilesAreRelativeToTheConfigurationFile(t *testing.T) {
	cfg := decodeKafka(t, `
tls: {ca_file: ca, cert_file: /abs/cert, key_file: key}
sasl: {password_file: p, oauth: {token_file: t, client_secret_file: s}, aws: {secret_key_file: k}}
`)
	cfg.SetDirectory("/etc/x")
	require.Equal(t, []string{"/etc/x/ca", "/abs/cert", "/etc/x/key", "/etc/x/p", "/etc/x/t", "/etc/x/s", "/etc/x/k"}, []string{
		cfg.TLS.CAFile, cfg.TLS.CertFile, cfg.TLS.KeyFile, cfg.SASL.PasswordFile,
		cfg.SASL.OAuth.TokenFile, cfg.SASL.OAuth.ClientSecretFile, cfg.SASL.AWS.SecretKeyFile,
	})
	empty := KafkaConfig{}
	empty.SetDirectory("/etc/x")
	require.Equal(t, KafkaConfig{}, empty)
}

// plantCanaries fills every secret below v, and every pointer on the way to one,
// and counts them.
func plantCanaries(v reflect.Value) (planted int) {
	if v.Type() == reflect.TypeFor[commoncfg.Secret]() {
		v.SetString(canary)
		return 1
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return plantCanaries(v.Elem())
	case reflect.Struct:
		for _, field := range v.Fields() {
			planted += plantCanaries(field)
		}
	}
	return planted
}

func TestSecretsAreNeverShown(t *testing.T) {
	var cfg KafkaConfig
	require.Equal(t, 6, plantCanaries(reflect.ValueOf(&cfg).Elem()))
	require.Equal(t, commoncfg.Secret(canary), cfg.SASL.OAuth.ClientSecret)
	require.Equal(t, commoncfg.Secret(canary), cfg.SASL.AWS.SessionToken)
	cfg.SASL.Username = "somebody"

	asYAML, err := yaml.Marshal(cfg)
	require.NoError(t, err)
	asJSON, err := json.Marshal(cfg)
	require.NoError(t, err)
	shown := []string{string(asYAML), string(asJSON), fmt.Sprint(cfg), fmt.Sprintf("%+v", &cfg), strings.Join(cfg.Warnings(), "\n")}
	for _, mechanism := range []string{"", mechanismPlain, mechanismScram256, mechanismOAuthBearer, mechanismMSKIAM} {
		cfg.SASL.Mechanism = mechanism
		for _, err := range cfg.Validate() {
			shown = append(shown, err.Error())
		}
		shown = append(shown, cfg.SASL.identity())
	}
	for _, text := range shown {
		require.NotContains(t, text, canary)
	}
	require.Contains(t, cfg.String(), "password: <secret>")
}

func TestWarningsNameWhatIsDangerous(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		cfg := decodeKafka(t, text)
		warnings := cfg.Warnings()
		require.Len(t, warnings, len(want))
		for i := range want {
			require.Contains(t, warnings[i], want[i])
		}
	}
	f("brokers: [a]")
	f("{brokers: [a], tls: {}, sasl: {mechanism: PLAIN}}")
	f("{brokers: [a], sasl: {mechanism: PLAIN, allow_plaintext: true}}", "kafka.sasl without kafka.tls")
	f("{brokers: [a], tls: {insecure_skip_verify: true}}", "kafka.tls.insecure_skip_verify")
}

func TestTheSoftwareVersionIsOneThatBrokersAccept(t *testing.T) {
	before := version.Version
	t.Cleanup(func() { version.Version = before })
	for given, want := range map[string]string{
		"": "dev", "1.2.3": "1.2.3", "v0.0.0-20261122+dirty": "v0.0.0-20261122-dirty", "(devel)": "devel", "+": "dev",
	} {
		version.Version = given
		require.Equal(t, want, softwareVersion())
	}
}
