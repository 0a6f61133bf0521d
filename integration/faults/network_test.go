//go:build faults

package faults

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/integration/harness"
)

// cable is one of those that lead out of a network.
type cable int

// The cables. The last one is for scrapes, and never cut.
const (
	toKafka cable = iota
	toReceiver
	toScraper
	cables
)

// The ends of a cable, as the last bits of its addresses.
const (
	ours   = 1
	theirs = 2
)

// address of an end, out of the range that is kept for measuring networks; two runs
// of the tests do not share theirs.
func (c cable) address(end int) string {
	return fmt.Sprintf("198.18.%d.%d", os.Getpid()%256, 4*int(c)+end)
}

func (c cable) subnet() string { return c.address(0) + "/30" }

// network is a namespace in which a program is alone with its cables. It ends with
// the test.
type network struct {
	*testing.T
	name string
}

// isolate makes a network.
func isolate(t *testing.T) *network {
	t.Helper()
	n := &network{T: t, name: namespaceName()}
	n.ip("netns add " + n.name)
	t.Cleanup(func() { n.ip("netns del " + n.name) })
	n.ip("-n " + n.name + " link set lo up")
	for c := range cables {
		n.plug(c)
	}
	return n
}

func namespaceName() string { return "k2p" + strconv.Itoa(os.Getpid()) }

// plug lays a cable. While it is cut nothing that is meant for it finds another way.
func (n *network) plug(c cable) {
	n.Helper()
	n.ip(fmt.Sprintf("link add %s type veth peer name eth%d netns %s", n.device(c), c, n.name))
	n.Cleanup(func() { n.ip("link del " + n.device(c)) })
	n.ip("route add blackhole " + c.subnet() + " metric 4096")
	n.Cleanup(func() { n.ip("route del blackhole " + c.subnet() + " metric 4096") })
	n.ip(fmt.Sprintf("addr add %s/30 dev %s", c.address(ours), n.device(c)))
	n.ip(fmt.Sprintf("-n %s addr add %s/30 dev eth%d", n.name, c.address(theirs), c))
	n.ip(fmt.Sprintf("-n %s link set eth%d up", n.name, c))
	n.mend(c)
}

func (n *network) device(c cable) string { return n.name + "-" + strconv.Itoa(int(c)) }

// cut takes cables out: what is sent over them is lost without a word.
func (n *network) cut(cables ...cable) {
	n.Helper()
	for _, c := range cables {
		n.ip("link set " + n.device(c) + " down")
	}
}

func (n *network) mend(cables ...cable) {
	n.Helper()
	for _, c := range cables {
		n.ip("link set " + n.device(c) + " up")
	}
}

func (n *network) ip(words string) {
	n.Helper()
	require.NoError(n, ip(words))
}

func ip(words string) error { return command("ip", strings.Fields(words)...) }

// tryNetwork says why this machine cannot run network partitions.
func tryNetwork() error {
	if err := ip("netns add " + namespaceName()); err != nil {
		return err
	}
	return ip("netns del " + namespaceName())
}

// site is where a program is in the network.
func (n *network) site() harness.Site {
	n.Helper()
	path, err := exec.LookPath("ip")
	require.NoError(n, err)
	return harness.Site{
		Kafka: networkDoor, Host: toScraper.address(theirs), Prefix: []string{path, "netns", "exec", n.name},
	}
}

// The cables of a program are cut for longer than the session timeout, or again and
// again.
func TestNetworkPartition(t *testing.T) {
	if lacking[networkPartitions] != nil {
		return // TestMain names it.
	}
	f := func(name, injured string, injure func(n *network)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{name: name, injured: injured, outOfOrder: time.Hour, duplicates: 4 * inFlight})
			n := isolate(t)
			lay(t, networkDoor, tr.lab.Kafka.Doors[networkDoor])
			requireAdvertised(t, networkDoor)
			tr.site = n.site()
			tr.through(lay(t, net.JoinHostPort(toReceiver.address(ours), "0"), tr.proxy.address()))
			tr.flow(1000)
			program := tr.start()
			tr.awaitCommitted(4000)
			before := program.Metric(t, "go_goroutines", nil)
			injure(n)
			tr.awaitCommitted(tr.committed() + 4000)
			tr.calm()
			tr.awaitNoLag()
			require.Eventually(t, func() bool { return program.Metric(t, "go_goroutines", nil) <= before+10 },
				tr.plan.catchUp, scrapeInterval, "goroutines are left, %.0f were there before", before)
			tr.finish()
		})
	}
	const longer = 8 * time.Second
	apart := func(cables ...cable) func(n *network) {
		return func(n *network) {
			n.cut(cables...)
			time.Sleep(longer)
			n.mend(cables...)
		}
	}
	f("cut off from Kafka", "the network to Kafka is down for 8 s", apart(toKafka))
	f("cut off from Prometheus", "the network to Prometheus is down for 8 s", apart(toReceiver))
	f("cut off from both", "both networks are down for 8 s", apart(toKafka, toReceiver))
	flaps := scaled(8, 3)
	f("flapping network", fmt.Sprintf("both networks are down every other second, %d times", flaps), func(n *network) {
		for range flaps {
			n.cut(toKafka, toReceiver)
			time.Sleep(time.Second)
			n.mend(toKafka, toReceiver)
			time.Sleep(time.Second)
		}
	})
}
