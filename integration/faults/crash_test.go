//go:build faults

package faults

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const kills = 20

func TestKilledUnderLoad(t *testing.T) {
	f := func(name string, outOfOrder time.Duration, remote string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: name, injured: "kill -9, 20 times, static id", outOfOrder: outOfOrder, remote: remote,
				duplicates: kills * inFlight,
			})
			killRepeatedly(tr)
			tr.finish()
		})
	}
	f("killed, window 1 h", time.Hour, "")
	f("killed, no window", 0, "")
}

// killRepeatedly kills an instance each time that it has committed something, and a
// random moment later.
func killRepeatedly(tr *trial) {
	tr.Helper()
	tr.flow(1000)
	program := tr.start(`instance_id: one`)
	for range kills {
		tr.awaitCommitted(tr.committed())
		time.Sleep(time.Duration(rand.IntN(700)) * time.Millisecond)
		require.NoError(tr, program.Kill())
		require.NoError(tr, program.Start())
	}
	tr.calm()
}

// An orderly end leaves nothing to be sent again, and no window is needed for it.
func TestTerminatedUnderLoad(t *testing.T) {
	tr := begin(t, plan{name: "terminated", injured: "SIGTERM and restart under load, 10 times, no window"})
	tr.flow(1000)
	program := tr.start()
	for range 10 {
		tr.awaitCommitted(tr.committed())
		time.Sleep(time.Duration(rand.IntN(700)) * time.Millisecond)
		program.Terminate(t)
		require.NoError(t, program.Start())
	}
	tr.awaitCommitted(tr.committed()) // The last one is up, and listens to signals.
	tr.calm()
	tr.finish()
}
