//go:build faults

package faults

import (
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
	backlogPadding    = 2000   // Bytes of each record beside its sample.

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

// A backlog of 1.5 GiB is read by an instance that may have 256 MiB.
func TestBacklogInLittleMemory(t *testing.T) {
	f := func(name string, padding []byte, compression kgo.CompressionCodec) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOMEMLIMIT", "230MiB")
			tr := begin(t, plan{
				name: name, injured: "1.5 GiB in 64 partitions, 256 MiB of memory", partitions: backlogPartitions,
				outOfOrder: time.Hour, memory: memoryLimit + codePages, catchUp: 90 * time.Second,
				shape: "    shards: 4",
			})
			tr.stream.suffix = `,"pad":"` + string(padding) + `"`
			tr.bulk(backlogRecords/200, func() []*kgo.Record { return tr.stream.Next(200) }, kgo.ProducerBatchCompression(compression))
			program := tr.start()
			confine(t, program.PID())
			tr.awaitNoLag()
			require.True(t, program.Running(), "it was not killed for its memory")
			tr.finish()
		})
	}
	noise := make([]byte, backlogPadding)
	for i := range noise {
		noise[i] = byte('a' + rand.IntN(26))
	}
	f("backlog", noise, kgo.NoCompression())
	f("backlog, compressed", noise, kgo.ZstdCompression())
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
