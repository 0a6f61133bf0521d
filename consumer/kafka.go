package consumer

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/version"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v3"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
	"github.com/kafka2prom/kafka2prom/internal/units"
)

const softwareName = "kafka2prom"

// The bounds of what is read from a broker. The first bytes of a TLS alert, taken
// for the length of a response, are 336 MiB: where less is allowed, kgo sees that
// the broker speaks TLS.
const (
	minReadBytes  = 100 << 20
	maxFetchBytes = 128 << 20
)

// MaxDecompressedBytes is the largest default of max_decompressed_bytes, and what
// 0 means to a client.
const MaxDecompressedBytes units.Bytes = 64 << 20

// SetDefaults fills in what the configuration leaves out.
func (c *KafkaConfig) SetDefaults() {
	setDefault(&c.ClientID, softwareName)
	setDefault(&c.FetchMaxBytes, 16<<20)
	setDefault(&c.FetchMaxPartitionBytes, min(1<<20, c.FetchMaxBytes))
	setDefault(&c.FetchMaxWait, 500*time.Millisecond)
	setDefault(&c.MaxConcurrentFetches, 4)
	setDefault(&c.MetadataMaxAge, time.Minute)
	setDefault(&c.DialTimeout, 10*time.Second)
}

// UnmarshalYAML reads the section over the values that c already has. A tls key
// without a value means TLS with the system's certificate authorities: somebody who
// writes it does not expect plaintext.
func (c *KafkaConfig) UnmarshalYAML(unmarshal func(any) error) error {
	type plain KafkaConfig
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	var keys map[string]any
	if err := unmarshal(&keys); err != nil {
		return err
	}
	if value, written := keys["tls"]; written && value == nil {
		c.TLS = &commoncfg.TLSConfig{}
	}
	return nil
}

// String is the section as YAML, without secrets.
func (c KafkaConfig) String() string {
	text, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Sprintf("<kafka cannot be written as YAML: %v>", err)
	}
	return string(text)
}

// SetDirectory makes the paths of files relative to dir, the directory of the
// configuration file.
func (c *KafkaConfig) SetDirectory(dir string) {
	c.TLS.SetDirectory(dir)
	if c.SASL == nil {
		return
	}
	c.SASL.PasswordFile = commoncfg.JoinDir(dir, c.SASL.PasswordFile)
	if o := c.SASL.OAuth; o != nil {
		o.TokenFile = commoncfg.JoinDir(dir, o.TokenFile)
		o.ClientSecretFile = commoncfg.JoinDir(dir, o.ClientSecretFile)
	}
	if a := c.SASL.AWS; a != nil {
		a.SecretKeyFile = commoncfg.JoinDir(dir, a.SecretKeyFile)
	}
}

// Warnings says what is allowed but dangerous. The program logs each once, at the
// start.
func (c KafkaConfig) Warnings() []string {
	var warnings []string
	if c.TLS != nil && c.TLS.InsecureSkipVerify {
		warnings = append(warnings, "kafka.tls.insecure_skip_verify: "+
			"anybody on the path can pretend to be the brokers, and learn the credentials")
	}
	if c.SASL != nil && c.TLS == nil {
		warnings = append(warnings, "kafka.sasl without kafka.tls: "+
			"the login and all records travel unencrypted")
	}
	return warnings
}

// Validate checks the section after SetDefaults. The errors carry the path below
// kafka.
func (c *KafkaConfig) Validate() []error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, fielderr.New("brokers", "at least one broker is needed, such as localhost:9092"))
	}
	for i, broker := range c.Brokers {
		if problem := brokerProblem(broker); problem != "" {
			errs = append(errs, fielderr.New(fielderr.Index("brokers", i), "%q %s", broker, problem))
		}
	}
	if len(c.ClientID) > 256 {
		errs = append(errs, fielderr.New("client_id", "must not be longer than 256 bytes"))
	}
	if len(c.Rack) > 512 {
		errs = append(errs, fielderr.New("rack", "must not be longer than 512 bytes"))
	}
	errs = append(errs, c.validateLimits()...)
	if c.TLS != nil {
		errs = append(errs, fielderr.Under("tls", validateTLS(c.TLS))...)
	}
	if c.SASL != nil {
		errs = append(errs, fielderr.Under("sasl", c.SASL.validate(c.TLS != nil))...)
	}
	return errs
}

// brokerProblem says what is wrong with the address of a broker.
func brokerProblem(broker string) string {
	if strings.Contains(broker, "://") {
		return "has a scheme: want host:port alone; the tls section switches TLS on"
	}
	host, port, err := net.SplitHostPort(broker)
	if err != nil {
		// Without a port it is 9092, as everywhere.
		host, port = broker, "9092"
		if strings.Contains(host, ":") && net.ParseIP(strings.Trim(host, "[]")) == nil {
			return "is no address: want host:port"
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "has no valid port: want host:port"
	}
	if host == "" || strings.ContainsAny(host, " ,/") {
		return "is no address: want one host:port an entry"
	}
	return ""
}

func (c *KafkaConfig) validateLimits() []error {
	var errs []error
	bytes := func(path string, value, most units.Bytes) {
		if value < 1<<10 || value > most {
			errs = append(errs, fielderr.New(path, "%v is out of range: want between 1KiB and %v", value, most))
		}
	}
	duration := func(path string, value, least, most time.Duration) {
		if value < least || value > most {
			errs = append(errs, fielderr.New(path, "%v is out of range: want between %v and %v", value, least, most))
		}
	}
	bytes("fetch_max_bytes", c.FetchMaxBytes, maxFetchBytes)
	bytes("fetch_max_partition_bytes", c.FetchMaxPartitionBytes, maxFetchBytes)
	if c.FetchMaxPartitionBytes > c.FetchMaxBytes {
		errs = append(errs, fielderr.New("fetch_max_partition_bytes",
			"%v is more than fetch_max_bytes, which is %v", c.FetchMaxPartitionBytes, c.FetchMaxBytes))
	}
	if c.MaxDecompressedBytes != 0 {
		bytes("max_decompressed_bytes", c.MaxDecompressedBytes, 1<<30)
	}
	if c.MaxConcurrentFetches < 1 {
		errs = append(errs, fielderr.New("max_concurrent_fetches", "%d is out of range: want at least 1", c.MaxConcurrentFetches))
	}
	duration("fetch_max_wait", c.FetchMaxWait, 10*time.Millisecond, time.Minute)
	duration("metadata_max_age", c.MetadataMaxAge, 10*time.Millisecond, time.Hour)
	duration("dial_timeout", c.DialTimeout, 10*time.Millisecond, 10*time.Minute)
	return errs
}

// clientOptions are those of every Kafka client of the program. The configuration
// has its defaults and is valid.
func clientOptions(cfg KafkaConfig) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ClientID(cfg.ClientID),
		kgo.SoftwareNameAndVersion(softwareName, softwareVersion()),
		kgo.Dialer(dialer(cfg)),
		kgo.MetadataMaxAge(cfg.MetadataMaxAge),
		// kgo's own default of 5s must not be above the maximum.
		kgo.MetadataMinAge(min(5*time.Second, cfg.MetadataMaxAge)),

		kgo.FetchMaxBytes(bytes32(cfg.FetchMaxBytes)),
		kgo.FetchMaxPartitionBytes(bytes32(cfg.FetchMaxPartitionBytes)),
		kgo.FetchMaxWait(cfg.FetchMaxWait),
		kgo.MaxConcurrentFetches(cfg.MaxConcurrentFetches),
		kgo.MaxDecompressBatchBytes(int(cmp.Or(cfg.MaxDecompressedBytes, MaxDecompressedBytes))),
		// A broker exceeds what was asked for where the first batch alone is larger;
		// and the metadata of a large cluster are no fetch.
		kgo.BrokerMaxReadBytes(bytes32(max(minReadBytes, 2*cfg.FetchMaxBytes))),
	}
	if cfg.Rack != "" {
		opts = append(opts, kgo.Rack(cfg.Rack))
	}
	if cfg.SASL != nil {
		mechanism, err := cfg.SASL.mechanism()
		if err != nil {
			return nil, fmt.Errorf("preparing the login with %s: %w", cfg.SASL.Mechanism, err)
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// bytes32 is for sizes that Validate has bounded.
func bytes32(size units.Bytes) int32 {
	return int32(min(size, 1<<30))
}

var notInVersions = regexp.MustCompile(`[^a-zA-Z0-9.]+`)

// softwareVersion is the program's version with the characters that brokers accept:
// they refuse the connection otherwise.
func softwareVersion() string {
	cleaned := strings.Trim(notInVersions.ReplaceAllString(version.Version, "-"), "-.")
	if cleaned == "" {
		return "dev"
	}
	return cleaned
}
