package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Survey says which topics a pipeline would read, with their partitions and how
// far the group is behind, and whether its dead-letter topic is there.
func Survey(ctx context.Context, kafka KafkaConfig, cfg Config) (string, error) {
	opts, err := clientOptions(kafka)
	if err != nil {
		return "", err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return "", fmt.Errorf("making the Kafka client: %w", err)
	}
	defer client.Close()
	c := &Consumer{cfg: cfg, side: client, admin: kadm.NewClient(client)}
	text, err := c.survey(ctx)
	if err != nil {
		return "", kafka.explain(err)
	}
	return text, nil
}

func (c *Consumer) survey(ctx context.Context) (string, error) {
	topics, err := c.subscribed(ctx)
	if err != nil {
		return "", err
	}
	s := span{starts: map[partition]int64{}, stops: map[partition]int64{}}
	if err := c.captureStarts(ctx, &s, topics); err != nil {
		return "", err
	}
	if err := c.captureStops(ctx, &s, topics, c.opts.Span.To); err != nil {
		return "", err
	}
	committed, err := c.admin.FetchOffsets(ctx, c.cfg.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return "", fmt.Errorf("fetching the committed offsets of group %s: %w", c.cfg.Group, err)
	}
	var lines []string
	for _, topic := range topics {
		lines = append(lines, surveyTopic(topic, &s, committed))
	}
	dead, err := c.surveyLetters(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("group %s reads %s%s", c.cfg.Group, strings.Join(lines, "; "), dead), nil
}

// surveyTopic sums up one topic.
func surveyTopic(topic string, s *span, committed kadm.OffsetResponses) string {
	var partitions int
	var records, lag int64
	started := false
	for p, stop := range s.stops {
		if p.topic != topic {
			continue
		}
		partitions++
		records += stop - s.starts[p]
		at := s.starts[p]
		if o, ok := committed.Lookup(topic, p.id); ok && o.At >= 0 {
			at, started = max(at, o.At), true
		}
		lag += max(0, stop-at)
	}
	behind := fmt.Sprintf("lag %d", lag)
	if !started {
		behind = "no committed offset yet"
	}
	return fmt.Sprintf("%s (%d partitions, %d offsets in the log, %s)", topic, partitions, records, behind)
}

func (c *Consumer) surveyLetters(ctx context.Context) (string, error) {
	if c.cfg.DeadLetter == nil || c.cfg.OnError != onErrorDeadLetter {
		return "", nil
	}
	name := c.cfg.DeadLetter.Topic
	topics, err := c.admin.ListTopics(ctx, name)
	if err != nil {
		return "", fmt.Errorf("looking for the dead-letter topic %s: %w", name, err)
	}
	switch {
	case topics.Has(name):
		return "; dead letters go to " + name, nil
	case c.cfg.DeadLetter.Create:
		return "; the dead-letter topic " + name + " will be created", nil
	}
	return "", noLetterTopic(name)
}
