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

func TestSenderMustRetryOn5xxWithBackoff(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		var answers []receiver.Answer
		for code := 500; code < 600; code++ {
			answers = append(answers, status(code))
		}
		r.SetHook(script(answers...))
		w := start(t, r.RoundTripper(), func(c *Config) {
			c.RemoteWrite.Protocol, c.Retry = t.protocol, RetryConfig{MinBackoff: time.Second, MaxBackoff: 8 * time.Second}
		})
		require.Empty(t, deliver(w, sample(catalogue{}.named("x"), 1, 1)).Refused())

		log := r.Requests()
		require.Len(t, log, len(answers)+1)
		longest := time.Second
		for i := 1; i < len(log); i++ {
			require.Equal(t, log[0].Hash, log[i].Hash)
			require.LessOrEqual(t, log[i].Time.Sub(log[i-1].Time), longest)
			longest = min(2*longest, 8*time.Second)
		}
		// The waits are drawn from all of the span, so that they come to half of it: 4 s
		// each, with a standard deviation of 23 s for all of them.
		require.Greater(t, log[len(log)-1].Time.Sub(log[0].Time), 200*time.Second)
	})
}

func TestSenderMustNotRetryOn2xx(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		for _, code := range []int{200, 201, 202, 203, 204, 206, 226, 299} {
			r := clockwork(receiver.Modern, 0)
			a := counting(code, "Samples", "1")
			a.Body = `out of order sample for series {__name__="x"}`
			a.Header.Set("Retry-After", "1")
			r.SetHook(script(a))
			w := start(t, r.RoundTripper(), speaking(t.protocol))
			require.Empty(t, deliver(w, sample(catalogue{}.named("x"), 1, 1)).Refused())
			require.Len(t, r.Requests(), 1, "%d", code)
			require.Equal(t, map[string]int64{"written": 1}, totals(w))
		}
	})
}

// TestSenderMustNotRetryOn4xxExcept429 looks at every 4xx. Those that judge the data
// are final. All others are about who asks, where and how: dropping data for them
// would lose it where a password has expired, so that they are tried again, slowly.
func TestSenderMustNotRetryOn4xxExcept429(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		var final []int
		for code := 400; code < 500; code++ {
			r := clockwork(receiver.Modern, 0)
			r.SetHook(script(status(code)))
			w := start(t, r.RoundTripper(), speaking(t.protocol))
			b := deliver(w, sample(catalogue{}.named("x"), 1, 1))
			if len(r.Requests()) == 1 {
				final = append(final, code)
				require.Len(t, b.Refused(), 1, "%d", code)
				continue
			}
			require.Len(t, r.Requests(), 2, "%d", code)
			require.Equal(t, r.Requests()[0].Hash, r.Requests()[1].Hash, "%d", code)
			require.Empty(t, b.Refused(), "%d", code)
		}
		require.Equal(t, []int{400, 409, 413, 422}, final)
	})
}

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
			deliver(start(t, r.RoundTripper(), speaking(t.protocol)), samples...)
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
			w, err := New(configure(speaking(t.protocol)), Options{Logger: zap.New(core), transport: r.RoundTripper()})
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
			w := start(t, r.RoundTripper(), speaking(protocolV2))
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
			w := start(t, r.RoundTripper(), speaking(protocolV1))
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
			w := start(t, r.RoundTripper(), auto)
			deliver(w, sample(c.named("x"), 1, 1))
			deliver(w, sample(c.named("x"), 2, 1))
			require.Equal(t, []string{"2.0 empty", want, want}, protocols(r))
			require.Equal(t, []int64{1, 2}, times(r, c.named("x")))
		})
	}
	f(receiver.Legacy, "2.0.0", protocolV1)
	f(receiver.Modern, "0.1.0", protocolV2)
}

func TestSenderMustRetryTheWholeRequestAfterAPartialWrite(t *testing.T) {
	for _, code := range []int{429, 500, 503} {
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(receiver.Modern, 0)
			a := counting(code, "Samples", "1")
			a.Body = `out of order sample for series {__name__="y"}`
			r.SetHook(script(a))
			c := catalogue{}
			w := start(t, r.RoundTripper(), speaking(protocolV2))
			require.Empty(t, deliver(w, sample(c.named("x"), 1, 1), sample(c.named("y"), 1, 1)).Refused())
			log := r.Requests()
			require.Len(t, log, 2)
			require.Equal(t, log[0].Hash, log[1].Hash)
			require.Equal(t, 2, log[1].Samples)
		})
	}
}
