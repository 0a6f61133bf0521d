package main

import (
	"math"

	"github.com/cespare/xxhash/v2"
)

// labelsHash adds up the labels of one series. It depends on their order: both sides
// hash them sorted by name, so that a sender that does not sort them is noticed.
type labelsHash struct{ digest xxhash.Digest }

func (h *labelsHash) reset() { h.digest.Reset() }

// add never fails, whatever the type of the digest's methods says. A 0xff is in no
// UTF-8, so that no two sets of labels are the same bytes.
func (h *labelsHash) add(name, value []byte) {
	end := [1]byte{0xff}
	_, _ = h.digest.Write(name)
	_, _ = h.digest.Write(end[:])
	_, _ = h.digest.Write(value)
	_, _ = h.digest.Write(end[:])
}

func (h *labelsHash) sum() uint64 { return h.digest.Sum64() }

// hashLabels is the same for labels that are sorted already.
func hashLabels(sorted []label) uint64 {
	var h labelsHash
	h.reset()
	for _, l := range sorted {
		h.add([]byte(l.name), []byte(l.value))
	}
	return h.sum()
}

// hashSample is one sample in the checksum. The sum over all samples does not depend on
// their order, and misses none that is lost, doubled or wrong.
func hashSample(series uint64, at int64, value float64) uint64 {
	x := series ^ uint64(at)*0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	x ^= math.Float64bits(value) * 0xff51afd7ed558ccd
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	return x ^ x>>32
}
