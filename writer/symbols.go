package writer

import (
	"encoding/binary"

	"github.com/kafka2prom/kafka2prom/transform"
)

// maxSymbols bounds the texts that a shard remembers. Beyond it the table starts
// anew, and the series look their labels up again.
const maxSymbols = 1 << 19

// symbols are the label names and values of a shard's series. Each series keeps
// the numbers of its texts (transform.ShardState.Symbols), so that a request has
// nothing to look up but numbers. A request has a symbols table of its own, with
// the empty string first: a text gets its reference there when the request first
// needs it, which the stamp tells.
type symbols struct {
	limit   int // 0: maxSymbols.
	numbers map[string]uint32
	texts   []symbol
	table   *byte  // Identity of the table; another one after a new start.
	request uint64 // Stamp of the request that is being built.
	next    uint32 // The reference that comes next in it.
}

type symbol struct {
	text    string
	request uint64 // The last request that used it.
	ref     uint32 // Its reference there.
}

// seriesSymbols is what a series keeps: names and values in turn.
type seriesSymbols struct {
	table   *byte
	numbers []uint32
}

// begin starts a request with the empty string.
func (s *symbols) begin(dst []byte) []byte {
	if s.limit == 0 {
		s.limit = maxSymbols
	}
	if s.numbers == nil || len(s.texts) > s.limit {
		s.numbers = map[string]uint32{"": 0}
		s.texts = append(s.texts[:0:0], symbol{})
		s.table = new(byte)
	}
	s.request++
	s.texts[0].request, s.texts[0].ref = s.request, 0
	s.next = 1
	return append(dst, tagSymbol, 0)
}

// of returns the numbers of the texts of a series.
func (s *symbols) of(series *transform.Series) []uint32 {
	if known, ok := series.Shard.Symbols.(*seriesSymbols); ok && known.table == s.table {
		return known.numbers
	}
	known := &seriesSymbols{table: s.table}
	for name, value := range labelsOf(series.Encoded) {
		known.numbers = append(known.numbers, s.number(name), s.number(value))
	}
	series.Shard.Symbols = known
	return known.numbers
}

func (s *symbols) number(text string) uint32 {
	n, ok := s.numbers[text]
	if !ok {
		n = uint32(len(s.texts))
		s.texts = append(s.texts, symbol{text: text})
		s.numbers[text] = n
	}
	return n
}

// appendNew appends the texts of a series that the request does not have yet.
func (s *symbols) appendNew(dst []byte, series *transform.Series) []byte {
	for _, n := range s.of(series) {
		x := &s.texts[n]
		if x.request == s.request {
			continue
		}
		x.request, x.ref = s.request, s.next
		s.next++
		dst = append(dst, tagSymbol)
		dst = binary.AppendUvarint(dst, uint64(len(x.text)))
		dst = append(dst, x.text...)
	}
	return dst
}

// appendRefs appends the references of a series, all of which are in the request.
func (s *symbols) appendRefs(dst []byte, series *transform.Series) []byte {
	for _, n := range s.of(series) {
		dst = binary.AppendUvarint(dst, uint64(s.texts[n].ref))
	}
	return dst
}
