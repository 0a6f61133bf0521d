package transform

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// FuzzAvro decodes any value with any schema. Nothing of it may crash, hang or take
// memory without bound, and every failure is a refusal that people can read.
func FuzzAvro(f *testing.F) {
	for _, b := range bombs() {
		f.Add(b.schema, b.value)
	}
	f.Add(sampleSchema, encodeSample(f, 1.5))
	f.Add(sampleSchema, singleObject(f, sampleSchema, wantSample(2)))
	f.Add(doublings(40), []byte{})
	f.Add(`{"type": "array", "items": {"type": "array", "items": "null"}}`, varints(2, 4096, 0, 4096, 0, 0))
	f.Add(`{"type": "bytes", "logicalType": "big-decimal"}`, varints(6, 2, 1, 65536))
	f.Add(`{"type": "record", "name": "R", "fields": [{"name": "a-b", "type": ["null", "string"], "default": ""}]}`, []byte{2, 2, 'x'})
	f.Add(`{"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}`, make([]byte, 16))
	f.Fuzz(func(t *testing.T, schema string, value []byte) {
		if len(schema) > 1<<14 || len(value) > 1<<16 {
			return
		}
		d, err := newOracle(AvroConfig{Schema: schema}, avroLimits(), nil)
		if err != nil {
			return
		}
		for i := range 3 {
			if i == 2 { // As where a rule wants little.
				if d, err = newOracle(AvroConfig{Schema: schema}, avroLimits(), nil); err != nil {
					return
				}
				d.only([]string{"value", "next"})
			}
			tree, err := d.decodeTree(&kgo.Record{Value: value})
			if err == nil {
				require.False(t, deeper(tree, avroLimits().Depth))
				continue
			}
			var refusal *decodeError
			require.ErrorAs(t, err, &refusal)
			require.NotEqual(t, ReasonPanic, refusal.Reason, refusal.Text)
			require.NotEmpty(t, refusal.Text)
			require.Less(t, len(refusal.Text), 600)
		}
	})
}
