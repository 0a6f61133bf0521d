package consumer

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// fetchSize keeps what one fetch takes in memory within a limit. A broker is asked
// for so many bytes as they lie in the log, and the client decompresses a whole
// response at once: sixteen megabytes can become a gigabyte. So the next fetch asks
// for as much as fits, going by what the last batches have become.
//
// It is a hook of the client. Sources call it concurrently.
type fetchSize struct {
	limit                   int64 // Of one fetch in memory, in bytes.
	maxBytes, maxPartition  int32 // What the configuration allows to be asked for.
	update                  func(maxBytes, maxPartition int32)
	mu                      sync.Mutex
	compressed, inMemory    float64 // Of the last batches, in bytes; older ones fade away.
	asking, askingPartition int32
}

const (
	// How much of the past is left with each batch: about fifty count.
	fading = 0.98
	// What bytes of the log are taken to become before any were seen.
	firstGrowth = 16
	// What is asked for at least, so that a fetch is worth its round trip.
	minFetch = 16 << 10
)

// newFetchSize shares half of what batches may have in memory among the fetches that
// may be under way.
func newFetchSize(kafka KafkaConfig, batch BatchConfig) *fetchSize {
	fetches := int64(max(1, kafka.MaxConcurrentFetches))
	f := &fetchSize{
		limit:        max(1<<20, int64(batch.MaxBytes)*int64(max(1, batch.InFlight))/2/fetches),
		maxBytes:     bytes32(kafka.FetchMaxBytes),
		maxPartition: bytes32(kafka.FetchMaxPartitionBytes),
		compressed:   1,
		inMemory:     firstGrowth, // One byte is a guess that the first batch outweighs.
	}
	return f
}

// OnNewClient implements kgo.HookNewClient.
func (f *fetchSize) OnNewClient(client *kgo.Client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.update = client.UpdateFetchMaxBytes
	f.ask()
}

// OnFetchBatchRead implements kgo.HookFetchBatchRead.
func (f *fetchSize) OnFetchBatchRead(_ kgo.BrokerMetadata, _ string, _ int32, m kgo.FetchBatchMetrics) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.compressed = f.compressed*fading + float64(m.CompressedBytes)
	f.inMemory = f.inMemory*fading + float64(m.UncompressedBytes+m.NumRecords*recordOverhead)
	f.ask()
}

// ask has the client ask for what fits. The mutex is held.
func (f *fetchSize) ask() {
	fits := float64(f.limit) * f.compressed / f.inMemory
	size := int32(min(max(fits, minFetch), float64(f.maxBytes)))
	partition := min(size, f.maxPartition)
	if f.update != nil && (size != f.asking || partition != f.askingPartition) {
		f.asking, f.askingPartition = size, partition
		f.update(size, partition)
	}
}
