package writer

import (
	"cmp"
	"slices"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/storage/remote/azuread"
	"github.com/prometheus/sigv4"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
	"github.com/kafka2prom/kafka2prom/internal/units"
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

// The values of partial_accept, poison_5xx and on_possibly_stored.
const (
	partialAuto   = "auto"
	partialYes    = "yes"
	partialNo     = "no"
	poisonBlock   = "block"
	poisonIsolate = "isolate"
	storedCount   = "count"
	storedLetter  = "dead_letter"
)

// The values of protobuf_message.
const (
	messageV1 = "prometheus.WriteRequest"
	messageV2 = "io.prometheus.write.v2.Request"
)

// SetDefaults fills in what is not set.
func (c *Config) SetDefaults() {
	c.RemoteWrite.setDefaults()
	c.MaxSamples = cmp.Or(c.MaxSamples, 10000)
	c.Shards = cmp.Or(c.Shards, 4)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 12*time.Second)
	c.Retry.MinBackoff = cmp.Or(c.Retry.MinBackoff, 100*time.Millisecond)
	c.Retry.MaxBackoff = cmp.Or(c.Retry.MaxBackoff, 10*time.Second)
}

func (c *RemoteWriteConfig) setDefaults() {
	c.RemoteTimeout = cmp.Or(c.RemoteTimeout, 30*time.Second)
	c.Protocol = cmp.Or(c.Protocol, protocolAuto)
	c.PartialAccept = cmp.Or(c.PartialAccept, partialAuto)
	c.Poison5xx = cmp.Or(c.Poison5xx, poisonBlock)
	c.OnPossiblyStored = cmp.Or(c.OnPossiblyStored, storedCount)
	c.MaxRequestBytes = cmp.Or(c.MaxRequestBytes, 8<<20)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 90*time.Second)
}

// protocol is the one that protocol or protobuf_message asks for; undecided: the
// receiver decides.
func (c RemoteWriteConfig) protocol() protocol {
	switch {
	case c.Protocol == protocolV1, c.ProtobufMessage == messageV1:
		return protocol1
	case c.Protocol == protocolV2, c.ProtobufMessage == messageV2:
		return protocol2
	}
	return undecided
}

// Validate returns what is wrong, with the paths of the keys as they stand in a
// pipeline.
func (c Config) Validate() []error {
	errs := fielderr.Under("remote_write", c.RemoteWrite.validate())
	fault := func(wrong bool, path, format string, args ...any) {
		if wrong {
			errs = append(errs, fielderr.New(path, format, args...))
		}
	}
	fault(c.MaxSamples < 1, "batch.max_samples", "%d is not possible: want at least 1", c.MaxSamples)
	fault(c.Shards < 1 || c.Shards > maxShards, "shards", "%d is not possible: want 1 to %d", c.Shards, maxShards)
	fault(c.ConnectTimeout <= 0, "connect_timeout", "%s is not possible: want more than 0s", c.ConnectTimeout)
	fault(c.Retry.MinBackoff <= 0, "retry.min_backoff", "%s is not possible: want more than 0s", c.Retry.MinBackoff)
	fault(c.Retry.MaxBackoff < c.Retry.MinBackoff, "retry.max_backoff", "%s is less than min_backoff, %s", c.Retry.MaxBackoff, c.Retry.MinBackoff)
	fault(c.Retry.MaxBackoff > maxBackoff, "retry.max_backoff", "%s is not possible: want at most %s", c.Retry.MaxBackoff, maxBackoff)
	fault(c.Retry.MaxAttempts < 0, "retry.max_attempts", "%d is not possible: want 0 (for ever) or more", c.Retry.MaxAttempts)
	return errs
}

// maxBackoff is longer than anybody wants to wait for a receiver that is back.
const maxBackoff = 24 * time.Hour

// maxShards is far beyond what any receiver wants from one sender.
const maxShards = 1000

func (c RemoteWriteConfig) validate() []error {
	errs := c.validateURL()
	oneOf := func(path, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			errs = append(errs, fielderr.New(path, "%q is not known: want %s", value, strings.Join(allowed, ", ")))
		}
	}
	oneOf("protocol", c.Protocol, protocolAuto, protocolV1, protocolV2)
	if c.ProtobufMessage != "" {
		oneOf("protobuf_message", c.ProtobufMessage, messageV1, messageV2)
		if opposite := map[string]string{messageV1: protocolV2, messageV2: protocolV1}; c.Protocol == opposite[c.ProtobufMessage] {
			errs = append(errs, fielderr.New("protobuf_message", "%s is not the message of protocol %s: remove one of the two", c.ProtobufMessage, c.Protocol))
		}
	}
	oneOf("partial_accept", c.PartialAccept, partialAuto, partialYes, partialNo)
	oneOf("poison_5xx", c.Poison5xx, poisonBlock, poisonIsolate)
	oneOf("on_possibly_stored", c.OnPossiblyStored, storedCount, storedLetter)
	if c.RemoteTimeout <= 0 {
		errs = append(errs, fielderr.New("remote_timeout", "%s is not possible: want more than 0s", c.RemoteTimeout))
	}
	if c.MaxRequestBytes < minRequestBytes {
		errs = append(errs, fielderr.New("max_request_bytes", "%s is too little for a request: want at least %s", c.MaxRequestBytes, minRequestBytes))
	}
	if c.IdleTimeout < 0 {
		errs = append(errs, fielderr.New("idle_timeout", "%s is not possible: want 0s or more", c.IdleTimeout))
	}
	return append(errs, validateAuth(c)...)
}

func (c RemoteWriteConfig) validateURL() []error {
	switch {
	case c.URL == nil || c.URL.URL == nil || c.URL.Host == "":
		return []error{fielderr.New("url", "want the URL of the receiver, such as http://localhost:9090/api/v1/write")}
	case c.URL.Scheme != "http" && c.URL.Scheme != "https":
		return []error{fielderr.New("url", "%q is no scheme to write to: want http or https", c.URL.Scheme)}
	}
	return nil
}

// minRequestBytes has room for a sample of a series with many labels.
const minRequestBytes = units.Bytes(64 << 10)
