package limit

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"

	"github.com/cespare/xxhash/v2"
	"github.com/golang/snappy"
)

// series is one set of labels, encoded once, and its samples of the open request.
type series struct {
	labels []byte // The label fields of a TimeSeries.
	points []point
}

type point struct {
	value float64
	at    int64 // Milliseconds.
}

// batch gathers the samples of one request. It is used by one goroutine.
type batch struct {
	url    string
	size   int
	client *http.Client

	known map[uint64]*series // By the hash of the key; two keys with one hash would mix.
	open  []*series          // Those with points.
	count int
	// Reused from request to request.
	plain, packed []byte
}

func newBatch(url string, size int) *batch {
	return &batch{url: url, size: size, client: &http.Client{Transport: &http.Transport{}}, known: map[uint64]*series{}}
}

// add takes one sample, and sends the request when it is full.
func (b *batch) add(ctx context.Context, r reader, key []byte, p point) error {
	h := xxhash.Sum64(key)
	s := b.known[h]
	if s == nil {
		s = &series{labels: r.labels(key)}
		b.known[h] = s
	}
	if len(s.points) == 0 {
		b.open = append(b.open, s)
	}
	s.points = append(s.points, p)
	b.count++
	if b.count < b.size {
		return nil
	}
	return b.flush(ctx)
}

// flush sends what there is, and returns when it has been accepted.
func (b *batch) flush(ctx context.Context) error {
	if b.count == 0 {
		return nil
	}
	b.plain = b.plain[:0]
	for _, s := range b.open {
		b.plain = s.append(b.plain)
		s.points = s.points[:0]
	}
	b.open, b.count = b.open[:0], 0
	if most := snappy.MaxEncodedLen(len(b.plain)); cap(b.packed) < most {
		b.packed = make([]byte, most)
	}
	return b.post(ctx, snappy.Encode(b.packed[:cap(b.packed)], b.plain))
}

// append encodes one TimeSeries of a WriteRequest of remote write 1.0.
func (s *series) append(b []byte) []byte {
	size := len(s.labels)
	for _, p := range s.points {
		size += 2 + pointSize(p)
	}
	b = append(b, 0x0a)
	b = binary.AppendUvarint(b, uint64(size))
	b = append(b, s.labels...)
	for _, p := range s.points {
		b = append(b, 0x12, byte(pointSize(p)), 0x09)
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p.value))
		b = append(b, 0x10)
		b = binary.AppendUvarint(b, uint64(p.at))
	}
	return b
}

// pointSize is the length of an encoded Sample: the tags, a double, the time.
func pointSize(p point) int { return 1 + 8 + 1 + varintSize(uint64(p.at)) }

func varintSize(v uint64) (n int) {
	for n = 1; v >= 0x80; n++ {
		v >>= 7
	}
	return n
}

// appendLabel encodes one label of a TimeSeries.
func appendLabel[N, V ~string | ~[]byte](b []byte, name N, value V) []byte {
	size := 1 + varintSize(uint64(len(name))) + len(name) + 1 + varintSize(uint64(len(value))) + len(value)
	b = append(b, 0x0a)
	b = binary.AppendUvarint(b, uint64(size))
	b = append(b, 0x0a)
	b = binary.AppendUvarint(b, uint64(len(name)))
	b = append(b, name...)
	b = append(b, 0x12)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

func (b *batch) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	resp, err := b.client.Do(req)
	if err != nil {
		return fmt.Errorf("posting: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("reading an answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("posting: the receiver answered %s", resp.Status)
	}
	return nil
}
