package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// tally is what one request carries.
type tally struct {
	samples  int64
	checksum uint64
	times    []int64 // Of all samples, in milliseconds; reused by whoever reuses the tally.

	labels  labelsHash
	symbols [][]byte
}

// The numbers of the fields that are counted, in remote write 1.0 and 2.0.
const (
	seriesV1, labelsV1            = 1, 1
	symbolsV2, seriesV2, labelsV2 = 4, 5, 1
	samplesField                  = 2
)

// count walks an uncompressed request without making anything of it, so that the
// receiver takes little of the machine that both sides share.
func (t *tally) count(body []byte, v2 bool) error {
	t.samples, t.checksum, t.times, t.symbols = 0, 0, t.times[:0], t.symbols[:0]
	return walk(body, func(f field) error {
		switch {
		case v2 && f.number == symbolsV2:
			t.symbols = append(t.symbols, f.bytes)
		case v2 && f.number == seriesV2, !v2 && f.number == seriesV1:
			return t.series(f.bytes, v2)
		}
		return nil
	})
}

// series counts one TimeSeries. Its labels come in front of its samples, as every
// encoder writes them.
func (t *tally) series(body []byte, v2 bool) error {
	t.labels.reset()
	return walk(body, func(f field) error {
		switch {
		case f.number == samplesField:
			return t.sample(f.bytes)
		case v2 && f.number == labelsV2:
			return t.references(f.bytes)
		case !v2 && f.number == labelsV1:
			return t.label(f.bytes)
		}
		return nil
	})
}

func (t *tally) label(body []byte) error {
	var name, value []byte
	err := walk(body, func(f field) error {
		switch f.number {
		case 1:
			name = f.bytes
		case 2:
			value = f.bytes
		}
		return nil
	})
	t.labels.add(name, value)
	return err
}

func (t *tally) references(packed []byte) error {
	next := func() ([]byte, error) {
		ref, used := binary.Uvarint(packed)
		if used <= 0 || ref >= uint64(len(t.symbols)) {
			return nil, errors.New("reading labels: a reference leads nowhere")
		}
		packed = packed[used:]
		return t.symbols[ref], nil
	}
	for len(packed) > 0 {
		name, err := next()
		if err != nil {
			return err
		}
		value, err := next()
		if err != nil {
			return err
		}
		t.labels.add(name, value)
	}
	return nil
}

func (t *tally) sample(body []byte) error {
	var value float64
	var at int64
	err := walk(body, func(f field) error {
		switch f.number {
		case 1:
			value = math.Float64frombits(f.integer)
		case 2:
			at = int64(f.integer)
		}
		return nil
	})
	t.samples++
	t.checksum += hashSample(t.labels.sum(), at, value)
	t.times = append(t.times, at)
	return err
}

// field is one field of a protobuf message: an integer, or bytes that are valid as
// long as the message is.
type field struct {
	number  int
	integer uint64
	bytes   []byte
}

// walk calls visit for each field of a message.
func walk(body []byte, visit func(field) error) error {
	for len(body) > 0 {
		tag, used := binary.Uvarint(body)
		if used <= 0 {
			return errors.New("reading protobuf: a tag is cut off")
		}
		body = body[used:]
		f := field{number: int(tag >> 3)}
		if used = f.read(int(tag&7), body); used <= 0 {
			return fmt.Errorf("reading protobuf: a field of wire type %d is cut off, or nobody writes such", tag&7)
		}
		body = body[used:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// read takes the value of a field, and returns how many bytes it is long, or less than
// one where it cannot be read.
func (f *field) read(wireType int, body []byte) (used int) {
	switch wireType {
	case 0:
		f.integer, used = binary.Uvarint(body)
		return used
	case 1:
		if len(body) < 8 {
			return 0
		}
		f.integer = binary.LittleEndian.Uint64(body)
		return 8
	case 2:
		length, used := binary.Uvarint(body)
		if used <= 0 || length > uint64(len(body)-used) {
			return 0
		}
		f.bytes = body[used : used+int(length)]
		return used + int(length)
	}
	return 0
}
