package limit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unsafe"
)

// reader finds the places of a record that matter, in the one layout that it knows.
// It is used by one goroutine.
type reader interface {
	// read returns the sample, and a key that no other series has. The key is valid
	// until the next call, and as long as the record is.
	read(record []byte) (key []byte, value float64, at int64)
	// labels encodes the labels that a key stands for.
	labels(key []byte) []byte
}

func newReader(format string) (reader, error) {
	switch format {
	case "json":
		return flat{}, nil
	case "wide":
		return &wide{}, nil
	case "avro":
		return framed{}, nil
	}
	return nil, fmt.Errorf("there is no format %q", format)
}

// flat is {"labels":{…},"value":1.5,"ts":1}, with the labels sorted and nothing in them
// that JSON escapes. The key is the text of the labels.
type flat struct{}

func (flat) read(record []byte) (key []byte, value float64, at int64) {
	from := bytes.IndexByte(record[1:], '{') + 1
	to := from + bytes.IndexByte(record[from:], '}') + 1
	value, rest := number(record[to+len(`,"value":`):])
	return record[from:to], value, integer(rest[len(`,"ts":`):])
}

func (flat) labels(key []byte) (encoded []byte) {
	next := func() (text []byte) {
		key = key[bytes.IndexByte(key, '"')+1:]
		end := bytes.IndexByte(key, '"')
		text, key = key[:end], key[end+1:]
		return text
	}
	for bytes.IndexByte(key, '"') >= 0 {
		name := next()
		encoded = appendLabel(encoded, name, next())
	}
	return encoded
}

// wide is the broad record of the benchmark, whose keys come in an order that is
// known. The key is the values of the labels, each with a byte that ends it.
type wide struct{ key []byte }

// The members of a wide record in the order in which they stand there, the label
// that each gives, and where its value goes in the order of the labels' names.
var wideMembers = []struct {
	text  []byte
	place int
}{
	{[]byte(`"metric":"`), 0},
	{[]byte(`"env":"`), 1},
	{[]byte(`"host":"`), 2},
	{[]byte(`"region":"`), 5},
	{[]byte(`"instance":"`), 3},
	{[]byte(`"job":"`), 4},
}

// The names of the labels of a wide record, sorted.
var wideNames = []string{"__name__", "env", "host", "instance", "job", "region"}

func (w *wide) read(record []byte) (key []byte, value float64, at int64) {
	var values [6][]byte
	rest := record
	for _, m := range wideMembers {
		rest = behind(rest, m.text)
		end := bytes.IndexByte(rest, '"')
		values[m.place], rest = rest[:end], rest[end:]
	}
	w.key = w.key[:0]
	for _, v := range values {
		w.key = append(append(w.key, v...), 0)
	}
	value, rest = number(behind(rest, []byte(`"value":`)))
	return w.key, value, integer(behind(rest, []byte(`"time":`)))
}

func (w *wide) labels(key []byte) (encoded []byte) {
	for i, value := range bytes.Split(bytes.TrimSuffix(key, []byte{0}), []byte{0}) {
		encoded = appendLabel(encoded, wideNames[i], value)
	}
	return encoded
}

func behind(record, text []byte) []byte {
	return record[bytes.Index(record, text)+len(text):]
}

// framed is Avro behind five bytes of framing: a map of labels in one block, a
// double, a long. The key is the bytes of the map.
type framed struct{}

const framing = 5

func (framed) read(record []byte) (key []byte, value float64, at int64) {
	datum := record[framing:]
	count, used := binary.Varint(datum)
	end := used
	for range 2 * count {
		length, used := binary.Varint(datum[end:])
		end += used + int(length)
	}
	end++ // The empty block that ends the map.
	value = math.Float64frombits(binary.LittleEndian.Uint64(datum[end:]))
	at, _ = binary.Varint(datum[end+8:])
	return datum[:end], value, at
}

func (framed) labels(key []byte) (encoded []byte) {
	count, used := binary.Varint(key)
	rest := key[used:]
	text := func() string {
		length, used := binary.Varint(rest)
		s := string(rest[used : used+int(length)])
		rest = rest[used+int(length):]
		return s
	}
	for range count {
		name := text()
		encoded = appendLabel(encoded, name, text())
	}
	return encoded
}

// number reads a JSON number and returns what follows it.
func number(text []byte) (value float64, rest []byte) {
	end := 0
	for text[end] != ',' && text[end] != '}' {
		end++
	}
	value, _ = strconv.ParseFloat(unsafe.String(&text[0], end), 64) //nolint:gosec // It is read within the call; the input is trusted.
	return value, text[end:]
}

func integer(text []byte) (n int64) {
	for _, c := range text {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
