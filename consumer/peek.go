package consumer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Peek reads a few records without a group, and commits nothing: the newest n of
// all topics of the pipeline, or, with a time, the first n that are not older.
// They come in the order of their timestamps.
func Peek(ctx context.Context, kafka KafkaConfig, cfg Config, n int, from time.Time) ([]*kgo.Record, error) {
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
	if err := c.peekBounds(ctx, &bounds, topics, int64(n), from); err != nil {
		return nil, kafka.explain(err)
	}
	records, err := read(ctx, client, bounds)
	if err != nil {
		return nil, kafka.explain(err)
	}
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	if len(records) > n {
		if from.IsZero() {
			records = records[len(records)-n:]
		} else {
			records = records[:n]
		}
	}
	return records, nil
}

// peekBounds picks up to n offsets of each partition.
func (c *Consumer) peekBounds(ctx context.Context, s *span, topics []string, n int64, from time.Time) error {
	c.opts.Span.From = from
	if err := c.captureStarts(ctx, s, topics); err != nil {
		return err
	}
	end := c.admin.ListCommittedOffsets
	if c.cfg.Isolation == isolationUncommitted {
		end = c.admin.ListEndOffsets
	}
	if err := capture(ctx, end, topics, s.stops); err != nil {
		return err
	}
	for p, stop := range s.stops {
		if from.IsZero() {
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
		ended := quiet.Err() != nil
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
