package harness

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// Bounds one question to the broker, also while it is down.
	kafkaTimeout = time.Minute
	// CatchUp is how long any test waits for the lag to become 0.
	CatchUp = 2 * time.Minute
)

// Produce writes records to their topics and partitions and returns when all in-sync
// replicas have every one of them.
func (l *Lab) Produce(t *testing.T, records ...*kgo.Record) {
	t.Helper()
	require.NoError(t, l.TryProduce(t.Context(), records...))
}

// TryProduce is Produce for goroutines that are not the test's own.
func (l *Lab) TryProduce(ctx context.Context, records ...*kgo.Record) error {
	var failed atomic.Pointer[error]
	for _, r := range records {
		l.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	if err := l.client.Flush(ctx); err != nil {
		return fmt.Errorf("flushing records: %w", err)
	}
	if err := failed.Load(); err != nil {
		return fmt.Errorf("producing records: %w", *err)
	}
	return nil
}

// Offsets are offsets by partition of one topic.
type Offsets map[int32]int64

// Ends returns the offsets behind the last records of a topic.
func (l *Lab) Ends(ctx context.Context, topic string) (Offsets, error) {
	listed, err := l.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("listing the ends of %s: %w", topic, err)
	}
	ends := Offsets{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, nil
}

// Committed returns what a group has committed of a topic. Partitions of which it has
// committed nothing are left out.
func (l *Lab) Committed(ctx context.Context, group, topic string) (Offsets, error) {
	responses, err := l.admin.FetchOffsets(ctx, group)
	if err == nil {
		err = responses.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("fetching the offsets of group %s: %w", group, err)
	}
	committed := Offsets{}
	responses.Each(func(o kadm.OffsetResponse) {
		if o.Topic == topic && o.At >= 0 {
			committed[o.Partition] = o.At
		}
	})
	return committed, nil
}

// RequireCommitted fails the test where the group has not committed exactly these
// offsets.
func (l *Lab) RequireCommitted(t *testing.T, group, topic string, want Offsets) {
	t.Helper()
	got, err := l.Committed(t.Context(), group, topic)
	require.NoError(t, err)
	require.Equal(t, want, got, "committed offsets of group %s in %s", group, topic)
}

// AwaitNoLag waits until the group has committed the end of every partition that
// has records. The test fails when that takes longer than CatchUp, or when one of
// the programs ends meanwhile.
func (l *Lab) AwaitNoLag(t *testing.T, group, topic string, programs ...*Program) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), CatchUp)
	defer cancel()
	for {
		committed, ends, err := l.progress(ctx, group, topic)
		if err == nil && maps.Equal(committed, ends) {
			return
		}
		for _, p := range programs {
			require.True(t, p.Running(), "kafka2prom ended with status %d before the lag was 0", p.ExitCode())
		}
		select {
		case <-ctx.Done():
			require.FailNow(t, "there is still lag", "group %s, topic %s after %s: committed %v of %v, %v", group, topic, CatchUp, committed, ends, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (l *Lab) progress(ctx context.Context, group, topic string) (committed, ends Offsets, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if ends, err = l.Ends(ctx, topic); err != nil {
		return nil, nil, err
	}
	maps.DeleteFunc(ends, func(_ int32, end int64) bool { return end == 0 })
	committed, err = l.Committed(ctx, group, topic)
	return committed, ends, err
}

// Records returns everything that is in a topic, in the order of each partition.
func (l *Lab) Records(t *testing.T, topic string) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), kafkaTimeout)
	defer cancel()
	ends, err := l.Ends(ctx, topic)
	require.NoError(t, err)
	partitions := make(map[int32]kgo.Offset, len(ends))
	for p, end := range ends {
		if end > 0 {
			partitions[p] = kgo.NewOffset().AtStart()
		}
	}
	if len(partitions) == 0 {
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: partitions}))
	require.NoError(t, err)
	defer client.Close()
	var records []*kgo.Record
	for len(partitions) > 0 {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err(), "reading %s", topic)
		fetches.EachRecord(func(r *kgo.Record) {
			records = append(records, r)
			if r.Offset == ends[r.Partition]-1 {
				delete(partitions, r.Partition)
			}
		})
	}
	return records
}

// DeadLetter is one record of a dead-letter topic.
type DeadLetter struct {
	Value   string
	Headers map[string]string
}

// DeadLetters returns everything that is in a dead-letter topic.
func (l *Lab) DeadLetters(t *testing.T, topic string) []DeadLetter {
	t.Helper()
	var letters []DeadLetter
	for _, r := range l.Records(t, topic) {
		headers := make(map[string]string, len(r.Headers))
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		letters = append(letters, DeadLetter{Value: string(r.Value), Headers: headers})
	}
	return letters
}
