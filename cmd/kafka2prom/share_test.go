package main

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

func TestMemoryIsSharedOutByItsLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	f := func(name string, limit int64, record, batch, decompressed units.Bytes) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			debug.SetMemoryLimit(limit)
			require.Equal(t, batch, batchShare(2, 4))
			require.Equal(t, decompressed, decompressedShare(record))
		})
	}
	f("none", math.MaxInt64, 1<<20, 32<<20, 64<<20)
	f("much", 64<<30, 1<<20, 32<<20, 64<<20)
	f("a quarter of a gigabyte", 256<<20, 1<<20, 16<<20, 16<<20)
	f("a quarter of a gigabyte, large records", 256<<20, 24<<20, 16<<20, 48<<20)
	f("too little", 8<<20, 1<<20, 1<<20, 4<<20)
}
