package consumer

import (
	"time"

	commoncfg "github.com/prometheus/common/config"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

// KafkaConfig reaches the cluster. All pipelines share it; each has clients of
// its own.
type KafkaConfig struct {
	Brokers  []string `yaml:"brokers"`
	ClientID string   `yaml:"client_id"` // kafka2prom
	Rack     string   `yaml:"rack,omitempty"`
	// TLS is used where the section is there, even empty.
	TLS  *commoncfg.TLSConfig `yaml:"tls,omitempty"`
	SASL *SASLConfig          `yaml:"sasl,omitempty"`

	FetchMaxBytes          units.Bytes   `yaml:"fetch_max_bytes"`           // 16 MiB, one fetch of one broker
	FetchMaxPartitionBytes units.Bytes   `yaml:"fetch_max_partition_bytes"` // 1 MiB
	FetchMaxWait           time.Duration `yaml:"fetch_max_wait"`            // 500ms
	MaxConcurrentFetches   int           `yaml:"max_concurrent_fetches"`    // 4
	MaxDecompressedBytes   units.Bytes   `yaml:"max_decompressed_bytes"`    // One record batch. 0: by the memory limit, MaxDecompressedBytes where there is none
	MetadataMaxAge         time.Duration `yaml:"metadata_max_age"`          // 1m: how late a new topic or partition is found
	DialTimeout            time.Duration `yaml:"dial_timeout"`              // 10s
}

// SASLConfig is how the program proves who it is to the brokers.
type SASLConfig struct {
	// Mechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or
	// AWS_MSK_IAM.
	Mechanism    string           `yaml:"mechanism"`
	Username     string           `yaml:"username,omitempty"`
	Password     commoncfg.Secret `yaml:"password,omitempty"`
	PasswordFile string           `yaml:"password_file,omitempty"`
	// AllowPlaintext lets PLAIN and OAUTHBEARER, which send the secret itself, be
	// used without TLS.
	AllowPlaintext bool `yaml:"allow_plaintext,omitempty"`
	// OAuth is for OAUTHBEARER.
	OAuth *OAuthConfig `yaml:"oauth,omitempty"`
	// AWS is for AWS_MSK_IAM; left out: the SDK's default chain.
	AWS *AWSConfig `yaml:"aws,omitempty"`
}

// OAuthConfig gives a token directly, in a file that is read for every login, or
// by the client credentials grant.
type OAuthConfig struct {
	Token            commoncfg.Secret  `yaml:"token,omitempty"`
	TokenFile        string            `yaml:"token_file,omitempty"`
	ClientID         string            `yaml:"client_id,omitempty"`
	ClientSecret     commoncfg.Secret  `yaml:"client_secret,omitempty"`
	ClientSecretFile string            `yaml:"client_secret_file,omitempty"`
	TokenURL         string            `yaml:"token_url,omitempty"`
	Scopes           []string          `yaml:"scopes,omitempty"`
	EndpointParams   map[string]string `yaml:"endpoint_params,omitempty"`
	Extensions       map[string]string `yaml:"extensions,omitempty"`
}

// AWSConfig signs in to MSK with fixed keys or with the SDK's default chain, and
// takes on a role where one is set.
type AWSConfig struct {
	// Region is where the role is taken on. The login itself is signed for the region
	// in the broker's name, or else for AWS_REGION in the environment.
	Region        string           `yaml:"region,omitempty"`
	Profile       string           `yaml:"profile,omitempty"`
	RoleARN       string           `yaml:"role_arn,omitempty"`
	AccessKey     string           `yaml:"access_key,omitempty"`
	SecretKey     commoncfg.Secret `yaml:"secret_key,omitempty"`
	SecretKeyFile string           `yaml:"secret_key_file,omitempty"`
	SessionToken  commoncfg.Secret `yaml:"session_token,omitempty"`
}

// Config is what one pipeline reads and how it settles what it has read.
type Config struct {
	// Topics are names, or patterns that start with ^.
	Topics []string `yaml:"topics"`
	// ExcludeTopics are names, or patterns that start with ^, that a pattern must not
	// match.
	ExcludeTopics []string `yaml:"exclude_topics,omitempty"`
	// Group defaults to kafka2prom-<pipeline>.
	Group string `yaml:"group"`
	// Start is earliest (default), latest, an RFC 3339 time, or a duration back from
	// now such as -6h: used where the group has no offset yet.
	Start string `yaml:"start"`
	// Isolation is read_committed (default) or read_uncommitted.
	Isolation string `yaml:"isolation"`
	// GroupProtocol is classic (default) or consumer (KIP-848).
	GroupProtocol string `yaml:"group_protocol"`
	// Balancer is cooperative-sticky (default), sticky, range or round-robin.
	Balancer          string        `yaml:"balancer"`
	InstanceID        string        `yaml:"instance_id,omitempty"` // static membership
	SessionTimeout    time.Duration `yaml:"session_timeout"`       // 10s
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval"`    // 3s
	RebalanceTimeout  time.Duration `yaml:"rebalance_timeout"`     // 1m
	CommitInterval    time.Duration `yaml:"commit_interval"`       // 1s
	// OnDataLoss is continue (default) or fail: what to do when retention has
	// overtaken the consumer, which is counted either way, and with a record batch
	// that exceeds MaxDecompressedBytes.
	OnDataLoss string `yaml:"on_data_loss"`
	// MaxSkew holds back the partitions that are ahead of the slowest in event time
	// by more than this. 0: never.
	MaxSkew time.Duration `yaml:"max_skew"`

	Batch BatchConfig `yaml:"batch"`

	// OnError is dead_letter, skip or stop. Default: dead_letter where a dead-letter
	// topic is set, else stop.
	OnError    string            `yaml:"on_error"`
	DeadLetter *DeadLetterConfig `yaml:"dead_letter,omitempty"`

	// ShutdownTimeout bounds the drain after SIGTERM. 20s.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
	// StallTimeout is how long work may be pending without a poll or a landing
	// before the pipeline counts as unhealthy. 10m.
	StallTimeout time.Duration `yaml:"stall_timeout"`
}

// BatchConfig says when a batch closes and how many are in flight.
type BatchConfig struct {
	// MaxSamples of one request; a batch fills the requests of all shards. 10000.
	MaxSamples int `yaml:"max_samples"`
	// MaxAge since the batch's first record. 1s.
	MaxAge time.Duration `yaml:"max_age"`
	// MaxBytes of the records of a batch in memory. Default: this pipeline's share
	// of the memory limit divided by the batches in flight, 32 MiB at most.
	MaxBytes units.Bytes `yaml:"max_bytes"`
	// InFlight is the number of batches in memory at once, the open one
	// included. 4.
	InFlight int `yaml:"in_flight"`
}

// DeadLetterConfig is the topic that refused records go to.
type DeadLetterConfig struct {
	Topic string `yaml:"topic"`
	// Create makes the topic where it is missing.
	Create      bool  `yaml:"create,omitempty"`
	Partitions  int32 `yaml:"partitions,omitempty"`  // -1: the broker's default
	Replication int16 `yaml:"replication,omitempty"` // -1: the broker's default
}
