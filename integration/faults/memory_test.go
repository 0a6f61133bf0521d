//go:build faults

package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	backlogPartitions = 64
	backlogRecords    = 12_000 // Of each partition.

	memoryLimit = 256 << 20
	// The pages of the binary count as resident, but the kernel takes them back before
	// it kills anybody.
	codePages = 32 << 20
)

// confine puts a process into a control group that has no more memory than that,
// swap included. Only root can; without it the peak of the memory is all that is
// looked at.
func confine(t *testing.T, pid int) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	group, limit := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	if _, err := os.Stat(group); err != nil {
		group, limit = "/sys/fs/cgroup", "memory.max"
	}
	group, err := os.MkdirTemp(group, "kafka2prom-faults-") //nolint:usetesting // A control group is no ordinary directory.
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.Remove(group)) })
	require.NoError(t, os.WriteFile(filepath.Join(group, limit), strconv.AppendInt(nil, memoryLimit, 10), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(group, "cgroup.procs"), strconv.AppendInt(nil, int64(pid), 10), 0o600))
}

// A backlog of 5 GiB is read by an instance that may have 256 MiB; and one of 1.5 GiB
// that is compressed in the log.
func TestBacklogInLittleMemory(t *testing.T) {
	f := func(name string, padding int, compression kgo.CompressionCodec) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOMEMLIMIT", "230MiB")
			tr := begin(t, plan{
				name: name, injured: fmt.Sprintf("%.1f GiB in 64 partitions, 256 MiB of memory", float64(padding*backlogPartitions*backlogRecords)/(1<<30)), partitions: backlogPartitions,
				outOfOrder: time.Hour, memory: memoryLimit + codePages, catchUp: 3 * time.Minute,
				shape: "    shards: 4",
			})
			tr.stream.suffix = `,"pad":"` + noise(padding) + `"`
			tr.bulk(backlogRecords/200, func() []*kgo.Record { return tr.stream.Next(200) }, kgo.ProducerBatchCompression(compression))
			program := tr.start()
			confine(t, program.PID())
			tr.awaitNoLag()
			require.True(t, program.Running(), "it was not killed for its memory")
			tr.finish()
		})
	}
	f("backlog", 7000, kgo.NoCompression())
	f("backlog, compressed", 2000, kgo.ZstdCompression())
}

// noise is text without repetitions.
func noise(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('a' + rand.IntN(26))
	}
	return string(text)
}

// bulk produces so many times what next makes, before anybody reads it, and lets go
// of the records.
func (tr *trial) bulk(times int, next func() []*kgo.Record, options ...kgo.Opt) {
	tr.Helper()
	producer, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(tr.lab.Kafka.Address), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(5 * time.Millisecond), kgo.MaxBufferedRecords(100_000),
	}, options...)...)
	require.NoError(tr, err)
	defer producer.Close()
	for range times {
		require.NoError(tr, producer.ProduceSync(tr.Context(), next()...).FirstErr())
		tr.stream.Seal()
	}
}
