package writer

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/kafka2prom/kafka2prom/transform"
)

// itemsOf puts samples that stand in wire order into a batch.
func itemsOf(samples ...transform.Sample) []item {
	b := &Batch{Samples: samples}
	b.open()
	items := make([]item, len(samples))
	for i, s := range samples {
		items[i] = item{Sample: s, batch: b}
	}
	return items
}

func TestARequestOf1_0HasTheseBytes(t *testing.T) {
	c := catalogue{}
	up := c.series("__name__", "up", "job", "x")
	raw, samples := appendRequest1(nil, itemsOf(sample(up, 1, 1), sample(up, 300, 0)))
	require.Equal(t, 2, samples)
	require.Equal(t, ""+
		"0a2c"+ // timeseries
		"0a0e"+"0a085f5f6e616d655f5f"+"12027570"+ // label __name__=up
		"0a08"+"0a036a6f62"+"120178"+ // label job=x
		"120b"+"09000000000000f03f"+"1001"+ // 1 at 1
		"1203"+"10ac02", // 0 at 300
		hex.EncodeToString(raw))
}

func TestARequestOf2_0HasTheseBytes(t *testing.T) {
	c := catalogue{}
	up := c.series("__name__", "up", "job", "up")
	var e encoder
	raw, samples := e.appendRequest2(nil, itemsOf(sample(up, 1, 1), sample(up, 300, 0)))
	require.Equal(t, 2, samples)
	require.Equal(t, ""+
		"2200"+"22085f5f6e616d655f5f"+"22027570"+"22036a6f62"+ // symbols "", __name__, up, job
		"2a18"+ // timeseries
		"0a0401020302"+ // labels_refs
		"120b"+"09000000000000f03f"+"1001"+ // 1 at 1
		"1203"+"10ac02", // 0 at 300
		hex.EncodeToString(raw))
}

// anyItems draws series with samples, in wire order.
func anyItems(t *rapid.T) []item {
	c := catalogue{}
	var samples []transform.Sample
	word := rapid.StringMatching(`[a-zé]{1,12}`)
	for range rapid.IntRange(0, 12).Draw(t, "series") {
		names := rapid.SliceOfNDistinct(word, 1, 6, rapid.ID).Draw(t, "names")
		pairs := []string{"__name__", word.Draw(t, "name")}
		for _, name := range names {
			pairs = append(pairs, name, word.Draw(t, "value"))
		}
		before := len(c)
		s := c.series(pairs...)
		if len(c) == before {
			continue
		}
		for range rapid.IntRange(1, 5).Draw(t, "samples") {
			samples = append(samples, sample(s,
				rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2, 2)).Draw(t, "timestamp"),
				// Plus zero, because prompb leaves out a negative zero, too.
				0+rapid.OneOf(rapid.Float64(), rapid.Just(0.0), rapid.Just(math.Inf(-1))).Draw(t, "value")))
		}
	}
	items := itemsOf(samples...)
	for i := range items {
		if rapid.IntRange(0, 9).Draw(t, "settled") == 0 {
			items[i].batch = nil
		}
	}
	return items
}

// expected is the message that prompb would make of the items.
func expected(items []item) prompb.WriteRequest {
	var req prompb.WriteRequest
	var last *transform.Series
	for _, it := range items {
		if it.batch == nil {
			continue
		}
		if it.Series != last {
			last = it.Series
			ts := prompb.TimeSeries{}
			for name, value := range labelsOf(it.Series.Encoded) {
				ts.Labels = append(ts.Labels, prompb.Label{Name: name, Value: value})
			}
			req.Timeseries = append(req.Timeseries, ts)
		}
		ts := &req.Timeseries[len(req.Timeseries)-1]
		ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: it.Timestamp, Value: it.Value})
	}
	return req
}

func TestARequestOf1_0IsThatOfPrompbByteForByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := anyItems(t)
		req := expected(items)
		want, err := req.Marshal()
		require.NoError(t, err)
		raw, samples := appendRequest1(nil, items)
		require.Equal(t, live(items), samples)
		require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(raw))
	})
}

func TestARequestOf2_0MeansTheSame(t *testing.T) {
	var e encoder // One for all, as a shard has it.
	rapid.Check(t, func(t *rapid.T) {
		e.symbols.limit = rapid.IntRange(1, 100).Draw(t, "limit of symbols")
		items := anyItems(t)
		p := e.encode(items, protocol2)
		require.Equal(t, live(items), p.samples)
		raw, err := snappy.Decode(nil, p.bytes)
		require.NoError(t, err)
		var req writev2.Request
		require.NoError(t, req.Unmarshal(raw))
		require.Empty(t, req.Symbols[0])
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(req.Symbols))), len(req.Symbols), "a symbol is there twice")

		got := prompb.WriteRequest{}
		var b labels.ScratchBuilder
		for _, ts := range req.Timeseries {
			_, err := ts.ToLabels(&b, req.Symbols)
			require.NoError(t, err)
			x := prompb.TimeSeries{}
			for i := 0; i < len(ts.LabelsRefs); i += 2 {
				x.Labels = append(x.Labels, prompb.Label{Name: req.Symbols[ts.LabelsRefs[i]], Value: req.Symbols[ts.LabelsRefs[i+1]]})
			}
			for _, s := range ts.Samples {
				x.Samples = append(x.Samples, prompb.Sample{Timestamp: s.Timestamp, Value: s.Value})
			}
			got.Timeseries = append(got.Timeseries, x)
		}
		require.Equal(t, expected(items), got)
	})
}

func TestNegativeZeroStaysNegative(t *testing.T) {
	c := catalogue{}
	raw, _ := appendRequest1(nil, itemsOf(sample(c.named("x"), 1, math.Copysign(0, -1))))
	var req prompb.WriteRequest
	require.NoError(t, req.Unmarshal(raw))
	require.True(t, math.Signbit(req.Timeseries[0].Samples[0].Value))
}

func TestABufferIsNotUsedAgainWhileTheTransportReadsIt(t *testing.T) {
	c := catalogue{}
	var e encoder
	first := e.encode(itemsOf(sample(c.named("x"), 1, 1)), protocol1)
	body := first.reader()
	text := slices.Clone(first.bytes)

	second := e.encode(itemsOf(sample(c.named("y"), 2, 2)), protocol1)
	require.NotSame(t, first, second)
	require.Equal(t, text, first.bytes)

	require.NoError(t, body.Close())
	require.NoError(t, body.Close()) // A transport may do that.
	require.Zero(t, first.readers.Load())
	require.Same(t, second, e.encode(itemsOf(sample(c.named("z"), 3, 3)), protocol1))
}

func TestSymbolsStartAnewWhenThereAreTooMany(t *testing.T) {
	c := catalogue{}
	e := encoder{symbols: symbols{limit: 10}}
	for i := range 100 {
		e.encode(itemsOf(sample(c.series("__name__", "x", "i", fmt.Sprint(i)), 1, 1)), protocol2)
		require.LessOrEqual(t, len(e.symbols.texts), 14)
	}
	p := e.encode(itemsOf(sample(c.series("__name__", "x", "i", "3"), 1, 1), sample(c.series("__name__", "x", "i", "99"), 1, 1)), protocol2)
	raw, err := snappy.Decode(nil, p.bytes)
	require.NoError(t, err)
	var req writev2.Request
	require.NoError(t, req.Unmarshal(raw))
	require.Equal(t, []string{"", "__name__", "x", "i", "3", "99"}, req.Symbols)
}

// fleet makes series with six labels and samples for each, in the order of time.
func fleet(series, each int) (samples []transform.Sample) {
	c := catalogue{}
	for k := range each {
		for i := range series {
			s := c.series("__name__", "room_temperature_celsius", "device", fmt.Sprintf("sensor-%06d", i),
				"floor", fmt.Sprint(i%30), "instance", fmt.Sprintf("10.0.%d.%d:9100", i/250, i%250), "job", "sensors", "site", "oslo")
			samples = append(samples, sample(s, 1_760_000_000_000+int64(k)*1000, 20+float64(i%100)/10))
		}
	}
	return samples
}

func benchmarkEncode(b *testing.B, p protocol) {
	b.Helper()
	for _, shape := range []struct{ series, each int }{{10000, 1}, {1000, 10}} {
		b.Run(fmt.Sprintf("series=%d/each=%d", shape.series, shape.each), func(b *testing.B) {
			var r request
			batch := &Batch{Samples: fleet(shape.series, shape.each)}
			for i := range batch.Samples {
				r.add(&batch.Samples[i], batch)
			}
			r.arrange()
			var e encoder
			b.ReportAllocs()
			for b.Loop() {
				e.encode(r.items, p)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(r.items)), "ns/sample")
		})
	}
}

func BenchmarkEncode1(b *testing.B) { benchmarkEncode(b, protocol1) }

func BenchmarkEncode2(b *testing.B) { benchmarkEncode(b, protocol2) }

// The stamp of a request is a number that ends some day.
func TestSymbolsOutliveTheirStamp(t *testing.T) {
	c := catalogue{}
	var e encoder
	e.encode(itemsOf(sample(c.named("old"), 1, 1)), protocol2)
	for _, stamp := range []uint32{math.MaxUint32 - 1, math.MaxUint32, math.MaxUint32} {
		e.symbols.request = stamp
		for _, name := range []string{"old", "new", "old"} {
			raw, err := snappy.Decode(nil, e.encode(itemsOf(sample(c.named(name), 1, 1)), protocol2).bytes)
			require.NoError(t, err)
			var req writev2.Request
			require.NoError(t, req.Unmarshal(raw))
			require.Equal(t, []string{"", "__name__", name}, req.Symbols)
			require.Equal(t, []uint32{1, 2}, req.Timeseries[0].LabelsRefs)
		}
	}
}
