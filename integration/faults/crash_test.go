//go:build faults

package faults

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKilledUnderLoad(t *testing.T) {
	kills := scaled(30, 5)
	f := func(p plan) {
		t.Helper()
		t.Run(p.name, func(t *testing.T) {
			p.injured, p.duplicates = fmt.Sprintf("kill -9, %d times, static id", kills), kills*inFlight
			tr := begin(t, p)
			killRepeatedly(tr, kills)
			tr.finish()
		})
	}
	f(plan{name: "killed, window 1 h", outOfOrder: time.Hour})
	f(plan{name: "killed, window 1 h, 1.0", outOfOrder: time.Hour, remote: ", protocol: '1.0'"})
	f(plan{name: "killed, no window"})
	f(plan{name: "killed, on_error stop", noLetters: true})
	f(plan{name: "killed, no window, 1.0", noLetters: true, remote: ", protocol: '1.0'"})
}

// killRepeatedly kills an instance each time that it has committed something, and a
// random moment later.
func killRepeatedly(tr *trial, kills int) {
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
	times := scaled(10, 3)
	tr := begin(t, plan{name: "terminated", injured: fmt.Sprintf("SIGTERM and restart under load, %d times, no window", times)})
	tr.flow(1000)
	program := tr.start()
	for range times {
		tr.awaitCommitted(tr.committed())
		time.Sleep(time.Duration(rand.IntN(700)) * time.Millisecond)
		program.Terminate(t)
		require.NoError(t, program.Start())
	}
	tr.awaitCommitted(tr.committed()) // The last one is up, and listens to signals.
	tr.calm()
	tr.finish()
}
