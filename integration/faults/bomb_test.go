//go:build faults

package faults

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// bomb is a record batch that is small in the log, and large once it is
// decompressed: so many records of a megabyte of blanks.
type bomb struct {
	codec     kgo.CompressionCodec
	megabytes int
}

// bombs of each codec. Snappy makes one byte of twenty-one at best, so that its bomb
// is the smallest of them: 60 MiB of 3.
func bombs() []bomb {
	return []bomb{
		{kgo.ZstdCompression(), 2000},
		{kgo.GzipCompression(), 300},
		{kgo.Lz4Compression(), 250},
		{kgo.SnappyCompression(), 60},
		{kgo.GzipCompression(), 20}, // A little more than is allowed.
	}
}

// TestDecompressionBombs has batches among good records that would take up to two
// gigabytes. They are skipped and counted, and all that is around them is stored.
func TestDecompressionBombs(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "230MiB")
	tr := begin(t, plan{
		name: "decompression bombs", injured: "batches of 20 MiB to 2 GiB in zstd, gzip, lz4, snappy; 256 MiB of memory",
		outOfOrder: time.Hour, memory: memoryLimit + codePages, topic: map[string]string{"max.message.bytes": "67108864"},
	})
	tr.flow(500)
	program := tr.start()
	confine(t, program.PID())
	tr.awaitCommitted(1000)
	lost := 0
	for i, b := range bombs() {
		lost += tr.explode(int32(i%3), b) // The last partition has none.
		tr.awaitCommitted(tr.committed() + 1000)
	}
	tr.calm()
	tr.awaitNoLag()
	require.True(t, program.Running(), "it was not killed for its memory")
	require.InDelta(t, lost, program.Metric(t, "kafka2prom_records_lost_total", map[string]string{"topic": tr.topic}), 0)
	require.Contains(t, program.Log(), "skipped a record batch that is too large once it is decompressed")
	tr.finish()
}

// A pipeline that must not lose ends at the bomb, and names it.
func TestDecompressionBombStops(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "230MiB")
	tr := begin(t, plan{
		name: "decompression bomb, on_data_loss: fail", injured: "a batch of 300 MiB in gzip; then it may be skipped",
		outOfOrder: time.Hour, memory: memoryLimit + codePages,
	})
	lab.Produce(t, tr.stream.Next(500)...)
	tr.explode(0, bomb{kgo.GzipCompression(), 300})
	lab.Produce(t, tr.stream.Next(500)...)
	careful := tr.start(`on_data_loss: fail`)
	careful.RequireExit(t, 1, 20*time.Second)
	require.Contains(t, careful.Log(), "partition 0: the record batch from offset 500 up to 799 takes more than")
	offsets, err := lab.Committed(t.Context(), tr.group, tr.topic)
	require.NoError(t, err)
	require.EqualValues(t, 500, offsets[0], "everything before it is committed, and nothing else")
	tr.start(`on_data_loss: continue`)
	tr.finish()
}

// explode produces a bomb to a partition, past the client, which would not make one.
// It returns the number of records in it; none of them is to be stored.
func (tr *trial) explode(partition int32, b bomb) (records int) {
	tr.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(lab.Kafka.Address))
	require.NoError(tr, err)
	defer client.Close()
	topics, err := lab.Admin().ListTopics(tr.Context(), tr.topic)
	require.NoError(tr, err)

	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, b.batch(tr.T)
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = tr.topic, topics[tr.topic].ID, []kmsg.ProduceRequestTopicPartition{p}
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis, request.Topics = -1, 30_000, []kmsg.ProduceRequestTopic{topic}
	answer, err := client.Broker(int(topics[tr.topic].Partitions[partition].Leader)).RetriableRequest(tr.Context(), request)
	require.NoError(tr, err)
	got := answer.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	require.NoError(tr, kerr.ErrorForCode(got.ErrorCode))
	for i := range b.megabytes {
		tr.stream.Odd(partition, spared, func(float64) []byte { return nil }).Offset = got.BaseOffset + int64(i)
	}
	return b.megabytes
}

// batch is the bomb as it lies in the log.
func (b bomb) batch(t *testing.T) []byte {
	t.Helper()
	compressor, err := kgo.DefaultCompressor(b.codec)
	require.NoError(t, err)
	compressed, codec := compressor.Compress(new(bytes.Buffer), b.records())
	at := time.Now().UnixMilli()
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(codec), LastOffsetDelta: int32(b.megabytes - 1),
		FirstTimestamp: at, MaxTimestamp: at, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		NumRecords: int32(b.megabytes), Records: compressed,
	}
	const beforeLength, beforeSum = 8 + 4, 8 + 4 + 4 + 1 + 4
	raw := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-beforeLength))
	binary.BigEndian.PutUint32(raw[beforeSum-4:], crc32.Checksum(raw[beforeSum:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

// records are those of the batch, one behind the other, not compressed.
func (b bomb) records() []byte {
	blanks := bytes.Repeat([]byte(" "), 1<<20)
	raw := make([]byte, 0, b.megabytes*(len(blanks)+32))
	for i := range b.megabytes {
		body := append([]byte{0}, binary.AppendVarint(binary.AppendVarint(nil, 0), int64(i))...) // Attributes, time, offset.
		body = binary.AppendVarint(body, -1)                                                     // No key.
		body = binary.AppendVarint(body, int64(len(blanks)))
		raw = binary.AppendVarint(raw, int64(len(body)+len(blanks)+1))
		raw = append(append(append(raw, body...), blanks...), 0) // No headers.
	}
	return raw
}
