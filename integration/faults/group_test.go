//go:build faults

package faults

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/integration/harness"
)

// An instance stands still until the group has thrown it out, and goes on while
// another one has its partitions.
func TestZombie(t *testing.T) {
	times := scaled(2, 1)
	tr := begin(t, plan{
		name: "zombie", injured: fmt.Sprintf("SIGSTOP beyond the session timeout, then CONT, beside a second instance; %d times", times),
		outOfOrder: time.Hour, duplicates: 4 * inFlight,
	})
	tr.flow(1000)
	first := tr.start()
	tr.awaitCommitted(1000)
	second := tr.start()
	for _, sleeper := range []*harness.Program{first, second}[:times] {
		tr.awaitCommitted(tr.committed() + 2000)
		require.NoError(t, sleeper.Pause())
		time.Sleep(8 * time.Second)
		tr.awaitCommitted(tr.committed() + 4000)
		require.NoError(t, sleeper.Resume())
	}
	tr.calm()
	tr.finish()
}

// Instances come and go under load.
func TestRebalanceStorm(t *testing.T) {
	f := func(name string, lines ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: "storm, " + name, injured: "an instance joins or leaves every 1.5 s", partitions: 8,
				outOfOrder: time.Hour, pipeline: lines,
			})
			storm(tr, name == "static")
			tr.finish()
		})
	}
	f("cooperative")
	f("eager", "balancer: range")
	f("static")
	f("KIP-848", "group_protocol: consumer")
}

// storm starts instances, ends the oldest in good order, and leaves two.
func storm(tr *trial, static bool) {
	tr.Helper()
	tr.flow(400)
	join := func(i int) *harness.Program {
		if static {
			return tr.start("instance_id: " + strconv.Quote("member-"+strconv.Itoa(i%3)))
		}
		return tr.start()
	}
	members := []*harness.Program{join(0), join(1)}
	for i := range scaled(12, 4) {
		time.Sleep(1500 * time.Millisecond)
		if i%2 == 0 {
			members = append(members, join(i/2+2))
			continue
		}
		members[0].Terminate(tr.T)
		members = members[1:]
	}
	tr.calm()
}
