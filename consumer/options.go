package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// The values of group_protocol and balancer that are not the defaults.
const (
	protocolConsumer   = "consumer"
	balancerSticky     = "sticky"
	balancerRange      = "range"
	balancerRoundRobin = "round-robin"
)

// groupOptions are those of the client that consumes.
func (c *Consumer) groupOptions(now time.Time) ([]kgo.Opt, error) {
	opts, err := clientOptions(c.opts.Kafka)
	if err != nil {
		return nil, err
	}
	opts = append(opts, kgo.WithLogger(clientLogger(c.log)), kgo.KeepControlRecords(), kgo.WithHooks(newFetchSize(c.opts.Kafka, c.cfg.Batch)))
	if c.cfg.Isolation != isolationUncommitted {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if c.cfg.OnDataLoss == onDataLossFail {
		opts = append(opts, kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	}
	if hook := c.metrics.clientHook(); hook != nil {
		opts = append(opts, kgo.WithHooks(hook))
	}
	if !c.opts.Span.direct() {
		if c.from, err = c.startTime(now); err != nil {
			return nil, err
		}
		opts = append(opts, kgo.ConsumeStartOffset(c.startOffset()))
		opts = append(opts, c.membership()...)
		opts = append(opts, c.subscription().options()...)
	}
	return append(opts, c.opts.ClientOptions...), nil
}

// membership says how the client takes part in its group. Offsets are marked by
// the settler alone and committed by the client, each commit interval; a
// rebalance waits until a poll has been taken in, and not for its flush.
func (c *Consumer) membership() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(c.group()),
		kgo.SessionTimeout(c.cfg.SessionTimeout),
		kgo.HeartbeatInterval(c.cfg.HeartbeatInterval),
		kgo.RebalanceTimeout(c.cfg.RebalanceTimeout),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(c.commitInterval()),
		kgo.AutoCommitCallback(c.committed),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnOffsetsFetched(c.offsetsFetched),
		kgo.AdjustFetchOffsetsFn(c.fixedStarts),
		kgo.OnPartitionsAssigned(c.assigned),
		kgo.OnPartitionsRevoked(c.revoked),
		kgo.OnPartitionsLost(c.lost),
		kgo.Balancers(c.balancer()),
	}
	if c.cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(c.cfg.InstanceID))
	}
	if c.cfg.GroupProtocol == protocolConsumer {
		opts = append(opts, kgo.ServerSideBalancer())
	}
	return opts
}

// group is the pipeline's, or that of a replay.
func (c *Consumer) group() string { return cmp.Or(c.opts.Span.Group, c.cfg.Group) }

// commitInterval is short in a bounded run, which ends with its last commit.
func (c *Consumer) commitInterval() time.Duration {
	if c.opts.Span.bounded() {
		return minCommitInterval
	}
	return c.cfg.CommitInterval
}

func (c *Consumer) balancer() kgo.GroupBalancer {
	switch c.cfg.Balancer {
	case balancerSticky:
		return kgo.StickyBalancer()
	case balancerRange:
		return kgo.RangeBalancer()
	case balancerRoundRobin:
		return kgo.RoundRobinBalancer()
	default:
		return kgo.CooperativeStickyBalancer()
	}
}

// sideOptions are those of the client that asks about topics and offsets, and that
// writes dead letters.
func (c *Consumer) sideOptions() ([]kgo.Opt, error) {
	opts, err := clientOptions(c.opts.Kafka)
	if err != nil {
		return nil, err
	}
	opts = append(opts, kgo.WithLogger(clientLogger(c.log)))
	if c.letters != nil {
		opts = append(opts, c.letters.options()...)
	}
	return append(opts, c.opts.ClientOptions...), nil
}

// insist does something that needs the brokers until it succeeds, ctx ends, or the
// brokers are reached and say no.
func (c *Consumer) insist(ctx context.Context, what string, do func(context.Context) error) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, 30*time.Second)
		err := do(attempt)
		cancel()
		if err == nil || ctx.Err() != nil || !unreachable(err) {
			return err
		}
		c.metrics.retries.warn(what+" failed; trying again", zap.Strings("brokers", c.opts.Kafka.Brokers), zap.Error(err))
		sleep(ctx, 2*time.Second)
	}
}

// unreachable says that an error speaks of the way to the brokers, and not of the
// request.
func unreachable(err error) bool {
	var permanent *permanentError
	var broker *kerr.Error
	switch {
	case errors.As(err, &permanent):
		return false
	case errors.As(err, &broker):
		return broker.Retriable
	}
	return true
}

// permanentError is one that trying again does not mend.
type permanentError struct{ text string }

func (e *permanentError) Error() string { return e.text }

func permanent(format string, args ...any) error {
	return &permanentError{fmt.Sprintf(format, args...)}
}

// subscription says which topics a pipeline reads.
type subscription struct{ topics, exclude []string }

func (c *Consumer) subscription() subscription {
	s := subscription{topics: c.cfg.Topics, exclude: c.cfg.ExcludeTopics}
	if c.cfg.DeadLetter != nil {
		s.exclude = append(slices.Clip(s.exclude), c.cfg.DeadLetter.Topic)
	}
	return s
}

func isPattern(topic string) bool { return strings.HasPrefix(topic, "^") }

// expression is the regular expression of a topic: a pattern as it is, a name
// literally.
func expression(topic string) string {
	if isPattern(topic) {
		return topic
	}
	return "^" + regexp.QuoteMeta(topic) + "$"
}

func (s subscription) patterned() bool { return slices.ContainsFunc(s.topics, isPattern) }

func (s subscription) options() []kgo.Opt {
	if !s.patterned() {
		return []kgo.Opt{kgo.ConsumeTopics(s.topics...)}
	}
	include := make([]string, len(s.topics))
	for i, t := range s.topics {
		include[i] = expression(t)
	}
	exclude := make([]string, len(s.exclude))
	for i, t := range s.exclude {
		exclude[i] = expression(t)
	}
	return []kgo.Opt{kgo.ConsumeRegex(), kgo.ConsumeTopics(include...), kgo.ConsumeExcludeTopics(exclude...)}
}

// includes says whether a topic is read. Exclusions hold for patterns; a topic
// that is named is read.
func (s subscription) includes(topic string) bool {
	if !s.patterned() {
		return slices.Contains(s.topics, topic)
	}
	return matchesAny(s.topics, topic) && !matchesAny(s.exclude, topic)
}

func matchesAny(patterns []string, topic string) bool {
	for _, p := range patterns {
		if ok, err := regexp.MatchString(expression(p), topic); ok && err == nil {
			return true
		}
	}
	return false
}
