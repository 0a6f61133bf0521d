package faults

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const wireTopic = "wired"

// wiredReader has records to read that come over a wire.
func wiredReader(t *testing.T, records int) (*Wire, *kgo.Client) {
	t.Helper()
	wire := &Wire{}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(wire.Listen), kfake.SeedTopics(1, wireTopic))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(wireTopic),
		kgo.FetchMaxWait(50*time.Millisecond), kgo.KeepRetryableFetchErrors())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	for range records {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: wireTopic, Value: []byte("value")}).FirstErr())
	}
	return wire, client
}

// read returns how many records come, and whether an error does.
func read(t *testing.T, client *kgo.Client, records int) (n int, failed bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for n < records && ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		n += fetches.NumRecords()
		failed = failed || fetches.Err() != nil
	}
	return n, failed
}

func TestAWireSpoilsOneAnswer(t *testing.T) {
	f := func(name string, spoil Spoiler, failed bool) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			const records = 5
			wire, client := wiredReader(t, records)
			var spoilt atomic.Bool
			wire.Set(func(a Answer) ([]byte, bool) {
				if a.Key != kmsg.Fetch || len(a.Frame) < 100 || spoilt.Swap(true) {
					return a.Frame, false
				}
				return spoil(a)
			})
			n, saw := read(t, client, records)
			require.Equal(t, records, n)
			require.True(t, spoilt.Load())
			require.Equal(t, failed, saw)
		})
	}
	edit := func(change func(*kmsg.FetchResponseTopicPartition)) Spoiler {
		return func(a Answer) ([]byte, bool) {
			frame, err := editFetch(a, func(resp *kmsg.FetchResponse) { change(&resp.Topics[0].Partitions[0]) })
			return frame, err != nil
		}
	}
	f("lost", func(Answer) ([]byte, bool) { return nil, true }, false)
	f("cut off", func(a Answer) ([]byte, bool) { return a.Frame[:len(a.Frame)/2], true }, false)
	f("passed on", func(a Answer) ([]byte, bool) { return slices.Clone(a.Frame), false }, false)
	f("with an error", edit(func(p *kmsg.FetchResponseTopicPartition) { p.ErrorCode = -1 }), true)
	f("corrupt", edit(func(p *kmsg.FetchResponseTopicPartition) {
		p.RecordBatches = slices.Clone(p.RecordBatches)
		p.RecordBatches[len(p.RecordBatches)-1] ^= 1
	}), true)
}

func TestAWireCutsEveryConnection(t *testing.T) {
	wire, client := wiredReader(t, 1)
	wire.mu.Lock()
	before := len(wire.conns)
	wire.mu.Unlock()
	require.Positive(t, before)
	wire.Cut()
	n, _ := read(t, client, 1)
	require.Equal(t, 1, n, "the client comes back")
}
