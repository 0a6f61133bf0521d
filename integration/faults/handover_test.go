//go:build faults

package faults

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// grip holds requests up in front of the receiver.
type grip struct {
	left atomic.Int64 // How many more are to be held.
	held sync.WaitGroup
	free chan struct{}
}

// grab holds the next n requests until it is let go of.
func grab(n int) *grip {
	g := &grip{free: make(chan struct{})}
	g.left.Store(int64(n))
	g.held.Add(n)
	return g
}

func (g *grip) script() Fault {
	if g.left.Add(-1) >= 0 {
		g.held.Done()
		<-g.free
	}
	return Fault{}
}

// The receiver keeps requests of an instance while its partitions go to another one.
// The revocation does not wait for longer than it may, the instance stays in the group,
// and what lands afterwards moves no offset of the new owner.
func TestPartitionsMoveWhileRequestsAreHeld(t *testing.T) {
	f := func(name, injured string, held int, lines ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			broker := pretend(t)
			tr := begin(t, plan{
				name: name, injured: injured, lab: broker.lab, outOfOrder: time.Hour,
				pipeline: append(lines, "rebalance_timeout: 6s"), duplicates: inFlight,
			})
			tr.flow(500)
			first := tr.start()
			tr.awaitCommitted(1000)
			g := grab(held)
			tr.proxy.Set(g.script)
			g.held.Wait()
			second := tr.start()
			require.Eventually(t, func() bool {
				return tr.metric(first, "kafka2prom_partitions_assigned") == 2 && tr.metric(second, "kafka2prom_partitions_assigned") == 2
			}, 15*time.Second, 50*time.Millisecond, "each has two partitions")
			tr.awaitCommitted(tr.committed() + 2000) // By the new owner alone.
			time.Sleep(6500 * time.Millisecond)      // Longer than the session timeout.
			require.Zero(t, first.Metric(t, "kafka2prom_rebalances_total", map[string]string{"kind": "lost"}), "it was thrown out")
			require.InDelta(t, 2, tr.metric(first, "kafka2prom_partitions_assigned"), 0)
			close(g.free)
			tr.proxy.Set(nil)
			tr.awaitCommitted(tr.committed() + 2000)
			tr.calm()
			tr.finish()
		})
	}
	f("late acknowledgement", "one request of the old owner is held for 10 s while two partitions move", 1)
	f("late acknowledgement, eager", "the same", 1, "balancer: range")
	f("late acknowledgement, KIP-848", "the same", 1, "group_protocol: consumer")
	f("slow receiver", "everything of the old owner is held for 10 s while two partitions move", shards)
}
