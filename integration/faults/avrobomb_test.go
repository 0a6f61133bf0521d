//go:build faults

package faults

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
)

// measured has a field for each kind of Avro's that a count or a depth can blow up.
// An array of nulls, the worst of them, keeps the program from starting at all.
const measured = `{"type": "record", "name": "Measured", "fields": [
	{"name": "s", "type": "string"},
	{"name": "t", "type": "long"},
	{"name": "v", "type": "double"},
	{"name": "longs", "type": {"type": "array", "items": "long"}},
	{"name": "tags", "type": {"type": "map", "values": "string"}},
	{"name": "blob", "type": "bytes"},
	{"name": "list", "type": ["null", {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}]}]}`

// TestAvroBombs has records among good ones that have brought down decoders of Avro,
// in a control group of 256 MiB. Each becomes a dead letter.
func TestAvroBombs(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "230MiB")
	tr := begin(t, plan{
		name: "Avro bombs", injured: "counts of 2^40, negative and least ones, depth of ten million, 50 MB; 256 MiB of memory", partitions: 2,
		outOfOrder: time.Hour, memory: memoryLimit + codePages, topic: map[string]string{"max.message.bytes": "67108864"},
	})
	file := filepath.Join(t.TempDir(), "measured.avsc")
	require.NoError(t, os.WriteFile(file, []byte(measured), 0o600))
	schema, err := avro.Parse(measured)
	require.NoError(t, err)
	producer, err := kgo.NewClient(kgo.SeedBrokers(lab.Kafka.Address), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(60<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	require.NoError(t, err)
	defer producer.Close()
	program := tr.start(`format: avro`, fmt.Sprintf(`avro: {schema_file: %q}`, file))
	confine(t, program.PID())
	for round := range 2 {
		for name, value := range avroBombs(t, schema) {
			records := tr.stream.Next(50)
			for _, r := range records {
				r.Value = encoded(t, schema, r.Value)
			}
			bad := tr.stream.Odd(int32(round%2), buried, func(float64) []byte { return value })
			require.NoError(t, producer.ProduceSync(t.Context(), append(records, bad)...).FirstErr(), name)
			bad.Value = nil // The ledger needs its offset alone.
		}
	}
	tr.awaitNoLag()
	require.True(t, program.Running(), "it was not killed for its memory")
	tr.finish()
}

// encoded is a record of the ledger, which is JSON, in Avro.
func encoded(t *testing.T, schema *avro.Schema, text []byte) []byte {
	t.Helper()
	var r struct {
		S string
		T int64
		V float64
	}
	require.NoError(t, json.Unmarshal(text, &r))
	value, err := schema.Encode(map[string]any{
		"s": r.S, "t": r.T, "v": r.V, "longs": []int64{}, "tags": map[string]string{}, "blob": []byte{}, "list": nil,
	})
	require.NoError(t, err)
	return value
}

// avroBombs are values of which each has a good beginning, up to the field that is bad.
func avroBombs(t *testing.T, schema *avro.Schema) map[string][]byte {
	t.Helper()
	good := encoded(t, schema, fmt.Appendf(nil, `{"s":"x","t":%d,"v":1}`, time.Now().UnixMilli()))
	const empty = 4 // The last four fields take a zero each.
	from := func(field int, bad ...byte) []byte { return slices.Concat(good[:len(good)-empty+field], bad) }
	counts := func(numbers ...int64) (b []byte) {
		for _, n := range numbers {
			b = binary.AppendVarint(b, n)
		}
		return b
	}
	return map[string][]byte{
		"2^40 longs":                  from(0, counts(1<<40)...),
		"2^31-1 longs":                from(0, counts(math.MaxInt32)...),
		"a negative count of longs":   from(0, counts(-5, 3)...),
		"the least of all counts":     from(0, counts(math.MinInt64, 1, 2, 0)...),
		"2^40 tags":                   from(1, counts(1<<40)...),
		"a map that ends early":       from(1, 4, 2, 'a', 2, 'b'),
		"bytes of a negative length":  from(2, counts(-9)...),
		"bytes of 2^62":               from(2, counts(1<<62)...),
		"a string of 2^62":            counts(1 << 62),
		"a list of a million records": from(3, bytes.Repeat([]byte{2}, 900_000)...),
		"a list of ten million":       from(3, bytes.Repeat([]byte{2}, 10_000_000)...),
		"a union without such a type": from(3, counts(7)...),
		"a datum that ends early":     good[:len(good)-empty],
		"a datum with more behind it": append(slices.Clone(good), "more"...),
		"fifty megabytes of a string": slices.Concat(counts(50_000_000), []byte(strings.Repeat("y", 50_000_000)), good[2:]),
		"a million objects of JSON":   bytes.Repeat([]byte(`{"a":`), 200_000),
		"nothing":                     {},
	}
}
