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
	f := func(name string, lines ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: name, injured: fmt.Sprintf("SIGSTOP beyond the session timeout, then CONT, beside a second instance; %d times", times),
				outOfOrder: time.Hour, duplicates: 4 * inFlight, pipeline: lines,
			})
			zombie(tr, times)
			tr.finish()
		})
	}
	f("zombie")
	f("zombie, KIP-848", "group_protocol: consumer")
}

// zombie has the first and then the second of two instances stand still.
func zombie(tr *trial, times int) {
	tr.Helper()
	tr.flow(1000)
	first := tr.start()
	tr.awaitCommitted(1000)
	second := tr.start()
	for _, sleeper := range []*harness.Program{first, second}[:times] {
		tr.awaitCommitted(tr.committed() + 2000)
		require.NoError(tr, sleeper.Pause())
		time.Sleep(8 * time.Second)
		tr.awaitCommitted(tr.committed() + 4000)
		require.NoError(tr, sleeper.Resume())
	}
	tr.calm()
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
			storm(tr, name == "static", func(p *harness.Program) { p.Terminate(t) })
			tr.finish()
		})
	}
	f("cooperative")
	f("eager", "balancer: range")
	f("static")
	f("KIP-848", "group_protocol: consumer")
}

// Instances come, and are killed, under load.
func TestStormOfKills(t *testing.T) {
	f := func(name string, lines ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: "storm of kills, " + name, injured: "an instance joins or is ended with kill -9 every 1.5 s", partitions: 8,
				outOfOrder: time.Hour, pipeline: lines, duplicates: storms() / 2 * inFlight,
			})
			storm(tr, name == "static", func(p *harness.Program) { require.NoError(t, p.Kill()) })
			tr.finish()
		})
	}
	f("cooperative")
	f("static")
	f("KIP-848", "group_protocol: consumer")
}

// storms is how often instances come or go.
func storms() int { return scaled(12, 4) }

// storm starts instances, ends the oldest in its turn, and leaves two.
func storm(tr *trial, static bool, end func(*harness.Program)) {
	tr.Helper()
	tr.flow(400)
	join := func(i int) *harness.Program {
		if static {
			return tr.start("instance_id: " + strconv.Quote("member-"+strconv.Itoa(i%3)))
		}
		return tr.start()
	}
	members := []*harness.Program{join(0), join(1)}
	for i := range storms() {
		time.Sleep(1500 * time.Millisecond)
		if i%2 == 0 {
			members = append(members, join(i/2+2))
			continue
		}
		end(members[0])
		members = members[1:]
	}
	tr.calm()
}
