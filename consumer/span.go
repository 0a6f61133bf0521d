package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// Span bounds a run. The zero Span does not: the run goes on until it is
// stopped.
type Span struct {
	// UntilEnd ends the run when the group's committed offsets have reached the ends
	// that the logs had at the start.
	UntilEnd bool
	// Replay reads the records with From <= timestamp < To (a zero time does not
	// bound) once, outside of the pipeline's group, and ends.
	Replay   bool
	From, To time.Time
	// Slack is how much later than To a record may stand in the log and still have a
	// timestamp before it; negative: anywhere, the log is read to its end. Where the
	// brokers set the timestamps none is needed, and it is not used.
	Slack time.Duration
	// Group makes a replay resumable, and lets several instances share it. Empty: no
	// group, nothing is committed.
	Group string
	// Rate bounds the records per second; 0: unbounded.
	Rate float64
}

// bounded says that the run ends by itself.
func (s Span) bounded() bool { return s.UntilEnd || s.Replay }

// direct says that the run belongs to no group.
func (s Span) direct() bool { return s.Replay && s.Group == "" }

// contains says whether a record with this timestamp is to be delivered.
func (s Span) contains(t time.Time) bool {
	return (s.From.IsZero() || !t.Before(s.From)) && (s.To.IsZero() || t.Before(s.To))
}

// span is a Span resolved to offsets, captured once at the start of the run.
type span struct {
	starts, stops map[partition]int64
	// settled are the offsets up to which this instance has settled, also of partitions
	// that it does not hold any more. Guarded by Consumer.mu.
	settled map[partition]int64
}

// stop is the offset at which a partition ends: -1 in a run without bounds, 0 for
// a partition that was not there when the run began.
func (s *span) stop(p partition) int64 {
	if s == nil {
		return -1
	}
	return s.stops[p]
}

// resolveSpan asks for the offsets between which a bounded run reads. It waits for
// brokers that are out of reach.
func (c *Consumer) resolveSpan(ctx context.Context, now time.Time) error {
	if !c.opts.Span.bounded() {
		return nil
	}
	return c.insist(ctx, "asking for the ends of the topics", func(ctx context.Context) error {
		topics, err := c.subscribed(ctx)
		if err != nil {
			return err
		}
		s := &span{starts: map[partition]int64{}, stops: map[partition]int64{}, settled: map[partition]int64{}}
		if err := c.captureStarts(ctx, s, topics); err != nil {
			return err
		}
		if err := c.captureStops(ctx, s, topics, now); err != nil {
			return err
		}
		c.mu.Lock()
		c.span = s
		c.mu.Unlock()
		return nil
	})
}

// subscribed lists the topics that the pipeline reads.
func (c *Consumer) subscribed(ctx context.Context) ([]string, error) {
	sub := c.subscription()
	all, err := c.admin.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	var topics []string
	for _, name := range all.Names() {
		if all[name].Err == nil && sub.includes(name) {
			topics = append(topics, name)
		}
	}
	for _, t := range sub.topics {
		if !isPattern(t) && !all.Has(t) {
			return nil, permanent("topic %s does not exist", t)
		}
	}
	if len(topics) == 0 {
		return nil, permanent("no topic matches %v", sub.topics)
	}
	return topics, nil
}

// captureStarts finds the first offset of each partition that may lie in the span.
func (c *Consumer) captureStarts(ctx context.Context, s *span, topics []string) error {
	list := c.admin.ListStartOffsets
	if !c.opts.Span.From.IsZero() {
		list = func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return c.admin.ListOffsetsAfterMilli(ctx, ceilMilli(c.opts.Span.From), topics...)
		}
	}
	return capture(ctx, list, topics, s.starts)
}

// captureStops finds the end of each partition: that of the log, or, where the
// span ends before it and the log allows to say so, the first offset behind the
// span.
func (c *Consumer) captureStops(ctx context.Context, s *span, topics []string, now time.Time) error {
	if err := capture(ctx, c.listEnds, topics, s.stops); err != nil {
		return err
	}
	if c.opts.Span.To.IsZero() || !c.opts.Span.Replay {
		return nil
	}
	for _, topic := range topics {
		slack := c.opts.Span.Slack
		if c.appendTime(ctx, topic) {
			slack = 0
		}
		if slack < 0 || c.opts.Span.To.Add(slack).After(now) {
			c.log.Info("reading to the end of the log, because timestamps may be out of order; --slack 1h would end sooner", zap.String("topic", topic))
			continue
		}
		behind := map[partition]int64{}
		err := capture(ctx, func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return c.admin.ListOffsetsAfterMilli(ctx, ceilMilli(c.opts.Span.To.Add(slack)), topics...)
		}, []string{topic}, behind)
		if err != nil {
			return err
		}
		for p, at := range behind {
			s.stops[p] = min(s.stops[p], at)
		}
	}
	return nil
}

// ceilMilli is the first millisecond that is not before t.
func ceilMilli(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// appendTime says that the brokers set the timestamps of a topic, so that they are
// in order. Where it cannot be asked they are taken not to be.
func (c *Consumer) appendTime(ctx context.Context, topic string) bool {
	return c.topicConfig(ctx, topic, "message.timestamp.type") == "LogAppendTime"
}

// topicConfig asks for one setting of a topic; empty where it cannot be asked.
func (c *Consumer) topicConfig(ctx context.Context, topic, key string) string {
	configs, err := c.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return ""
	}
	rc, err := configs.On(topic, nil)
	if err != nil {
		return ""
	}
	for _, cfg := range rc.Configs {
		if cfg.Key == key && cfg.Value != nil {
			return *cfg.Value
		}
	}
	return ""
}

// listEnds lists the ends of what can be read.
func (c *Consumer) listEnds(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
	if c.cfg.Isolation == isolationUncommitted {
		return c.admin.ListEndOffsets(ctx, topics...)
	}
	return c.admin.ListCommittedOffsets(ctx, topics...)
}

// capture lists one offset a partition.
func capture(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error), topics []string, into map[partition]int64) error {
	offsets, err := list(ctx, topics...)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return fmt.Errorf("listing offsets: %w", err)
	}
	offsets.Each(func(o kadm.ListedOffset) { into[partition{o.Topic, o.Partition}] = o.Offset })
	return nil
}

// consumeSpan starts a replay without a group: every partition of the span is
// assigned here, for good.
func (c *Consumer) consumeSpan(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	offsets := map[string]map[int32]kgo.Offset{}
	for p, stop := range c.span.stops {
		start := c.span.starts[p]
		l := c.leases.add(p, now)
		l.stop, l.end = stop, stop
		l.begin(kgo.EpochOffset{Epoch: -1, Offset: start})
		l.settled = start
		if start >= stop {
			continue
		}
		if offsets[p.topic] == nil {
			offsets[p.topic] = map[int32]kgo.Offset{}
		}
		offsets[p.topic][p.id] = kgo.NewOffset().At(start)
	}
	c.client.AddConsumePartitions(offsets)
}

// ended says whether a bounded run has settled everything. In a group it is the
// committed offsets that count, whoever committed them.
func (c *Consumer) ended(ctx context.Context) (bool, error) {
	if c.opts.Span.direct() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, l := range c.leases {
			if !l.done() {
				return false, nil
			}
		}
		return true, nil
	}
	group := c.group()
	committed, err := c.admin.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return false, fmt.Errorf("fetching the committed offsets of group %s: %w", group, err)
	}
	for p, stop := range c.span.stops {
		at := c.span.starts[p]
		if o, ok := committed.Lookup(p.topic, p.id); ok && o.At >= 0 {
			at = max(at, o.At)
		}
		if at < stop && !c.emptied(p, stop) {
			return false, nil
		}
	}
	return true, nil
}

// emptied says that retention has removed a partition's records up to the stop.
func (c *Consumer) emptied(p partition, stop int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.leases[p]
	return l != nil && l.logStart >= stop
}
