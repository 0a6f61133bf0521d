package writer

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// protocols are those of the requests, with the number of samples.
func protocols(r *receiver.Receiver) (list []string) {
	for _, q := range r.Requests() {
		text := string(q.Protocol)
		if q.Samples == 0 {
			text += " empty"
		}
		list = append(list, text)
	}
	return list
}

func auto(c *Config) { c.RemoteWrite.Protocol = protocolAuto }

func TestTheReceiverIsAskedWhatItSpeaks(t *testing.T) {
	f := func(behaviour receiver.Behaviour, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(behaviour, 0)
			w := start(t, r.RoundTripper(), auto)
			require.Equal(t, "auto", w.Status().Protocol)
			c := catalogue{}
			deliver(w, sample(c.named("x"), 1, 1))
			deliver(w, sample(c.named("x"), 2, 1))
			require.Equal(t, []string{"2.0 empty", want, want}, protocols(r))
			require.Equal(t, want, w.Status().Protocol)
			require.Equal(t, []int64{1, 2}, times(r, c.named("x")))
		})
	}
	f(receiver.Modern, "2.0")
	f(receiver.Legacy, "1.0")
	f(receiver.VictoriaLike, "1.0")
	f(receiver.MimirLike, "1.0")
	f(receiver.ThanosLike, "1.0")
}

func TestAnAnswerThatTellsNothingLeavesTheQuestionOpen(t *testing.T) {
	for _, code := range []int{401, 403, 404, 409, 413, 422, 429, 500, 503, 302} {
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(receiver.Modern, 0)
			r.SetHook(script(status(code), status(code)))
			w := start(t, r.RoundTripper(), auto)
			deliver(w, sample(catalogue{}.named("x"), 1, 1))
			require.Equal(t, []string{"2.0 empty", "2.0 empty", "2.0 empty", "2.0"}, protocols(r))
			require.Empty(t, r.Requests()[3].Attempt, "the samples are sent for the first time")
		})
	}
}

func TestA400ToTheQuestionMeans1_0(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(status(400)))
		deliver(start(t, r.RoundTripper(), auto), sample(catalogue{}.named("x"), 1, 1))
		require.Equal(t, []string{"2.0 empty", "1.0"}, protocols(r))
	})
}

// A receiver of 2.0 counts what it has written also where it refuses. A 400 without a
// count may come from one that has been replaced by an older version, to which 2.0
// is nonsense: it is asked again before any sample is blamed.
func TestARefusalWithoutACountHasTheReceiverAskedAgain(t *testing.T) {
	f := func(answers []receiver.Answer, requests, refused []string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(receiver.Modern, 0)
			r.SetHook(script(answers...))
			w := start(t, r.RoundTripper(), auto)
			b := deliver(w, sample(catalogue{}.named("x"), 1, 1))
			require.Equal(t, requests, protocols(r))
			require.Equal(t, refused, reasons(b))
		})
	}
	as, bad := receiver.Answer{}, status(400)
	f([]receiver.Answer{as, bad, bad, as}, []string{"2.0 empty", "2.0", "2.0 empty", "1.0"}, nil)
	f([]receiver.Answer{as, bad, as, as}, []string{"2.0 empty", "2.0", "2.0 empty", "2.0"}, nil)
	f([]receiver.Answer{as, bad, as, bad}, []string{"2.0 empty", "2.0", "2.0 empty", "2.0"}, []string{"refused"})
}

func TestShardsAskTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(receiver.Answer{Before: time.Second}))
		w := start(t, r.RoundTripper(), func(c *Config) { auto(c); c.Shards = 8 })
		deliver(w, grid(100, 1)...)
		require.Len(t, r.Requests(), 9)
		require.Equal(t, "2.0 empty", protocols(r)[0])
	})
}

func TestSamplesThatAnOldReceiverHasSwallowedAreSentAgain(t *testing.T) {
	for _, answer := range []receiver.Answer{status(http.StatusNoContent), status(http.StatusUnsupportedMediaType)} {
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(receiver.Modern, 0)
			r.SetHook(script(receiver.Answer{}, answer))
			w := start(t, r.RoundTripper(), auto)
			c := catalogue{}
			deliver(w, sample(c.named("x"), 1, 1))
			require.Equal(t, []string{"2.0 empty", "2.0", "1.0"}, protocols(r))
			require.Equal(t, []int64{1}, times(r, c.named("x")))
			require.Zero(t, w.Status().BackingOff)
		})
	}
}

func TestTheReceiverIsAskedAgainAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		w := start(t, r.RoundTripper(), auto)
		c := catalogue{}
		deliver(w, sample(c.named("x"), 1, 1))
		time.Sleep(time.Second)
		r.SetHook(script(status(503), receiver.Answer{Drop: true}, receiver.Answer{}, status(400)))
		deliver(w, sample(c.named("x"), 2, 1))
		deliver(w, sample(c.named("x"), 3, 1))
		deliver(w, sample(c.named("x"), 4, 1))
		require.Equal(t, []string{"2.0 empty", "2.0", "2.0", "2.0", "2.0", "2.0 empty", "1.0", "1.0"}, protocols(r))
	})
}

func TestAProtocolThatIsConfiguredIsNeverLeft(t *testing.T) {
	f := func(protocol string, answer receiver.Answer) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(receiver.Modern, 0)
			r.SetHook(script(answer, answer))
			w := start(t, r.RoundTripper(), func(c *Config) { c.RemoteWrite.Protocol = protocol })
			b := submit(w, sample(catalogue{}.named("x"), 1, 1))
			time.Sleep(time.Second)
			_, bad := w.Misconfigured()
			require.True(t, bad)
			<-b.Landed()
			require.Equal(t, []string{protocol, protocol, protocol}, protocols(r))
		})
	}
	f(protocolV1, status(415))
	f(protocolV2, status(415))
	f(protocolV2, status(204))
}

func TestAReceiverThatHasForgotten1_0IsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(status(400), receiver.Answer{}, status(415)))
		w := start(t, r.RoundTripper(), auto)
		c := catalogue{}
		deliver(w, sample(c.named("x"), 1, 1))
		deliver(w, sample(c.named("x"), 2, 1))
		require.Equal(t, []string{"2.0 empty", "1.0", "1.0", "2.0 empty", "2.0"}, protocols(r))
	})
}

func TestProbeTellsHowTheReceiverTakesAnEmptyRequest(t *testing.T) {
	f := func(behaviour receiver.Behaviour, protocol string, answer receiver.Answer, want ProbeResult, problem string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(behaviour, 0)
			answer.Before = 50 * time.Millisecond
			r.SetHook(script(answer))
			w := start(t, r.RoundTripper(), func(c *Config) { c.RemoteWrite.Protocol = protocol })
			got, err := w.Probe(t.Context())
			want.Latency = 50 * time.Millisecond
			require.Equal(t, want, got)
			if problem == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, problem)
		})
	}
	f(receiver.Modern, protocolAuto, receiver.Answer{}, ProbeResult{Protocol: "2.0", Status: 204}, "")
	f(receiver.Legacy, protocolAuto, receiver.Answer{}, ProbeResult{Protocol: "1.0", Status: 204}, "")
	f(receiver.MimirLike, protocolAuto, receiver.Answer{}, ProbeResult{Protocol: "1.0", Status: 415}, "")
	f(receiver.Modern, protocolV1, receiver.Answer{}, ProbeResult{Protocol: "1.0", Status: 204}, "")
	f(receiver.Modern, protocolV2, receiver.Answer{}, ProbeResult{Protocol: "2.0", Status: 204}, "")
	f(receiver.Legacy, protocolV2, receiver.Answer{}, ProbeResult{Protocol: "2.0", Status: 204},
		"the receiver does not speak remote write 2.0: it answers 204 No Content")
	f(receiver.Modern, protocolAuto, receiver.Answer{Status: 403, Body: "who are you"}, ProbeResult{Protocol: "2.0", Status: 403},
		"the receiver answers 403 Forbidden: who are you")
	f(receiver.Modern, protocolV1, status(404), ProbeResult{Protocol: "1.0", Status: 404}, "the receiver answers 404 Not Found")
	f(receiver.Modern, protocolAuto, receiver.Answer{Drop: true}, ProbeResult{Protocol: "2.0"},
		"sending the request: reading the answer: unexpected EOF")
}

func TestStatusTellsHowTheWriterIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := clockwork(receiver.Modern, 0)
		w := start(t, r.RoundTripper(), func(c *Config) {
			c.Retry.MinBackoff, c.Retry.MaxBackoff, c.Shards = time.Hour, time.Hour, 1
		})
		c := catalogue{}
		deliver(w, sample(c.named("x"), 1, 1))
		require.Equal(t, Status{URL: "http://receiver.test/api/v1/write", Protocol: "1.0", Shards: 1, SamplesWritten: 1, LastLanding: begin}, w.Status())

		time.Sleep(time.Second)
		r.SetHook(script(receiver.Answer{Status: 503, Body: "later", Header: http.Header{"Retry-After": {"60"}}}))
		b := submit(w, sample(c.named("x"), 2, 1), sample(c.named("y"), 2, 1))
		synctest.Wait()
		require.Equal(t, Status{
			URL: "http://receiver.test/api/v1/write", Protocol: "1.0", Shards: 1, LastLanding: begin,
			SamplesWritten: 1, PendingSamples: 2, BackingOff: 1, LastError: "503 Service Unavailable: later", LastErrorAt: begin.Add(time.Second),
		}, w.Status())
		<-b.Landed()
		require.Equal(t, begin.Add(61*time.Second), w.Status().LastLanding)
		require.Zero(t, w.Status().BackingOff)
	})
}

func TestTheMessageOfPrometheusDecidesAboutTheProtocolToo(t *testing.T) {
	f := func(protocol, message string, want string) {
		t.Helper()
		require.Equal(t, want, RemoteWriteConfig{Protocol: protocol, ProtobufMessage: message}.protocol().String())
	}
	f(protocolAuto, "", "auto")
	f(protocolV1, "", "1.0")
	f(protocolV2, "", "2.0")
	f(protocolAuto, messageV1, "1.0")
	f(protocolAuto, messageV2, "2.0")
}
