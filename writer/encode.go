package writer

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/golang/snappy"
)

// Field tags of the messages, written as they stand on the wire.
const (
	tagTimeSeries1 = 0x0a // prometheus.WriteRequest.timeseries
	tagSymbol      = 0x22 // io.prometheus.write.v2.Request.symbols
	tagTimeSeries2 = 0x2a // io.prometheus.write.v2.Request.timeseries
	tagLabelRefs   = 0x0a // v2.TimeSeries.labels_refs, packed
	tagSample      = 0x12 // TimeSeries.samples, in both versions
	tagNumber      = 0x09 // Sample.value, in both versions
	tagTimestamp   = 0x10 // Sample.timestamp, in both versions
)

// encoder turns items into requests. It belongs to one shard, keeps its buffers,
// and knows the symbols of the shard's series.
type encoder struct {
	raw     []byte
	payload *payload
	symbols symbols
	refs    []byte // Label references of all series, one after the other.
	ends    []int  // Where those of each series end.
}

// encode makes a request of the items that are not settled yet. Items of a series
// stand together. The payload is good until the next call.
func (e *encoder) encode(items []item, p protocol) *payload {
	var samples int
	if p == protocol2 {
		e.raw, samples = e.appendRequest2(e.raw[:0], items)
	} else {
		e.raw, samples = appendRequest1(e.raw[:0], items)
	}
	if e.payload == nil || e.payload.readers.Load() > 0 {
		e.payload = &payload{} // The transport still has the old one.
	}
	compressed := slices.Grow(e.payload.bytes[:0], snappy.MaxEncodedLen(len(e.raw)))
	e.payload.bytes = snappy.Encode(compressed[:cap(compressed)], e.raw)
	e.payload.protocol, e.payload.samples, e.payload.raw = p, samples, len(e.raw)
	return e.payload
}

// appendRequest1 appends a prometheus.WriteRequest, and counts its samples.
func appendRequest1(dst []byte, items []item) ([]byte, int) {
	samples := 0
	for len(items) > 0 {
		series := items[0].Series
		run, count, size := measure(items)
		if count > 0 {
			dst = append(dst, tagTimeSeries1)
			dst = binary.AppendUvarint(dst, uint64(len(series.Encoded)+size))
			dst = append(dst, series.Encoded...)
			dst = appendSamples(dst, items[:run])
			samples += count
		}
		items = items[run:]
	}
	return dst, samples
}

// appendRequest2 appends an io.prometheus.write.v2.Request, and counts its
// samples.
func (e *encoder) appendRequest2(dst []byte, items []item) ([]byte, int) {
	dst = e.symbols.begin(dst)
	e.refs, e.ends = e.refs[:0], e.ends[:0]
	for i := 0; i < len(items); {
		run, count, _ := measure(items[i:])
		if count > 0 {
			dst, e.refs = e.symbols.add(dst, e.refs, items[i].Series)
			e.ends = append(e.ends, len(e.refs))
		}
		i += run
	}
	samples, begin, next := 0, 0, 0
	for len(items) > 0 {
		run, count, size := measure(items)
		if count > 0 {
			refs := e.refs[begin:e.ends[next]]
			begin, next = e.ends[next], next+1
			dst = append(dst, tagTimeSeries2)
			dst = binary.AppendUvarint(dst, uint64(1+varintSize(uint64(len(refs)))+len(refs)+size))
			dst = append(dst, tagLabelRefs)
			dst = binary.AppendUvarint(dst, uint64(len(refs)))
			dst = append(dst, refs...)
			dst = appendSamples(dst, items[:run])
			samples += count
		}
		items = items[run:]
	}
	return dst, samples
}

// measure looks at the first series: how many items it has, how many of them are
// to be sent, and how many bytes their fields take.
func measure(items []item) (run, count, size int) {
	series := items[0].Series
	for run < len(items) && items[run].Series == series {
		if items[run].batch != nil {
			size += 2 + lengthOf(&items[run])
			count++
		}
		run++
	}
	return run, count, size
}

// lengthOf is the length of a Sample message; it is always below 128.
func lengthOf(it *item) int {
	n := 0
	if math.Float64bits(it.Value) != 0 {
		n += 9
	}
	if it.Timestamp != 0 {
		n += 1 + varintSize(uint64(it.Timestamp))
	}
	return n
}

// appendSamples appends the sample fields, which are the same in both versions.
// Zero is left out, as proto3 has it, but a negative zero is not zero.
func appendSamples(dst []byte, items []item) []byte {
	for i := range items {
		it := &items[i]
		if it.batch == nil {
			continue
		}
		dst = append(dst, tagSample, byte(lengthOf(it)))
		if number := math.Float64bits(it.Value); number != 0 {
			dst = binary.LittleEndian.AppendUint64(append(dst, tagNumber), number)
		}
		if it.Timestamp != 0 {
			dst = binary.AppendUvarint(append(dst, tagTimestamp), uint64(it.Timestamp))
		}
	}
	return dst
}

// varintSize is how many bytes a varint takes.
func varintSize(x uint64) int {
	return (bits.Len64(x|1) + 6) / 7
}
