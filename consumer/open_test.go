package consumer

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

func TestABatchHoldsItsBytesExactlyAndAHugeRecordIsAlone(t *testing.T) {
	size := recordBytes(looseRecord(0, 0))
	f := func(name string, most int64, huge int, want ...int) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			l := newLoose(t, func(c *Config, _ *Options) { c.Batch.MaxBytes, c.Batch.InFlight = units.Bytes(most), 3 })
			l.assign(0)
			p := kgo.FetchPartition{Partition: 0, HighWatermark: 4, LastStableOffset: 4}
			for s := range 4 {
				p.Records = append(p.Records, looseRecord(0, s))
			}
			if huge >= 0 {
				p.Records[huge].Value = make([]byte, 10*most)
			}
			l.feed(p)
			var got []int
			inFlight := int64(0)
			for {
				for _, b := range l.inFlight {
					require.True(t, b.bytes <= most || b.records == 1, "%d bytes of %d records", b.bytes, b.records)
					inFlight += b.bytes
					got = append(got, b.records)
				}
				require.InDelta(t, inFlight, testutil.ToFloat64(l.metrics.bytesInFlight), 0)
				if len(l.inFlight) == 0 {
					break
				}
				for len(l.inFlight) > 0 {
					l.settleNext(landing())
				}
				inFlight = 0
				l.feed()
			}
			if l.open != nil {
				got = append(got, l.open.records)
			}
			require.Equal(t, want, got)
			require.InDelta(t, 3*most, testutil.ToFloat64(l.metrics.bytesLimit), 0)
		})
	}
	f("two fit exactly", 2*size, -1, 2, 2)
	f("one byte less", 2*size-1, -1, 1, 1, 1, 1)
	f("a huge one first", 2*size, 0, 1, 2, 1)
	f("a huge one in between", 4*size, 1, 1, 1, 2)
	f("a huge one last", 4*size, 3, 3, 1)
}
