package writer

import (
	"time"

	commoncfg "github.com/prometheus/common/config"

	"github.com/kafka2prom/kafka2prom/internal/units"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/storage/remote/azuread"
	"github.com/prometheus/sigv4"
)

// Config is the destination of one pipeline and how it is written to.
type Config struct {
	RemoteWrite RemoteWriteConfig
	// MaxSamples of one request. Default 10000.
	MaxSamples int
	// Shards is the number of requests that may be on the wire at once; each series
	// belongs to one shard. Default 4.
	Shards int
	Retry  RetryConfig
	// ConnectTimeout bounds the set-up of a connection. Default 12s.
	ConnectTimeout time.Duration
}

// RetryConfig is the back-off between attempts of one request.
type RetryConfig struct {
	MinBackoff time.Duration `yaml:"min_backoff"` // 100ms
	MaxBackoff time.Duration `yaml:"max_backoff"` // 10s
	// MaxAttempts of one request; 0: for ever. Used up: the pipeline stops and
	// nothing is committed.
	MaxAttempts int `yaml:"max_attempts"`
}

// RemoteWriteConfig takes the keys of a remote_write entry of prometheus.yml,
// and a few of our own.
type RemoteWriteConfig struct {
	URL           *commoncfg.URL    `yaml:"url"`
	RemoteTimeout time.Duration     `yaml:"remote_timeout"` // 30s, one attempt
	Headers       map[string]string `yaml:"headers,omitempty"`
	// ProtobufMessage is prometheus.WriteRequest (1.0) or
	// io.prometheus.write.v2.Request (2.0), as in prometheus.yml. Empty: Protocol
	// decides.
	ProtobufMessage string `yaml:"protobuf_message,omitempty"`
	// Protocol is auto (default), 1.0 or 2.0.
	Protocol string `yaml:"protocol"`
	// PartialAccept says whether the receiver stores the good samples of a request
	// that it refuses: auto (default: 2.0 yes, 1.0 no, 409 yes), yes or no.
	PartialAccept string `yaml:"partial_accept"`
	// Poison5xx is block (default) or isolate: what to do with a request that gets
	// nothing but 5xx for ten minutes while other shards land.
	Poison5xx string `yaml:"poison_5xx"`
	// OnPossiblyStored is count (default) or dead_letter.
	OnPossiblyStored string `yaml:"on_possibly_stored"`
	// MaxRequestBytes bounds one request before compression. Default 8 MiB.
	MaxRequestBytes     units.Bytes                `yaml:"max_request_bytes"`
	IdleTimeout         time.Duration              `yaml:"idle_timeout"` // 90s, of a kept-alive connection
	WriteRelabelConfigs []*relabel.Config          `yaml:"write_relabel_configs,omitempty"`
	SigV4Config         *sigv4.SigV4Config         `yaml:"sigv4,omitempty"`
	AzureADConfig       *azuread.AzureADConfig     `yaml:"azuread,omitempty"`
	HTTPClientConfig    commoncfg.HTTPClientConfig `yaml:",inline"`
}
