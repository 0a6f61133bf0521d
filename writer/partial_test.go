package writer

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// refusal answers under 2.0 that it has written some samples, and says what it has
// to say about the others.
func refusal(code, written int, lines ...string) receiver.Answer {
	return receiver.Answer{
		Status: code,
		Header: http.Header{"X-Prometheus-Remote-Write-Samples-Written": {strconv.Itoa(written)}},
		Body:   strings.Join(lines, "\n"),
	}
}

func about(s transform.Sample) string {
	return "out of order sample for series " + seriesText(s.Series.Encoded)
}

func ahead(s transform.Sample) string {
	return "out of bounds: timestamp is too far in the future for series " + seriesText(s.Series.Encoded)
}

func TestWhatAReceiverHasPartlyStoredIsNeverSentAgain(t *testing.T) {
	c := catalogue{}
	a1, a2, b1, c1 := sample(c.named("a"), 1, 1), sample(c.named("a"), 2, 1), sample(c.named("b"), 1, 1), sample(c.named("c"), 1, 1)
	f := func(name, protocol, policy string, a receiver.Answer, written int64, want ...string) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := clockwork(receiver.Modern, 0)
				r.SetHook(script(a))
				w := start(t, r.RoundTripper(), func(c *Config) {
					c.RemoteWrite.Protocol, c.RemoteWrite.PartialAccept = protocol, policy
				})
				b := deliver(w, a1, a2, b1, c1)
				require.Len(t, r.Requests(), 1)
				require.Equal(t, want, reasons(b))
				require.Equal(t, written, totals(w)["written"])
				require.Equal(t, 4-written, totals(w)["refused"])
				require.Zero(t, totals(w)["in_flight"])
			})
		})
	}
	f("the one that is named is at fault", protocolV2, partialAuto, refusal(400, 3, about(b1)), 3, "refused")
	f("two are named", protocolV2, partialAuto, refusal(400, 2, about(b1), about(c1)), 2, "refused", "refused")
	f("the older one of a series with two samples", protocolV2, partialAuto, refusal(400, 3, about(a1)), 3, "refused")
	f("both of a series", protocolV2, partialAuto, refusal(400, 2, about(a1), about(a2)), 2, "refused", "refused")
	f("either of a series", protocolV2, partialAuto, refusal(400, 3, ahead(a2)), 3, "refused?", "refused?")
	f("either of a series, and the only one of another", protocolV2, partialAuto, refusal(400, 2, ahead(a2), ahead(b1)), 2, "refused?", "refused?", "refused")
	f("one line for two", protocolV2, partialAuto, refusal(400, 2, about(a1)), 2, "refused", "refused")
	f("a success that is none", protocolV2, partialAuto, refusal(204, 3), 3, "refused?", "refused?", "refused?", "refused?")
	f("a success with nothing written", protocolV2, partialAuto, refusal(204, 0), 0, "refused", "refused", "refused", "refused")
	f("nobody is named", protocolV2, partialAuto, refusal(400, 3, "something is wrong"), 3, "refused?", "refused?", "refused?", "refused?")
	f("too few are named", protocolV2, partialAuto, refusal(400, 2, about(b1)), 2, "refused?", "refused?", "refused?", "refused?")
	f("a stranger is named", protocolV2, partialAuto, refusal(400, 3, `for series {__name__="z"}`), 3, "refused?", "refused?", "refused?", "refused?")
	f("all are refused", protocolV2, partialAuto, refusal(400, 0, "no"), 0, "refused", "refused", "refused", "refused")
	f("no header means none", protocolV2, partialAuto, receiver.Answer{Status: 400, Body: "no"}, 0, "refused", "refused", "refused", "refused")
	f("everything is written after all", protocolV2, partialAuto, refusal(400, 4, "metadata is wrong"), 4)
	f("409 under 1.0 names one", protocolV1, partialAuto, receiver.Answer{Status: 409, Body: about(b1)}, 3, "refused?")
	f("409 under 1.0 names nobody", protocolV1, partialAuto, receiver.Answer{Status: 409, Body: "conflict"}, 0, "refused?", "refused?", "refused?", "refused?")
	f("400 under 1.0 from a receiver that is known to keep the good", protocolV1, partialYes, receiver.Answer{Status: 400, Body: about(c1)}, 3, "refused?")
}

func TestARefusalCarriesTheLineThatNamesItsSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := catalogue{}
		a, b := sample(c.named("a"), 1, 1), sample(c.named("b"), 2, 3)
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(refusal(400, 1, about(a), about(b))))
		w := start(t, r.RoundTripper(), func(c *Config) { c.RemoteWrite.Protocol = protocolV2 })
		batch := deliver(w, a, b, sample(c.named("c"), 1, 1))
		got := sorted(batch.Refused())
		require.Equal(t, transform.Refusal{
			Record: b.Record, Stage: transform.StageWrite, Reason: transform.ReasonRefused, Rule: -1,
			Text: `out of order sample for series {__name__="b"}`, Series: b.Series, Timestamp: 2, Value: 3, Exact: true,
		}, got[1])
		require.Equal(t, `out of order sample for series {__name__="a"}`, got[0].Text)
	})
}

// A crash without an out-of-order window: the replayed samples of each series are
// refused, and the new ones behind them stored.
func TestOfAReplayOnlyWhatIsOldIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := catalogue{}
		var first, second []transform.Sample
		for _, name := range []string{"a", "b", "c"} {
			for at := range int64(6) {
				s := sample(c.named(name), at, float64(at))
				if at < 4 {
					first = append(first, s)
				}
				second = append(second, s)
			}
		}
		r := clockwork(receiver.Modern, 0)
		w := start(t, r.RoundTripper(), func(c *Config) { c.RemoteWrite.Protocol = protocolV2 })
		require.Empty(t, deliver(w, first...).Refused())
		for _, refusal := range deliver(w, second...).Refused() {
			require.Less(t, refusal.Timestamp, int64(3), "this one is new, or the newest")
			require.True(t, refusal.Exact)
		}
		require.EqualValues(t, 9, totals(w)["refused"])
		require.Equal(t, []int64{0, 1, 2, 3, 4, 5}, times(r, c.named("b")))
	})
}

// The answer to a large request of which nearly everything is refused is large, too.
func TestALongListOfTheRefusedIsReadWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := catalogue{}
		series := c.series("__name__", "a", "long", strings.Repeat("x", 100))
		samples := make([]transform.Sample, 2000)
		lines := make([]string, len(samples)-1)
		for at := range samples {
			samples[at] = sample(series, int64(at), 1)
			if at > 0 {
				lines[at-1] = about(samples[at])
			}
		}
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(refusal(400, 1, lines...)))
		w := start(t, r.RoundTripper(), func(c *Config) { c.RemoteWrite.Protocol = protocolV2 })
		got := deliver(w, samples...).Refused()
		require.Len(t, got, len(lines))
		require.EqualValues(t, 0, got[0].Timestamp)
		require.EqualValues(t, 1998, got[1998].Timestamp)
	})
}

func TestAReceiverThatIsSaidToKeepNothingIsHalved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		samples := grid(8, 1)
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(q *receiver.Request) receiver.Answer {
			for _, s := range q.Series {
				if s.Labels.Get("__name__") == "s00005" {
					return status(409)
				}
			}
			return receiver.Answer{}
		})
		w := start(t, r.RoundTripper(), func(c *Config) { c.RemoteWrite.PartialAccept = partialNo })
		b := deliver(w, samples...)
		require.Equal(t, []string{"refused"}, reasons(b))
		require.Equal(t, 7, stored(r))
	})
}

func TestReceiversThatKeepTheGoodOnes(t *testing.T) {
	f := func(behaviour receiver.Behaviour, change func(*Config), want ...string) {
		t.Run(fmt.Sprint(behaviour), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := clockwork(behaviour, 0)
				w := start(t, r.RoundTripper(), change)
				c := catalogue{}
				a, b := c.series("__name__", "up", "job", "a"), c.series("__name__", "up", "job", "b")
				deliver(w, sample(a, 5, 1))
				batch := deliver(w, sample(a, 1, 1), sample(b, 1, 1), sample(c.named("c"), 1, 1))
				require.Equal(t, want, reasons(batch))
				require.Equal(t, []int64{5}, times(r, a))
				require.Equal(t, []int64{1}, times(r, b))
				require.Equal(t, []int64{1}, times(r, c.named("c")))
				require.Empty(t, r.Violations())
			})
		})
	}
	f(receiver.Modern, func(c *Config) { c.RemoteWrite.Protocol = protocolAuto }, "refused")
	f(receiver.MimirLike, func(c *Config) { c.RemoteWrite.PartialAccept = partialYes }, "refused?")
	f(receiver.ThanosLike, nil, "refused?", "refused?", "refused?")
}

func TestARequestThatIsTooLargeIsHalvedAndTheSizeIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := receiver.New(receiver.Config{MaxRequestBytes: 2000})
		w := start(t, r.RoundTripper(), nil)
		b := deliver(w, grid(1000, 1)...)
		require.Empty(t, b.Refused())
		require.Equal(t, 1000, stored(r))
		tries := len(r.Requests())

		b = deliver(w, grid(1000, 2)...)
		require.Empty(t, b.Refused())
		require.Equal(t, 2000, stored(r))
		for _, q := range r.Requests()[tries:] {
			require.Equal(t, http.StatusNoContent, q.Status, "the size was not kept")
		}
		require.Empty(t, r.Violations())
	})
}

func TestASampleThatIsTooLargeAloneIsRefusedAndTheOthersAreNotSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := catalogue{}
		r := clockwork(receiver.Modern, 0)
		r.SetHook(func(q *receiver.Request) receiver.Answer {
			for _, s := range q.Series {
				if s.Labels.Has("long") {
					return status(http.StatusRequestEntityTooLarge)
				}
			}
			return receiver.Answer{}
		})
		w := start(t, r.RoundTripper(), nil)
		long := sample(c.series("__name__", "x", "long", strings.Repeat("y", 4000)), 1, 1)
		b := deliver(w, append(grid(500, 1), long)...)
		require.Equal(t, []string{"too_large"}, reasons(b))
		require.Equal(t, 500, stored(r))
		require.Greater(t, w.shards[0].maxBytes, 2000)
	})
}
