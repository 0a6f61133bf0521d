//go:build faults

package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBrokerKilled(t *testing.T) {
	times := scaled(2, 1)
	tr := begin(t, plan{
		name: "broker killed", injured: fmt.Sprintf("kill -9 and restart of the broker, %d times", times), outOfOrder: time.Hour, duplicates: 2 * inFlight,
	})
	tr.flow(1000)
	tr.start()
	for range times {
		tr.awaitCommitted(tr.committed() + 4000)
		require.NoError(t, lab.Kafka.Kill())
		time.Sleep(time.Second)
		require.NoError(t, lab.Kafka.Start())
	}
	tr.awaitCommitted(tr.committed() + 1000)
	tr.calm()
	tr.finish()
}

func TestBrokerPaused(t *testing.T) {
	tr := begin(t, plan{
		name: "broker paused", injured: "SIGSTOP of the broker for 10 s, then CONT", outOfOrder: time.Hour, duplicates: 2 * inFlight,
	})
	tr.flow(1000)
	tr.start()
	tr.awaitCommitted(4000)
	require.NoError(t, lab.Kafka.Pause())
	time.Sleep(10 * time.Second)
	require.NoError(t, lab.Kafka.Resume())
	tr.awaitCommitted(tr.committed() + 4000)
	tr.calm()
	tr.finish()
}
