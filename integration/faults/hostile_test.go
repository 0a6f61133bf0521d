//go:build faults

package faults

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Records that anybody may write. Each becomes a dead letter, and its neighbours are
// stored.
func TestHostileRecords(t *testing.T) {
	tr := begin(t, plan{
		name: "hostile records", injured: "depth of a million, 50 MB, 10,000 labels, 1 MiB label, overflows, broken text", partitions: 2,
		outOfOrder: time.Hour, memory: 400 << 20,
		rule:  `{name: ledger, value: v, timestamp: t, labels: {series: s}, labels_from: tags}`,
		topic: map[string]string{"max.message.bytes": "67108864"},
	})
	tr.stream.suffix = `,"tags":{}`
	producer, err := kgo.NewClient(kgo.SeedBrokers(lab.Kafka.Address), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(60<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	require.NoError(t, err)
	defer producer.Close()
	program := tr.start()
	for round := range scaled(3, 1) {
		for name, text := range hostile() {
			records := append(tr.stream.Next(50), tr.stream.Odd(int32(round%2), buried, func(float64) []byte { return text }))
			require.NoError(t, producer.ProduceSync(t.Context(), records...).FirstErr(), name)
			for _, r := range records {
				r.Value = nil
			}
		}
	}
	tr.awaitNoLag()
	require.True(t, program.Running())
	tr.finish()
}

// hostile are the bytes of records that no rule can want.
func hostile() map[string][]byte {
	record := func(series, at, value, tags string) []byte {
		return fmt.Appendf(nil, `{"s":%q,"t":%s,"v":%s,"tags":%s}`, series, at, value, tags)
	}
	now := fmt.Sprint(time.Now().UnixMilli())
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, `,"l%d":"x"`, i)
	}
	deep := bytes.Repeat([]byte("["), 10_000_000)
	return map[string][]byte{
		"a million arrays":        deep[:1_000_000],
		"ten million arrays":      deep,
		"a million objects":       bytes.Repeat([]byte(`{"a":`), 200_000),
		"a million arrays inside": fmt.Appendf(nil, `{"s":"x","t":%s,"v":1,"tags":{},"x":%s%s}`, now, deep[:400_000], bytes.Repeat([]byte("]"), 400_000)),
		"fifty megabytes":         record(strings.Repeat("y", 50_000_000), now, "1", "{}"),
		"ten thousand labels":     record("x", now, "1", "{"+many.String()[1:]+"}"),
		"a label of a megabyte":   record(strings.Repeat("y", 1_000_000), now, "1", "{}"),
		"an overflow":             record("x", now, "1e999", "{}"),
		"the end of time":         record("x", "9223372036854775807", "1", "{}"),
		"beyond the end of time":  record("x", "9223372036854775808", "1", "{}"),
		"before time":             record("x", "-9223372036854775808", "1", "{}"),
		"broken text":             record("x", now, "1", "{\"a\":\"\xff\xfe\"}"),
		"a reserved label":        record("x", now, "1", `{"__address__":"a"}`),
		"a key twice":             []byte(`{"s":"x","t":1700000000000,"v":1,"v":2,"tags":{}}`),
		"nothing":                 {},
		"zeros":                   make([]byte, 100_000),
	}
}
