package consumer

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

// SetDefaults fills in what is not set. The group of a pipeline is its own unless
// it says otherwise, so that adding a pipeline never moves another's offsets.
// Batch.MaxBytes stays 0, which means what its comment says.
func (c *Config) SetDefaults(pipeline string) {
	setDefault(&c.Group, "kafka2prom-"+pipeline)
	setDefault(&c.Start, "earliest")
	setDefault(&c.Isolation, "read_committed")
	setDefault(&c.GroupProtocol, "classic")
	setDefault(&c.Balancer, "cooperative-sticky")
	setDefault(&c.SessionTimeout, 10*time.Second)
	setDefault(&c.HeartbeatInterval, 3*time.Second)
	setDefault(&c.RebalanceTimeout, time.Minute)
	setDefault(&c.CommitInterval, time.Second)
	setDefault(&c.OnDataLoss, "continue")
	setDefault(&c.Batch.MaxSamples, 10_000)
	setDefault(&c.Batch.MaxAge, time.Second)
	setDefault(&c.Batch.InFlight, 4)
	if c.DeadLetter != nil && c.DeadLetter.Topic != "" {
		setDefault(&c.OnError, onErrorDeadLetter)
	}
	setDefault(&c.OnError, onErrorStop)
	if c.DeadLetter != nil {
		setDefault(&c.DeadLetter.Partitions, -1)
		setDefault(&c.DeadLetter.Replication, -1)
	}
	setDefault(&c.ShutdownTimeout, 20*time.Second)
	setDefault(&c.StallTimeout, 10*time.Minute)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// minCommitInterval is the shortest that the Kafka client accepts.
const minCommitInterval = 100 * time.Millisecond

// Validate returns everything that is wrong with a configuration that has its
// defaults, as *fielderr.Error.
func (c Config) Validate() []error {
	v := validation{}
	v.topics("topics", c.Topics)
	v.topics("exclude_topics", c.ExcludeTopics)
	if len(c.Topics) == 0 {
		v.fault("topics", "missing: want the names of topics, or patterns that start with ^")
	}
	if _, err := parseStart(c.Start, time.Now()); err != nil {
		v.fault("start", "%v", err)
	}
	v.oneOf("isolation", c.Isolation, "read_committed", isolationUncommitted)
	v.oneOf("group_protocol", c.GroupProtocol, "classic", protocolConsumer)
	v.oneOf("balancer", c.Balancer, "cooperative-sticky", balancerSticky, balancerRange, balancerRoundRobin)
	if c.GroupProtocol == protocolConsumer && c.Balancer == balancerRoundRobin {
		v.fault("balancer", "the broker knows no %s, and the client would fall back to the classic protocol: want cooperative-sticky, sticky or range with group_protocol: %s",
			balancerRoundRobin, protocolConsumer)
	}
	v.oneOf("on_data_loss", c.OnDataLoss, "continue", onDataLossFail)
	v.positive("session_timeout", c.SessionTimeout)
	v.positive("heartbeat_interval", c.HeartbeatInterval)
	v.positive("rebalance_timeout", c.RebalanceTimeout)
	v.positive("commit_interval", c.CommitInterval)
	v.positive("shutdown_timeout", c.ShutdownTimeout)
	v.positive("stall_timeout", c.StallTimeout)
	if c.CommitInterval > 0 && c.CommitInterval < minCommitInterval {
		v.fault("commit_interval", "%v is too short: want %v or more", c.CommitInterval, minCommitInterval)
	}
	if c.HeartbeatInterval >= c.SessionTimeout && c.SessionTimeout > 0 {
		v.fault("heartbeat_interval", "%v is not shorter than session_timeout, %v: the group would lose its member between two heartbeats",
			c.HeartbeatInterval, c.SessionTimeout)
	}
	if c.MaxSkew < 0 {
		v.fault("max_skew", "want 0, for none, or more, have %v", c.MaxSkew)
	}
	v.batch(c.Batch)
	v.settling(c)
	return v.errs
}

// validation collects what is wrong.
type validation struct{ errs []error }

func (v *validation) fault(path, format string, args ...any) {
	v.errs = append(v.errs, fielderr.New(path, format, args...))
}

func (v *validation) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		last := len(allowed) - 1
		v.fault(path, "want %s or %s, have %q", strings.Join(allowed[:last], ", "), allowed[last], value)
	}
}

func (v *validation) positive(path string, d time.Duration) {
	if d <= 0 {
		v.fault(path, "want more than 0, have %v", d)
	}
}

// topics checks names and patterns.
func (v *validation) topics(path string, topics []string) {
	for i, topic := range topics {
		at := fielderr.Index(path, i)
		switch {
		case slices.Contains(topics[:i], topic):
			v.fault(at, "%q is in the list twice", topic)
		case isPattern(topic):
			if _, err := regexp.Compile(topic); err != nil {
				v.fault(at, "%q is no pattern: %v", topic, err)
			}
		default:
			v.topic(at, topic)
		}
	}
}

// topicName is what Kafka takes.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func (v *validation) topic(path, topic string) {
	switch {
	case topicName.MatchString(topic) && topic != "." && topic != "..":
	case strings.ContainsAny(topic, `*+?[](){}|\$`):
		v.fault(path, "%q is no name of a topic: a pattern starts with ^", topic)
	default:
		v.fault(path, "%q is no name of a topic: want up to 249 letters, digits, dots, underscores and hyphens", topic)
	}
}

// batch leaves MaxSamples to the writer, whose requests it is about.
func (v *validation) batch(b BatchConfig) {
	v.positive("batch.max_age", b.MaxAge)
	if b.InFlight < 1 {
		v.fault("batch.in_flight", "want 1 or more, have %d", b.InFlight)
	}
}

// settling checks where records go that give no samples.
func (v *validation) settling(c Config) {
	v.oneOf("on_error", c.OnError, onErrorDeadLetter, onErrorSkip, onErrorStop)
	if c.DeadLetter == nil {
		if c.OnError == onErrorDeadLetter {
			v.fault("on_error", "dead_letter needs a topic: set dead_letter.topic")
		}
		return
	}
	d := *c.DeadLetter
	if d.Topic == "" {
		v.fault("dead_letter.topic", "missing: want the name of a topic, or leave out dead_letter")
	} else {
		v.topic("dead_letter.topic", d.Topic)
	}
	if slices.Contains(c.Topics, d.Topic) && d.Topic != "" {
		v.fault("dead_letter.topic", "%q is also read: every dead letter would come back as one", d.Topic)
	}
	if d.Partitions < -1 {
		v.fault("dead_letter.partitions", "want 1 or more, or -1 for the broker's default, have %d", d.Partitions)
	}
	if d.Replication < -1 {
		v.fault("dead_letter.replication", "want 1 or more, or -1 for the broker's default, have %d", d.Replication)
	}
}
