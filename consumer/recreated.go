package consumer

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"
)

// anew notes that the brokers no longer know a topic by its identity: it was deleted,
// and may be there again under its name. Consumer.mu is held.
func (c *Consumer) anew(topic string) {
	if !slices.Contains(c.recreated, topic) {
		c.recreated = append(c.recreated, topic)
	}
}

// subscribeAnew goes on with the topics that were deleted. The client never does so
// by itself, because an offset means another record in the new topic. So nothing more
// is marked of the old one; only then may the client forget it, and find the new one,
// now or later, as a topic that it has never seen. The brokers have dropped the
// group's offsets with the topic, so that the new one is read from where `start` says.
//
// The poll loop calls it while rebalances are allowed, without Consumer.mu.
func (c *Consumer) subscribeAnew(ctx context.Context) {
	c.mu.Lock()
	topics := c.recreated
	c.recreated = nil
	taken := make(map[string][]int32, len(topics))
	unread := make(map[string]int64, len(topics))
	for p, l := range c.leases {
		if slices.Contains(topics, p.topic) {
			taken[p.topic] = append(taken[p.topic], p.id)
			unread[p.topic] += l.lag()
		}
	}
	c.mu.Unlock()
	if len(topics) == 0 || ctx.Err() != nil {
		return
	}
	c.endLeases(taken, "lost")
	for _, topic := range topics {
		c.metrics.recreated.WithLabelValues(topic).Inc()
		c.log.Error("a topic was deleted, or deleted and created anew, while it was read; going on with the new one, from its start",
			zap.String("topic", topic), zap.Int64("known_unsettled_offsets_of_the_old_one", unread[topic]))
	}
	c.client.PurgeTopicsFromConsuming(topics...)
	c.client.AddConsumeTopics(topics...) // Patterns find it by themselves.
}

// bound says that offsets of the run mean records of the topics as they are now: it
// cannot go on with a new topic.
func (c *Consumer) bound() bool { return c.span != nil || c.opts.Span.direct() }

func isRecreated(err error) bool { return errors.Is(err, kerr.UnknownTopicID) }
