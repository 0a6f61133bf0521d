// Package limit is the least that a program can do between Kafka and a receiver:
// consume, scan for the places that matter, append to series that are encoded
// already, compress, post. It checks nothing, commits nothing and trusts its input.
// What a real program needs on top of it is what its guarantees cost.
package limit

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Options say what is read and where it goes.
type Options struct {
	Brokers []string
	Topic   string
	URL     string
	Format  string // One of those that newReader knows.
	Records int    // It ends when it has read as many.
	Batch   int    // Samples of one request.
}

// How much is fetched at once: one response, and one partition in it.
const (
	fetchBytes          = 64 << 20
	fetchPartitionBytes = 8 << 20
	queued              = 4 // Fetches of one partition that wait for their worker.
)

// Run copies records until it has read as many as it was told, and returns when the
// last of them has been accepted.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.ConsumeTopics(o.Topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchPartitionBytes))
	if err != nil {
		return fmt.Errorf("making a Kafka client: %w", err)
	}
	defer client.Close()
	workers, running := map[int32]chan<- []*kgo.Record{}, sync.WaitGroup{}
	for read := 0; read < o.Records; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("fetching: %w", causeOf(ctx, err))
		}
		read += fetches.NumRecords()
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if workers[p.Partition] == nil {
				in := make(chan []*kgo.Record, queued)
				workers[p.Partition] = in
				running.Go(func() { work(ctx, o, in, cancel) })
			}
			select {
			case workers[p.Partition] <- p.Records:
			case <-ctx.Done():
			}
		})
	}
	for _, in := range workers {
		close(in)
	}
	running.Wait()
	return context.Cause(ctx)
}

// work deals with one partition until its channel is closed. The first error ends
// all of them.
func work(ctx context.Context, o Options, in <-chan []*kgo.Record, fail context.CancelCauseFunc) {
	r, err := newReader(o.Format)
	if err != nil {
		fail(err)
		return
	}
	b := newBatch(o.URL, o.Batch)
	for records := range in {
		for _, record := range records {
			key, value, at := r.read(record.Value)
			if err := b.add(ctx, r, key, point{value, at}); err != nil {
				fail(err)
				return
			}
		}
	}
	if err := b.flush(ctx); err != nil {
		fail(err)
	}
}

// causeOf prefers why the context was ended to the fact that it was.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
