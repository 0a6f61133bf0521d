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
	f := func(name string, limit int64, batch, decompressed units.Bytes) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			debug.SetMemoryLimit(limit)
			require.Equal(t, batch, batchShare(2, 4))
			require.Equal(t, decompressed, decompressedShare())
		})
	}
	f("none", math.MaxInt64, 32<<20, 64<<20)
	f("much", 64<<30, 32<<20, 64<<20)
	f("a quarter of a gigabyte", 256<<20, 16<<20, 16<<20)
	f("too little", 8<<20, 1<<20, 4<<20)
}
