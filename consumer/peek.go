package consumer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Excerpt is a few records of the topics of a pipeline: the newest, or, with a
// time, the first that are not older.
type Excerpt struct {
	Records int
	From    time.Time
}

// Peek reads an excerpt without a group, and commits nothing. The records come in
// the order of their timestamps.
func Peek(ctx context.Context, kafka KafkaConfig, cfg Config, e Excerpt) ([]*kgo.Record, error) {
	opts, err := clientOptions(kafka)
	if err != nil {
		return nil, err
	}
	if cfg.Isolation != isolationUncommitted {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	client, err := kgo.NewClient(append(opts, kgo.KeepControlRecords())...)
	if err != nil {
		return nil, fmt.Errorf("making the Kafka client: %w", err)
	}
	defer client.Close()
	c := &Consumer{cfg: cfg, side: client, admin: kadm.NewClient(client)}
	topics, err := c.subscribed(ctx)
	if err != nil {
		return nil, kafka.explain(err)
	}
	bounds := span{starts: map[partition]int64{}, stops: map[partition]int64{}}
	if err := c.peekBounds(ctx, &bounds, topics, e); err != nil {
		return nil, kafka.explain(err)
	}
	records, err := read(ctx, client, bounds)
	if err != nil {
		return nil, kafka.explain(err)
	}
	return e.of(records), nil
}

// of picks the excerpt from what has been read.
func (e Excerpt) of(records []*kgo.Record) []*kgo.Record {
	records = slices.DeleteFunc(records, func(r *kgo.Record) bool { return r.Timestamp.Before(e.From) })
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	switch n := len(records); {
	case n <= e.Records:
		return records
	case e.From.IsZero():
		return records[n-e.Records:]
	}
	return records[:e.Records]
}

// peekBounds picks as many offsets of each partition as there may be records.
func (c *Consumer) peekBounds(ctx context.Context, s *span, topics []string, e Excerpt) error {
	n := int64(e.Records)
	c.opts.Span.From = e.From
	if err := c.captureStarts(ctx, s, topics); err != nil {
		return err
	}
	if err := capture(ctx, c.listEnds, topics, s.stops); err != nil {
		return err
	}
	for p, stop := range s.stops {
		if e.From.IsZero() {
			s.starts[p] = max(s.starts[p], stop-n)
		} else {
			s.stops[p] = min(stop, s.starts[p]+n)
		}
	}
	return nil
}

// read reads everything between the bounds.
func read(ctx context.Context, client *kgo.Client, s span) ([]*kgo.Record, error) {
	offsets, left := map[string]map[int32]kgo.Offset{}, map[partition]bool{}
	for p, stop := range s.stops {
		if s.starts[p] >= stop {
			continue
		}
		left[p] = true
		if offsets[p.topic] == nil {
			offsets[p.topic] = map[int32]kgo.Offset{}
		}
		offsets[p.topic][p.id] = kgo.NewOffset().At(s.starts[p])
	}
	client.AddConsumePartitions(offsets)
	var records []*kgo.Record
	for len(left) > 0 {
		// The last offsets of a partition may hold no record any more; then nothing comes.
		quiet, cancel := context.WithTimeout(ctx, 5*time.Second)
		fetches := client.PollRecords(quiet, maxPollRecords)
		ended := quiet.Err() != nil && fetches.NumRecords() == 0
		cancel()
		if ended {
			break
		}
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("reading records: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			p := partition{r.Topic, r.Partition}
			if r.Offset+1 >= s.stops[p] {
				delete(left, p)
			}
			if r.Offset < s.stops[p] && !r.Attrs.IsControl() {
				records = append(records, r)
			}
		})
	}
	return records, ctx.Err()
}
