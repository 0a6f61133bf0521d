//go:build faults

package faults

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/integration/harness"
)

// A receiver that fails at random, slowly, or with the connection.
func TestReceiverFails(t *testing.T) {
	f := func(name, injured, remote string, script Script, duplicates int) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{name: name, injured: injured, outOfOrder: time.Hour, remote: remote, duplicates: duplicates})
			tr.proxy.Set(script)
			tr.flow(1000)
			tr.start()
			time.Sleep(scaled(12*time.Second, 4*time.Second))
			tr.calm()
			tr.proxy.Set(nil)
			tr.finish()
		})
	}
	f("random 5xx and 429", "30 % of 500, 503 with Retry-After, 429 with Retry-After, 502, resets", "",
		mixed(0.3, Fault{Status: 500}, Fault{Status: 503, RetryAfter: "1"}, Fault{Status: 429, RetryAfter: "1"}, Fault{Status: 502}, Fault{Reset: true}), 0)
	f("random 5xx and 429, 1.0", "the same under 1.0", ", protocol: '1.0'",
		mixed(0.3, Fault{Status: 500}, Fault{Status: 503, RetryAfter: "1"}, Fault{Status: 429, RetryAfter: "1"}, Fault{Status: 502}, Fault{Reset: true}), 0)
	f("cut in the body", "30 % of the requests are reset after 100 bytes of their body", "", mixed(0.3, Fault{Cut: 100}), 0)
	// The sender gives up after 1 s, and the receiver takes the request at last.
	f("timeouts", "20 % of the requests take 3 s, the sender waits for 1 s", ", remote_timeout: 1s",
		mixed(0.2, Fault{Delay: 3 * time.Second}), 40*inFlight)
	f("200 ms away", "each request takes 200 ms", "", func() Fault { return Fault{Delay: 200 * time.Millisecond} }, 0)
}

// A receiver that commits a request, and cuts the connection instead of saying so.
func TestAcknowledgementsLost(t *testing.T) {
	f := func(p plan) {
		t.Helper()
		t.Run(p.name, func(t *testing.T) {
			p.injured, p.duplicates = "30 % of the requests are stored, and the connection is cut", 60*requestSamples
			tr := begin(t, p)
			tr.proxy.Set(mixed(0.3, Fault{Lose: true}))
			tr.flow(1000)
			tr.start()
			time.Sleep(scaled(12*time.Second, 4*time.Second))
			tr.calm()
			tr.proxy.Set(nil)
			tr.finish()
		})
	}
	f(plan{name: "lost answers, window 1 h", outOfOrder: time.Hour})
	f(plan{name: "lost answers, no window, 2.0", remote: ", protocol: '2.0'"})
	f(plan{name: "lost answers, no window, 1.0", remote: ", protocol: '1.0'"})
	f(plan{name: "lost answers, on_error stop", noLetters: true})
}

// A receiver that refuses the sender, and not the data: until somebody mends the
// configuration nothing may be dropped. That takes longer than any back-off, the age
// of a batch and the session of the group.
func TestMisconfigured(t *testing.T) {
	each := scaled(25*time.Second, 6*time.Second)
	tr := begin(t, plan{name: "misconfigured", injured: fmt.Sprintf("401, 403 and 404 for %s each, then mended", each), outOfOrder: time.Hour})
	tr.flow(1000)
	program := tr.start()
	tr.awaitCommitted(1000)
	require.NoError(t, program.Ready(t.Context()))
	for _, status := range []int{401, 403, 404} {
		tr.misconfigured(program, status, each)
	}
	tr.proxy.Set(nil)
	require.Eventually(t, func() bool { return program.Ready(t.Context()) == nil }, tr.plan.catchUp, 50*time.Millisecond, "it is ready again")
	tr.calm()
	tr.finish()
}

// misconfigured has the receiver answer everything with a status for a while, in which
// nothing is committed, few requests are made, and the program says what is wrong.
func (tr *trial) misconfigured(program *harness.Program, status int, lasting time.Duration) {
	tr.Helper()
	before, _ := tr.proxy.Requests()
	began := time.Now()
	tr.proxy.Set(func() Fault { return Fault{Status: status} })
	// It finds out with its next request, which may be some seconds away.
	require.Eventually(tr, func() bool {
		err := program.Ready(tr.Context())
		return err != nil && strings.Contains(err.Error(), strconv.Itoa(status))
	}, tr.plan.catchUp, 50*time.Millisecond, "it is not ready, and says %d", status)
	held := tr.committed()
	require.InDelta(tr, 1, program.Metric(tr.T, "kafka2prom_receiver_misconfigured", nil), 0, "status %d", status)
	time.Sleep(lasting)
	require.Equal(tr, held, tr.committed(), "commits under status %d", status)
	after, _ := tr.proxy.Requests()
	// A shard tries again after 2.5 s at the earliest. Some requests were on their way before.
	require.LessOrEqual(tr, after-before, shards*(int(time.Since(began).Seconds()/2.5)+2), "requests under status %d", status)
}

// Everything fails for a while, for longer than any buffer lasts.
func TestOutage(t *testing.T) {
	tr := begin(t, plan{name: "outage", injured: "nothing but 500 for 20 s under load", outOfOrder: time.Hour})
	tr.flow(2000)
	tr.start()
	tr.awaitCommitted(1000)
	tr.proxy.Set(func() Fault { return Fault{Status: 500} })
	time.Sleep(20 * time.Second)
	tr.calm()
	tr.proxy.Set(nil)
	tr.finish()
}

func TestPrometheusKilled(t *testing.T) {
	times := scaled(5, 2)
	tr := begin(t, plan{
		name: "Prometheus killed", injured: fmt.Sprintf("kill -9 and restart of Prometheus, %d times", times), outOfOrder: time.Hour,
		duplicates: times * inFlight,
	})
	tr.flow(1000)
	tr.start()
	for range times {
		tr.awaitCommitted(tr.committed() + 4000)
		require.NoError(t, tr.prometheus.Kill())
		time.Sleep(time.Second)
		require.NoError(t, tr.prometheus.Start())
	}
	tr.calm()
	tr.finish()
}
