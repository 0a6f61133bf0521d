package consumer

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sized is a fetchSize with 8 MiB a fetch, and what it has the client ask for.
func sized(t *testing.T) (f *fetchSize, asked *[2]int32) {
	t.Helper()
	asked = new([2]int32)
	f = newFetchSize(
		KafkaConfig{FetchMaxBytes: 16 << 20, FetchMaxPartitionBytes: 1 << 20, MaxConcurrentFetches: 2},
		BatchConfig{MaxBytes: 8 << 20, InFlight: 4},
	)
	f.update = func(size, partition int32) { *asked = [2]int32{size, partition} }
	f.ask()
	return f, asked
}

// reads has the client read batches of some records, and bytes before and after
// decompression.
func (f *fetchSize) reads(batches, records, compressed, uncompressed int) {
	for range batches {
		f.OnFetchBatchRead(kgo.BrokerMetadata{}, "topic", 0, kgo.FetchBatchMetrics{
			NumRecords: records, CompressedBytes: compressed, UncompressedBytes: uncompressed,
		})
	}
}

func TestTheFirstFetchIsCautious(t *testing.T) {
	_, asked := sized(t)
	require.Equal(t, [2]int32{8 << 20 / firstGrowth, 8 << 20 / firstGrowth}, *asked)
}

func TestAFetchAsksForWhatFitsInMemory(t *testing.T) {
	f := func(name string, records, compressed, uncompressed int, want, wantPartition int32) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			size, asked := sized(t)
			size.reads(400, records, compressed, uncompressed)
			require.InEpsilon(t, want, asked[0], 0.001)
			require.InEpsilon(t, wantPartition, asked[1], 0.001)
		})
	}
	f("large records, not compressed", 1, 1<<20, 1<<20, 8<<20, 1<<20)
	f("ten to one", 1, 100_000, 1_000_000, 8<<20/10, 8<<20/10)
	f("a bomb", 1, 1000, 50_000_000, minFetch, minFetch)
	f("small records, whose overhead is more than they are", 1000, 40_000, 40_000, 8<<20/9, 8<<20/9)
	f("empty records", 0, 1<<20, 0, 16<<20, 1<<20)
}

func TestAFetchFollowsTheDataWithinAHundredBatches(t *testing.T) {
	f, asked := sized(t)
	f.reads(400, 1, 1<<20, 1<<20)
	f.reads(1, 1, 1<<20, 64<<20)
	require.Less(t, asked[0], int32(6<<20), "one batch is enough to be careful")
	f.reads(200, 1, 1<<20, 1<<20)
	require.InEpsilon(t, 8<<20, asked[0], 0.05, "and is forgotten")
}

func TestAFetchIsNeverLargerThanIsAllowed(t *testing.T) {
	f := newFetchSize(KafkaConfig{FetchMaxBytes: 1 << 20, FetchMaxPartitionBytes: 64 << 10}, BatchConfig{MaxBytes: 1 << 30, InFlight: 8})
	var asked [2]int32
	f.update = func(size, partition int32) { asked = [2]int32{size, partition} }
	f.reads(10, 1, 1000, 1000)
	require.Equal(t, [2]int32{1 << 20, 64 << 10}, asked)
}

func TestTheClientIsToldFromItsStart(t *testing.T) {
	f, _ := sized(t)
	client, err := kgo.NewClient(kgo.WithHooks(f), kgo.FetchMaxBytes(50<<20))
	require.NoError(t, err)
	defer client.Close()
	require.EqualValues(t, 8<<20/firstGrowth, f.asking)
	f.asking = 0
	f.ask()
	require.EqualValues(t, 8<<20/firstGrowth, client.OptValue(kgo.FetchMaxBytes))
}
