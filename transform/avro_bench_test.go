package transform

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkAvroDecode decodes {labels: map<string>, value: double, ts: long} with six
// labels, and a record of forty fields more.
func BenchmarkAvroDecode(b *testing.B) {
	labels := map[string]string{
		"__name__": "room_temperature_celsius", "device": "sensor-0001", "site": "plant-17",
		"room": "b-204", "unit": "celsius", "floor": "2",
	}
	small := encode(b, sampleSchema, map[string]any{"labels": labels, "value": 21.5, "ts": int64(1700000000000)})

	var fields strings.Builder
	noise := map[string]any{"labels": labels, "value": 21.5, "ts": int64(1700000000000)}
	for i := range 40 {
		name := fmt.Sprintf("noise_%02d", i)
		fmt.Fprintf(&fields, `, {"name": %q, "type": ["null", "string"]}`, name)
		noise[name] = "something that nobody needs"
	}
	wideSchema := strings.TrimSuffix(sampleSchema, "]}") + fields.String() + "]}"
	wide := encode(b, wideSchema, noise)

	run := func(name string, d *oracle, value []byte) {
		b.Run(name, func(b *testing.B) {
			rec := &kgo.Record{Value: value}
			b.ReportAllocs()
			for b.Loop() {
				if err := d.fill(rec, d.into); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("framing=none/fields=3", inlineDecoder(b, sampleSchema), small)
	run("framing=none/fields=43", inlineDecoder(b, wideSchema), wide)
	narrow := inlineDecoder(b, wideSchema)
	narrow.only([]string{"labels", "value", "ts"})
	run("framing=none/fields=3of43", narrow, wide)

	schema, err := parseAvro(sampleSchema)
	require.NoError(b, err)
	schemas := &Schemas{known: map[uint32]*knownSchema{7: {schema: schema}}}
	d, err := newOracle(AvroConfig{}, avroLimits(), schemas)
	require.NoError(b, err)
	run("framing=confluent/fields=3", d, append(binary.BigEndian.AppendUint32([]byte{0}, 7), small...))
}
