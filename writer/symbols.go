package writer

import (
	"encoding/binary"
	"math"

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
	texts   []string // By number.
	marks   []mark   // By number.
	table   *byte    // Identity of all of the above; another one after a new start.
	request uint32   // Stamp of the request that is being built.
	next    uint32   // The reference that comes next in it.
}

// mark says where a text is in the last request that used it.
type mark struct{ request, ref uint32 }

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
	if s.numbers == nil || len(s.texts) > s.limit || s.request == math.MaxUint32 {
		*s = symbols{
			limit:   s.limit,
			numbers: map[string]uint32{"": 0},
			texts:   []string{""},
			marks:   make([]mark, 1),
			table:   new(byte),
		}
	}
	s.request++
	s.marks[0] = mark{request: s.request}
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
		s.texts = append(s.texts, text)
		s.marks = append(s.marks, mark{})
		s.numbers[text] = n
	}
	return n
}

// add appends the texts of a series that the request does not have yet to dst, and
// the references of all of them to refs.
func (s *symbols) add(dst, refs []byte, series *transform.Series) (newDst, newRefs []byte) {
	for _, n := range s.of(series) {
		m := &s.marks[n]
		if m.request != s.request {
			*m = mark{request: s.request, ref: s.next}
			s.next++
			text := s.texts[n]
			dst = append(dst, tagSymbol)
			dst = binary.AppendUvarint(dst, uint64(len(text)))
			dst = append(dst, text...)
		}
		refs = binary.AppendUvarint(refs, uint64(m.ref))
	}
	return dst, refs
}
