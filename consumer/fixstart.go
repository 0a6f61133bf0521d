package consumer

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// startListTimeout bounds each question for the starts of partitions: one that has no
// leader is not to hold up the others for long.
const startListTimeout = 5 * time.Second

// startTime is when the first record was written that is read of a partition for which
// the group has no offset; zero: from the start of the log on.
func (c *Consumer) startTime(now time.Time) (time.Time, error) {
	if c.opts.Span.Replay {
		return c.opts.Span.From, nil
	}
	return parseStart(c.cfg.Start, now)
}

// startOffset is the same for the client, which asks the brokers itself for what
// fixStarts could not learn.
func (c *Consumer) startOffset() kgo.Offset {
	if c.from.IsZero() {
		return kgo.NewOffset().AtStart()
	}
	return kgo.NewOffset().AfterMilli(c.fromMilli())
}

// fromMilli is not negative: brokers take negative times for something else.
func (c *Consumer) fromMilli() int64 { return max(0, c.from.UnixMilli()) }

// fixStarts finds where partitions start for which the group has no offset, and
// commits it before their first record is fetched. Whoever reads them next, after a
// crash as well, starts there too, and not at what `start` means by then; and knows that
// the records may have been delivered. The leases themselves have no such records.
//
// Where it fails the client finds the start by itself, and beginWith marks it. It runs in
// a callback of the group, which takes nothing away meanwhile: ctx ends when it is about
// to. What is returned then makes the client ask again in the next session.
func (c *Consumer) fixStarts(ctx context.Context, client *kgo.Client, unstarted []partition) error {
	starts, err := c.listStarts(ctx, unstarted)
	if err != nil && ctx.Err() == nil {
		c.metrics.retries.warn("asking where partitions start failed; their start is committed with the next commit", zap.Error(err))
	}
	if len(starts) > 0 && c.commitStarts(ctx, client, starts) {
		c.beginAt(starts)
	}
	return ctx.Err()
}

// listStarts asks for the offsets at which partitions start. What is known of some of
// them is returned beside the error.
func (c *Consumer) listStarts(ctx context.Context, unstarted []partition) (map[partition]int64, error) {
	var topics []string
	for _, p := range unstarted {
		if !slices.Contains(topics, p.topic) {
			topics = append(topics, p.topic)
		}
	}
	ask := func(list func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[partition]int64, error) {
		ctx, cancel := context.WithTimeout(ctx, startListTimeout)
		defer cancel()
		listed, err := list(ctx, topics...)
		if err == nil {
			err = listed.Error()
		}
		return listedFor(listed, unstarted), err
	}
	if c.from.IsZero() {
		return ask(c.admin.ListStartOffsets)
	}
	// Where no record is as new as that, the end is the start. It is asked for first: what
	// is written between the two questions is not passed over.
	ends, err := ask(c.admin.ListEndOffsets)
	if err != nil && len(ends) == 0 {
		return nil, err
	}
	starts, err := ask(func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
		return c.admin.ListOffsetsAfterMilli(ctx, c.fromMilli(), topics...)
	})
	for p, at := range starts {
		if end, ok := ends[p]; ok {
			starts[p] = min(at, end)
		} else {
			delete(starts, p)
		}
	}
	return starts, err
}

// listedFor picks what was listed without an error.
func listedFor(listed kadm.ListedOffsets, of []partition) map[partition]int64 {
	offsets := make(map[partition]int64, len(of))
	for _, p := range of {
		if o, ok := listed.Lookup(p.topic, p.id); ok && o.Err == nil && o.Offset >= 0 {
			offsets[p] = o.Offset
		}
	}
	return offsets
}

// commitStarts reports whether the starts are committed. They are marked, so that a
// commit that fails is tried again with the next.
func (c *Consumer) commitStarts(ctx context.Context, client *kgo.Client, starts map[partition]int64) bool {
	c.mu.Lock()
	marks := make(map[string]map[int32]kgo.EpochOffset)
	for p, at := range starts {
		if c.leases[p] == nil {
			continue // Its topic was deleted.
		}
		if marks[p.topic] == nil {
			marks[p.topic] = make(map[int32]kgo.EpochOffset)
		}
		marks[p.topic][p.id] = kgo.EpochOffset{Epoch: -1, Offset: at} // Marks of every epoch may follow.
	}
	client.MarkCommitOffsets(marks)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	err := client.CommitMarkedOffsets(ctx)
	c.committed(client, nil, nil, err)
	return err == nil
}

func (c *Consumer) beginAt(starts map[partition]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, at := range starts {
		if l := c.leases[p]; l != nil {
			l.begin(kgo.EpochOffset{Epoch: -1, Offset: at})
			l.settled = at
		}
	}
}

// fixedStarts tells the client of the starts that fixStarts has committed.
func (c *Consumer) fixedStarts(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, ids := range offsets {
		for id := range ids {
			p := partition{topic, id}
			_, committed := c.start[p]
			if l := c.leases[p]; l != nil && l.began >= 0 && !committed {
				ids[id] = kgo.NewOffset().At(l.began)
			}
		}
	}
	return offsets, nil
}

// beginWith starts a lease at its first record, where its start is not committed yet.
// The next commit does that where the start depends on the time at which it is looked up.
// The start of the log does not; and the client, which holds offset 0 of epoch 0
// for committed from the first poll on, would not take that mark. Consumer.mu is held.
func (c *Consumer) beginWith(l *lease, first *kgo.Record) {
	l.begin(kgo.EpochOffset{Epoch: -1, Offset: first.Offset})
	if !c.from.IsZero() {
		c.marks.MarkCommitOffsets(offsetsOf(l.partition, kgo.EpochOffset{Epoch: first.LeaderEpoch, Offset: first.Offset}))
	}
}
