//go:build faults

package faults

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/integration/harness"
)

// line is the way from a program to a server, on which one may put toxics. It ends
// with the test.
type line struct {
	*testing.T
	proxy *toxiproxy.Proxy
}

// lay makes a line between two addresses; port 0 is any that is free.
func lay(t *testing.T, from, to string) *line {
	t.Helper()
	zerolog.SetGlobalLevel(zerolog.Disabled) // Toxics write to the global logger.
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &line{T: t, proxy: toxiproxy.NewProxy(server, "line", from, to)}
	require.NoError(t, l.proxy.Start())
	t.Cleanup(l.proxy.Stop)
	return l
}

// toxic is what a line may suffer in one direction.
type toxic struct{ kind, attributes string }

// toxics are times in milliseconds, but for the slicer's, which is in microseconds;
// the rate is in kB/s.
var toxics = []toxic{
	{"latency", `{"latency": 150, "jitter": 100}`},
	{"bandwidth", `{"rate": 30}`},
	{"slicer", `{"average_size": 64, "size_variation": 32, "delay": 500}`},
	{"reset_peer", `{"timeout": 50}`},
	{"timeout", `{"timeout": 0}`}, // A black hole.
	{"slow_close", `{"delay": 1000}`},
	{"limit_data", `{"bytes": 2000}`},
}

// rounds is how often a line suffers each toxic in each direction.
const rounds = 2

// suffer puts each toxic on both directions, in an order and for times that are left
// to chance.
func (l *line) suffer() {
	l.Helper()
	for range scaled(rounds, 1) {
		down := rand.Perm(len(toxics))
		for i, up := range rand.Perm(len(toxics)) {
			hold := time.Duration(500+rand.IntN(1000)) * time.Millisecond
			l.Logf("up %s, down %s for %s", toxics[up].kind, toxics[down[i]].kind, hold)
			l.put(toxics[up], "upstream")
			l.put(toxics[down[i]], "downstream")
			time.Sleep(hold)
			for _, direction := range []string{"upstream", "downstream"} {
				require.NoError(l, l.proxy.Toxics.RemoveToxic(l.Context(), direction))
			}
			time.Sleep(300 * time.Millisecond) // Connections that were cut are forgotten.
		}
	}
}

func (l *line) put(t toxic, direction string) {
	l.Helper()
	text := fmt.Sprintf(`{"name": %q, "stream": %[1]q, "type": %[2]q, "attributes": %[3]s}`, direction, t.kind, t.attributes)
	_, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(text))
	require.NoError(l, err)
}

// A bad network in front of the receiver.
func TestToxicsOnTheReceiver(t *testing.T) {
	tr := begin(t, plan{
		name: "toxics, receiver", injured: toxicWords, outOfOrder: time.Hour, remote: ", remote_timeout: 1s",
		duplicates: 3 * rounds * len(toxics) * requestSamples * shards,
	})
	l := lay(t, "127.0.0.1:0", tr.proxy.address())
	tr.through(l)
	tr.flow(1000)
	tr.start()
	tr.awaitCommitted(1000)
	l.suffer()
	tr.calm()
	tr.finish()
}

// A bad network in front of the broker.
func TestToxicsOnTheBroker(t *testing.T) {
	tr := begin(t, plan{
		name: "toxics, broker", injured: toxicWords, outOfOrder: time.Hour, duplicates: 2 * inFlight,
	})
	l := lay(t, toxicDoor, tr.lab.Kafka.Doors[toxicDoor])
	requireAdvertised(t, toxicDoor)
	tr.site = harness.Site{Kafka: toxicDoor}
	tr.flow(1000)
	tr.start()
	tr.awaitCommitted(1000)
	l.suffer()
	tr.calm()
	tr.finish()
}

// requireAdvertised fails the test where clients of a door would not come back to it.
func requireAdvertised(t *testing.T, door string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(door))
	require.NoError(t, err)
	defer client.Close()
	brokers, err := kadm.NewClient(client).ListBrokers(t.Context())
	require.NoError(t, err)
	require.Len(t, brokers, 1)
	require.Equal(t, door, net.JoinHostPort(brokers[0].Host, strconv.Itoa(int(brokers[0].Port))))
}

const toxicWords = "latency, little bandwidth, slices, resets, black holes, slow closes, cuts after 2 kB; both ways, at random"
