package writer

import (
	"net/url"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"
)

func TestDefaultsAreThoseThatAreDocumented(t *testing.T) {
	var c Config
	c.SetDefaults()
	require.Equal(t, Config{
		MaxSamples:     10000,
		Shards:         4,
		ConnectTimeout: 12 * time.Second,
		Retry:          RetryConfig{MinBackoff: 100 * time.Millisecond, MaxBackoff: 10 * time.Second},
		RemoteWrite: RemoteWriteConfig{
			RemoteTimeout: 30 * time.Second, Protocol: "auto", PartialAccept: "auto", Poison5xx: "block",
			OnPossiblyStored: "count", MaxRequestBytes: 8 << 20, IdleTimeout: 90 * time.Second,
		},
	}, c)
}

func TestDefaultsLeaveWhatIsSet(t *testing.T) {
	set := configure(func(c *Config) {
		c.MaxSamples, c.Shards, c.ConnectTimeout = 1, 2, time.Second
		c.Retry = RetryConfig{MinBackoff: 3, MaxBackoff: 4, MaxAttempts: 5}
		c.RemoteWrite.RemoteTimeout, c.RemoteWrite.IdleTimeout, c.RemoteWrite.MaxRequestBytes = 6, 7, 8
		c.RemoteWrite.PartialAccept, c.RemoteWrite.Poison5xx, c.RemoteWrite.OnPossiblyStored = "no", "isolate", "dead_letter"
	})
	c := set
	c.SetDefaults()
	require.Equal(t, set, c)
}

func TestMistakesAreNamedWithTheirKeys(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := configure(nil)
		c.SetDefaults()
		require.Empty(t, c.Validate())
		change(&c)
		var got []string
		for _, err := range c.Validate() {
			got = append(got, err.Error())
		}
		require.Equal(t, []string{want}, got)
	}
	link := func(text string) *commoncfg.URL {
		u, err := url.Parse(text)
		require.NoError(t, err)
		return &commoncfg.URL{URL: u}
	}
	f("batch.max_samples: -1 is not possible: want at least 1", func(c *Config) { c.MaxSamples = -1 })
	f("shards: 0 is not possible: want 1 to 1000", func(c *Config) { c.Shards = 0 })
	f("shards: 1001 is not possible: want 1 to 1000", func(c *Config) { c.Shards = 1001 })
	f("connect_timeout: -1s is not possible: want more than 0s", func(c *Config) { c.ConnectTimeout = -time.Second })
	f("retry.min_backoff: -1ns is not possible: want more than 0s", func(c *Config) { c.Retry.MinBackoff = -1 })
	f("retry.max_backoff: 50ms is less than min_backoff, 100ms", func(c *Config) { c.Retry.MaxBackoff = 50 * time.Millisecond })
	f("retry.max_backoff: 25h0m0s is not possible: want at most 24h0m0s", func(c *Config) { c.Retry.MaxBackoff = 25 * time.Hour })
	f("retry.max_attempts: -1 is not possible: want 0 (for ever) or more", func(c *Config) { c.Retry.MaxAttempts = -1 })
	f("remote_write.url: want the URL of the receiver, such as http://localhost:9090/api/v1/write", func(c *Config) { c.RemoteWrite.URL = nil })
	f("remote_write.url: want the URL of the receiver, such as http://localhost:9090/api/v1/write", func(c *Config) { c.RemoteWrite.URL = link("/api/v1/write") })
	f(`remote_write.url: "ftp" is no scheme to write to: want http or https`, func(c *Config) { c.RemoteWrite.URL = link("ftp://h/") })
	f(`remote_write.protocol: "3.0" is not known: want auto, 1.0, 2.0`, func(c *Config) { c.RemoteWrite.Protocol = "3.0" })
	f(`remote_write.protobuf_message: "x" is not known: want prometheus.WriteRequest, io.prometheus.write.v2.Request`, func(c *Config) { c.RemoteWrite.ProtobufMessage = "x" })
	f("remote_write.protobuf_message: io.prometheus.write.v2.Request is not the message of protocol 1.0: remove one of the two", func(c *Config) {
		c.RemoteWrite.ProtobufMessage = messageV2
	})
	f(`remote_write.partial_accept: "true" is not known: want auto, yes, no`, func(c *Config) { c.RemoteWrite.PartialAccept = "true" })
	f(`remote_write.poison_5xx: "drop" is not known: want block, isolate`, func(c *Config) { c.RemoteWrite.Poison5xx = "drop" })
	f(`remote_write.on_possibly_stored: "drop" is not known: want count, dead_letter`, func(c *Config) { c.RemoteWrite.OnPossiblyStored = "drop" })
	f("remote_write.remote_timeout: -1ns is not possible: want more than 0s", func(c *Config) { c.RemoteWrite.RemoteTimeout = -1 })
	f("remote_write.max_request_bytes: 1KiB is too little for a request: want at least 64KiB", func(c *Config) { c.RemoteWrite.MaxRequestBytes = 1 << 10 })
	f("remote_write.idle_timeout: -1ns is not possible: want 0s or more", func(c *Config) { c.RemoteWrite.IdleTimeout = -1 })
}

func TestAWriterIsNotMadeOfAWrongConfiguration(t *testing.T) {
	_, err := New(Config{}, Options{})
	require.ErrorContains(t, err, "checking the configuration: remote_write.url: want the URL")
}
