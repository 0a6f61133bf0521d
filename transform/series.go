package transform

import (
	"encoding/binary"
	"iter"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/common/model"
)

// Series is one label set with everything that is computed from it once. The
// mapper makes it, and finds it again from a record's raw label bytes, so that
// the labels of a known series are never sorted, validated or encoded again.
type Series struct {
	// Encoded holds the labels, sorted by name, as the label fields of a
	// prompb.TimeSeries: what stands in front of its samples on the wire of remote
	// write 1.0.
	Encoded string
	// Hash is xxhash over Encoded. It picks the shard.
	Hash uint64
	// Shard is scratch space of the one writer shard that the series belongs to;
	// nobody else touches it.
	Shard ShardState

	// forms counts the keys of the series cache that lead here.
	forms int32
}

// ShardState is what a writer shard keeps with a series.
type ShardState struct {
	// Group is the position of the series in the request that is being built, plus
	// one; 0: it is not in it.
	Group int32
	// Symbols are the label names and values as the shard's remote write 2.0
	// symbols; opaque here. Nil until the shard has needed them.
	Symbols any
}

// Label is a name and a value.
type Label struct{ Name, Value string }

// Tags of the fields that Encoded is made of: each is field<<3 | 2, for bytes.
const (
	labelsTag = 1<<3 | 2 // Labels of prompb.TimeSeries.
	nameTag   = 1<<3 | 2 // Name of prompb.Label.
	valueTag  = 2<<3 | 2 // Value of prompb.Label.
)

// newSeries makes the series of labels that are already encoded.
func newSeries(encoded []byte) *Series {
	s := &Series{Encoded: string(encoded)}
	s.Hash = xxhash.Sum64String(s.Encoded)
	return s
}

// appendLabel encodes one label as a field of prompb.TimeSeries.
func appendLabel(dst []byte, name, value string) []byte {
	size := 1 + uvarintSize(len(name)) + len(name) + 1 + uvarintSize(len(value)) + len(value)
	dst = binary.AppendUvarint(append(dst, labelsTag), uint64(size))
	dst = binary.AppendUvarint(append(dst, nameTag), uint64(len(name)))
	dst = append(dst, name...)
	dst = binary.AppendUvarint(append(dst, valueTag), uint64(len(value)))
	return append(dst, value...)
}

func uvarintSize(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// All ranges over the names and values of the labels, sorted by name. The strings
// share the memory of Encoded.
func (s *Series) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for rest := s.Encoded; rest != ""; {
			var label, name, value string
			label, rest = cutField(rest)
			name, label = cutField(label)
			value, _ = cutField(label)
			if !yield(name, value) {
				return
			}
		}
	}
}

// cutField takes the first field from encoded ones.
func cutField(s string) (field, rest string) {
	size, shift, i := 0, 0, 1 // Behind the tag.
	for ; s[i] >= 0x80; i++ {
		size |= int(s[i]&0x7f) << shift
		shift += 7
	}
	size |= int(s[i]) << shift
	i++
	return s[i : i+size], s[i+size:]
}

// String writes the series as Prometheus prints it: name{label="value"}.
func (s *Series) String() string {
	var name string
	var labels []string
	for n, v := range s.All() {
		switch {
		case n != model.MetricNameLabel:
			if !model.LegacyValidation.IsValidLabelName(n) {
				n = strconv.Quote(n)
			}
			labels = append(labels, n+"="+strconv.Quote(v))
		case model.LegacyValidation.IsValidMetricName(v):
			name = v
		default: // A name that is no identifier stands in the braces.
			labels = append([]string{strconv.Quote(v)}, labels...)
		}
	}
	if len(labels) == 0 && name != "" {
		return name
	}
	return name + "{" + strings.Join(labels, ", ") + "}"
}
