package writer

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// counting answers with a status and these *-Written headers, given as kind, count,
// kind, count, and so on. Nothing is stored.
func counting(code int, counts ...string) receiver.Answer {
	a := receiver.Answer{Status: code, Header: http.Header{}}
	for i := 0; i < len(counts); i += 2 {
		a.Header.Set("X-Prometheus-Remote-Write-"+counts[i]+"-Written", counts[i+1])
	}
	return a
}

// TestSenderMayRetryOn429 for as long as it comes, and the same bytes.
// TestSenderMayHonourRetryAfter in seconds and as a date, whatever the status, and
// five minutes at most.
func TestSenderMustIgnoreTheBodyOf2xx(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		for _, body := range []string{`out of order sample for series {__name__="x"}`, "error: nothing was stored", strings.Repeat("\x00", 1<<20)} {
			r := clockwork(receiver.Modern, 0)
			a := counting(200, "Samples", "1")
			a.Body = body
			r.SetHook(script(a, a))
			w := start(t, overHTTP(t, r), speaking(t.protocol))
			c := catalogue{}
			require.Empty(t, deliver(w, sample(c.named("x"), 1, 1)).Refused())
			require.Empty(t, deliver(w, sample(c.named("x"), 2, 1)).Refused(), "nor does it disturb what comes next")
			require.Len(t, r.Requests(), 2)
			require.Equal(t, map[string]int64{"written": 2}, totals(w))
		}
	})
}

// TestSenderMustNotRetryOn4xxExcept429 looks at every 4xx. Those that judge the data
// are final. All others are about who asks, where and how: dropping data for them
// would lose it where a password has expired, so that they are tried again, slowly.
// TestSenderMustNotLetTheErrorTextDecideWhatIsSent refuses two samples of ten in
// different words. They may decide what is said about samples, but not which are
// sent.
func TestSenderMustNotLetTheErrorTextDecideWhatIsSent(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		c := catalogue{}
		samples := make([]transform.Sample, 10)
		for i := range samples {
			samples[i] = sample(c.named(strings.Repeat("x", i+1)), 1, 1)
		}
		sent := func(body string) (hashes []uint64) {
			r := clockwork(receiver.Modern, 0)
			r.SetHook(func(q *receiver.Request) receiver.Answer {
				if !slices.ContainsFunc(q.Series, func(s receiver.Series) bool {
					return slices.Contains([]string{"xxx", "xxxxxxx"}, s.Labels.Get("__name__"))
				}) {
					return receiver.Answer{}
				}
				a := counting(400, "Samples", "8")
				a.Body = body
				return a
			})
			deliver(start(t, overHTTP(t, r), speaking(t.protocol)), samples...)
			for _, q := range r.Requests() {
				hashes = append(hashes, q.Hash)
			}
			return hashes
		}
		want := sent("")
		for _, body := range []string{
			`out of order sample for series {__name__="xxx"}`,
			`out of order sample for series {__name__="x"}`,
			"internal error, please retry later", "snappy: corrupt input", strings.Repeat("\x00", 100),
		} {
			require.Equal(t, want, sent(body), body)
		}
	})
}

func TestSenderShouldLogTheErrorText(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		for _, code := range []int{400, 401, 409, 413, 422, 429, 500} {
			core, logs := observer.New(zapcore.InfoLevel)
			r := clockwork(receiver.Modern, 0)
			r.SetHook(script(receiver.Answer{Status: code, Body: "the tide is too high"}))
			w, err := New(configure(speaking(t.protocol)), Options{Logger: zap.New(core), transport: overHTTP(t, r)})
			require.NoError(t, err)
			c := catalogue{}
			deliver(w, sample(c.named("x"), 1, 1), sample(c.named("y"), 1, 1))
			drained(w, 0)
			require.NotEmpty(t, logs.Filter(func(e observer.LoggedEntry) bool {
				text, _ := e.ContextMap()["receiver"].(string)
				return strings.HasSuffix(text, ": the tide is too high")
			}).All(), "%d", code)
		}
	})
}

func TestSenderCanTakeAMissingCountForZero(t *testing.T) {
	f := func(a receiver.Answer) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(receiver.Modern, 0)
			r.SetHook(script(a))
			c := catalogue{}
			w := start(t, overHTTP(t, r), speaking(protocolV2))
			b := deliver(w, sample(c.named("x"), 1, 1), sample(c.named("y"), 1, 1))
			require.Len(t, r.Requests(), 1)
			require.Equal(t, []string{"refused", "refused"}, reasons(b))
		})
	}
	f(counting(204, "Histograms", "0"))
	f(counting(400, "Exemplars", "3"))
	f(counting(400))
}

func TestSenderMustNotTakeAMissingCountForZeroUnder1_0(t *testing.T) {
	for _, a := range []receiver.Answer{counting(204), counting(204, "Histograms", "0"), counting(200, "Samples", "0")} {
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(receiver.Modern, 0)
			r.SetHook(script(a))
			w := start(t, overHTTP(t, r), speaking(protocolV1))
			require.Empty(t, deliver(w, sample(catalogue{}.named("x"), 1, 1)).Refused())
			require.Len(t, r.Requests(), 1)
			require.Equal(t, map[string]int64{"written": 1}, totals(w))
		})
	}
}

func TestSenderMustNotTakeTheVersionFromResponseHeaders(t *testing.T) {
	f := func(b receiver.Behaviour, version, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(b, 0)
			r.SetHook(func(*receiver.Request) receiver.Answer {
				return receiver.Answer{Header: http.Header{"X-Prometheus-Remote-Write-Version": {version}}}
			})
			c := catalogue{}
			w := start(t, overHTTP(t, r), auto)
			deliver(w, sample(c.named("x"), 1, 1))
			deliver(w, sample(c.named("x"), 2, 1))
			require.Equal(t, []string{"2.0 empty", want, want}, protocols(r))
			require.Equal(t, []int64{1, 2}, times(r, c.named("x")))
		})
	}
	f(receiver.Legacy, "2.0.0", protocolV1)
	f(receiver.Modern, "0.1.0", protocolV2)
}

// TestSenderShouldTake2xxWithoutACountFor415 whether it has spoken 2.0 before or not.
func TestSenderShouldTake2xxWithoutACountFor415(t *testing.T) {
	for _, code := range []int{200, 202, 204} {
		fallsBack(t, status(code))
	}
}

// TestSenderMayFallBackOn415 at once, for good, and with the headers of 1.0.
func TestSenderMayFallBackOn415(t *testing.T) { fallsBack(t, status(415)) }

// fallsBack has a receiver that once spoke 2.0 answer like this: the same samples come
// again as 1.0 without a wait, and so does all that follows.
func fallsBack(t *testing.T, answer receiver.Answer) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(receiver.Answer{}, answer))
		w := start(t, overHTTP(t, r), auto)
		c := catalogue{}
		begin := time.Now()
		require.Empty(t, deliver(w, sample(c.named("x"), 1, 1)).Refused())
		require.Zero(t, time.Since(begin))
		deliver(w, sample(c.named("x"), 2, 1))
		require.Equal(t, []string{"2.0 empty", "2.0", "1.0", "1.0"}, protocols(r))
		require.Equal(t, []int64{1, 2}, times(r, c.named("x")))
		require.Empty(t, r.Violations())
		require.Equal(t, map[string]int64{"written": 2}, totals(w))
	})
}

// TestSenderShouldExpect400From1xReceivers to a message that they cannot read: no
// sample is blamed for it.
func TestSenderShouldExpect400From1xReceivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Legacy, 0)
		nonsense := func(q *receiver.Request) receiver.Answer {
			if q.Protocol == receiver.V2 {
				return receiver.Answer{Status: 400, Body: "proto: wrong wireType = 0"}
			}
			return receiver.Answer{}
		}
		r.SetHook(nonsense)
		c := catalogue{}
		w := start(t, overHTTP(t, r), auto)
		require.Empty(t, deliver(w, sample(c.named("x"), 1, 1)).Refused())
		require.Equal(t, []string{"2.0 empty", "1.0"}, protocols(r))

		r = clockwork(receiver.Modern, 0)
		w = start(t, overHTTP(t, r), auto)
		deliver(w, sample(c.named("x"), 1, 1))
		r.SetHook(nonsense) // Somebody has gone back to an older version.
		require.Empty(t, deliver(w, sample(c.named("x"), 2, 1)).Refused())
		require.Equal(t, []string{"2.0 empty", "2.0", "2.0", "2.0 empty", "1.0"}, protocols(r))
		require.Equal(t, []int64{1, 2}, times(r, c.named("x")))
	})
}
