package consumer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// valid is a configuration with nothing but what has to be set.
func valid() Config {
	c := Config{Topics: []string{"sensors"}}
	c.SetDefaults("sensors")
	return c
}

func TestDefaultsAreWhatTheCommentsSay(t *testing.T) {
	c := valid()

	require.Equal(t, Config{
		Topics:            []string{"sensors"},
		Group:             "kafka2prom-sensors",
		Start:             "earliest",
		Isolation:         "read_committed",
		GroupProtocol:     "classic",
		Balancer:          "cooperative-sticky",
		SessionTimeout:    10 * time.Second,
		HeartbeatInterval: 3 * time.Second,
		RebalanceTimeout:  time.Minute,
		CommitInterval:    time.Second,
		OnDataLoss:        "continue",
		Batch:             BatchConfig{MaxSamples: 10_000, MaxAge: time.Second, InFlight: 4},
		OnError:           "stop",
		ShutdownTimeout:   20 * time.Second,
		StallTimeout:      10 * time.Minute,
	}, c)
	require.Empty(t, c.Validate())
}

func TestPipelineDefaultsLeaveAloneWhatIsSet(t *testing.T) {
	c := Config{
		Topics: []string{"a"}, Group: "g", Start: "-6h", OnError: "skip",
		Batch:      BatchConfig{MaxSamples: 1, MaxAge: time.Minute, MaxBytes: 7, InFlight: 9},
		DeadLetter: &DeadLetterConfig{Topic: "a.dead", Partitions: 3, Replication: 2},
	}
	c.SetDefaults("sensors")

	require.Equal(t, "g", c.Group)
	require.Equal(t, "-6h", c.Start)
	require.Equal(t, "skip", c.OnError)
	require.Equal(t, BatchConfig{MaxSamples: 1, MaxAge: time.Minute, MaxBytes: 7, InFlight: 9}, c.Batch)
	require.Equal(t, &DeadLetterConfig{Topic: "a.dead", Partitions: 3, Replication: 2}, c.DeadLetter)
}

func TestOnErrorFollowsTheDeadLetterTopic(t *testing.T) {
	with := Config{DeadLetter: &DeadLetterConfig{Topic: "dead"}}
	with.SetDefaults("p")
	require.Equal(t, "dead_letter", with.OnError)
	require.Equal(t, int32(-1), with.DeadLetter.Partitions)
	require.Equal(t, int16(-1), with.DeadLetter.Replication)

	without := Config{DeadLetter: &DeadLetterConfig{}}
	without.SetDefaults("p")
	require.Equal(t, "stop", without.OnError)
}

func TestEachFaultIsNamed(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no topics", func(c *Config) { c.Topics = nil }, "topics: missing: want the names of topics, or patterns that start with ^"},
		{"an empty name", func(c *Config) { c.Topics = []string{""} }, `topics[0]: "" is no name of a topic: want up to 249 letters, digits, dots, underscores and hyphens`},
		{"a name with a space", func(c *Config) { c.Topics = []string{"a b"} }, `topics[0]: "a b" is no name of a topic: want up to 249 letters, digits, dots, underscores and hyphens`},
		{"two dots", func(c *Config) { c.Topics = []string{".."} }, `topics[0]: ".." is no name of a topic: want up to 249 letters, digits, dots, underscores and hyphens`},
		{"a pattern without its sign", func(c *Config) { c.Topics = []string{"a", "plant-.*"} }, `topics[1]: "plant-.*" is no name of a topic: a pattern starts with ^`},
		{"a pattern that does not compile", func(c *Config) { c.Topics = []string{"^("} }, "topics[0]: \"^(\" is no pattern: error parsing regexp: missing closing ): `^(`"},
		{"an excluded pattern that does not compile", func(c *Config) { c.ExcludeTopics = []string{"^["} }, "exclude_topics[0]: \"^[\" is no pattern: error parsing regexp: missing closing ]: `[`"},
		{"a topic twice", func(c *Config) { c.Topics = []string{"a", "a"} }, `topics[1]: "a" is in the list twice`},
		{"start", func(c *Config) { c.Start = "yesterday" }, `start: "yesterday" is no start: want earliest, latest, a time such as 2026-11-01T00:00:00Z, or a duration back from now such as -6h`},
		{"isolation", func(c *Config) { c.Isolation = "none" }, `isolation: want read_committed or read_uncommitted, have "none"`},
		{"group protocol", func(c *Config) { c.GroupProtocol = "new" }, `group_protocol: want classic or consumer, have "new"`},
		{"balancer", func(c *Config) { c.Balancer = "x" }, `balancer: want cooperative-sticky, sticky, range or round-robin, have "x"`},
		{"a balancer that brokers do not have", func(c *Config) { c.GroupProtocol, c.Balancer = "consumer", "round-robin" }, "balancer: the broker knows no round-robin, and the client would fall back to the classic protocol: want cooperative-sticky, sticky or range with group_protocol: consumer"},
		{"commit interval below the client's", func(c *Config) { c.CommitInterval = time.Millisecond }, "commit_interval: 1ms is too short: want 100ms or more"},
		{"data loss", func(c *Config) { c.OnDataLoss = "stop" }, `on_data_loss: want continue or fail, have "stop"`},
		{"session timeout", func(c *Config) { c.SessionTimeout = -1 }, "session_timeout: want more than 0, have -1ns"},
		{"heartbeat", func(c *Config) { c.HeartbeatInterval = 10 * time.Second }, "heartbeat_interval: 10s is not shorter than session_timeout, 10s: the group would lose its member between two heartbeats"},
		{"rebalance timeout", func(c *Config) { c.RebalanceTimeout = -time.Second }, "rebalance_timeout: want more than 0, have -1s"},
		{"commit interval", func(c *Config) { c.CommitInterval = -time.Second }, "commit_interval: want more than 0, have -1s"},
		{"shutdown timeout", func(c *Config) { c.ShutdownTimeout = -time.Second }, "shutdown_timeout: want more than 0, have -1s"},
		{"stall timeout", func(c *Config) { c.StallTimeout = -time.Second }, "stall_timeout: want more than 0, have -1s"},
		{"skew", func(c *Config) { c.MaxSkew = -time.Second }, "max_skew: want 0, for none, or more, have -1s"},
		{"age", func(c *Config) { c.Batch.MaxAge = -time.Second }, "batch.max_age: want more than 0, have -1s"},
		{"in flight", func(c *Config) { c.Batch.InFlight = -2 }, "batch.in_flight: want 1 or more, have -2"},
		{"on_error", func(c *Config) { c.OnError = "ignore" }, `on_error: want dead_letter, skip or stop, have "ignore"`},
		{"dead letters without a topic", func(c *Config) { c.OnError = "dead_letter" }, "on_error: dead_letter needs a topic: set dead_letter.topic"},
		{"an empty dead-letter section", func(c *Config) { c.DeadLetter = &DeadLetterConfig{} }, "dead_letter.topic: missing: want the name of a topic, or leave out dead_letter"},
		{"a dead-letter pattern", func(c *Config) { c.DeadLetter = &DeadLetterConfig{Topic: "^dead"} }, `dead_letter.topic: "^dead" is no name of a topic: want up to 249 letters, digits, dots, underscores and hyphens`},
		{"its own dead letters", func(c *Config) { c.DeadLetter = &DeadLetterConfig{Topic: "sensors"} }, `dead_letter.topic: "sensors" is also read: every dead letter would come back as one`},
		{"partitions", func(c *Config) { c.DeadLetter = &DeadLetterConfig{Topic: "d", Partitions: -2} }, "dead_letter.partitions: want 1 or more, or -1 for the broker's default, have -2"},
		{"replication", func(c *Config) { c.DeadLetter = &DeadLetterConfig{Topic: "d", Replication: -2} }, "dead_letter.replication: want 1 or more, or -1 for the broker's default, have -2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := valid()
			test.change(&c)

			errs := c.Validate()

			require.Len(t, errs, 1)
			require.EqualError(t, errs[0], test.want)
		})
	}
}

func TestAllFaultsAreFoundAtOnce(t *testing.T) {
	c := valid()
	c.Topics, c.Start, c.OnError = nil, "soon", "dead_letter"

	require.Len(t, c.Validate(), 3)
}

func TestEveryFormOfStartIsTaken(t *testing.T) {
	for _, start := range []string{"earliest", "latest", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00.5+01:00", "-6h", "-2d", "-1w12h"} {
		c := valid()
		c.Start = start
		require.Empty(t, c.Validate(), start)
	}
}
