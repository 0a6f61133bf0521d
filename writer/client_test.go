package writer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// roundTripper is a transport made of a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// respond answers with a status, headers and a body, after reading the request.
func respond(status int, body string, headers ...string) roundTripper {
	return func(req *http.Request) (*http.Response, error) {
		defer req.Body.Close()
		if _, err := io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		h := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
	}
}

func clientTo(rt http.RoundTripper) *client {
	cfg := configure(nil).RemoteWrite
	cfg.setDefaults()
	return newClient(cfg, rt, "1.2.3")
}

func somePayload(p protocol) *payload {
	var e encoder
	return e.encode(itemsOf(sample(catalogue{}.named("x"), 1, 1)), p)
}

func TestARequestSaysWhatTheSpecificationAsksFor(t *testing.T) {
	f := func(p protocol, attempt int, want http.Header) {
		t.Helper()
		var got *http.Request
		c := clientTo(roundTripper(func(req *http.Request) (*http.Response, error) {
			got = req
			return respond(204, "")(req)
		}))
		payload := somePayload(p)
		c.post(t.Context(), payload, attempt)
		require.Equal(t, http.MethodPost, got.Method)
		require.Equal(t, "http://receiver.test/api/v1/write", got.URL.String())
		require.Equal(t, int64(len(payload.bytes)), got.ContentLength)
		require.Equal(t, want, got.Header)
	}
	v1 := http.Header{
		"Content-Encoding":                  {"snappy"},
		"Content-Type":                      {"application/x-protobuf"},
		"User-Agent":                        {"kafka2prom/1.2.3"},
		"X-Prometheus-Remote-Write-Version": {"0.1.0"},
	}
	v2 := v1.Clone()
	v2.Set("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
	v2.Set("X-Prometheus-Remote-Write-Version", "2.0.0")
	f(protocol1, 0, v1)
	f(protocol2, 0, v2)
	again := v1.Clone()
	again.Set("Retry-Attempt", "3")
	f(protocol1, 3, again)
}

func TestAnAnswerIsRead(t *testing.T) {
	f := func(rt roundTripper, want result) {
		t.Helper()
		p := somePayload(protocol2)
		got := clientTo(rt).post(t.Context(), p, 0)
		want.protocol, want.sent, want.raw, got.took = p.protocol, 1, p.raw, 0
		if len(got.body) == 0 {
			got.body = nil
		}
		require.Equal(t, want, got)
	}
	f(respond(204, "", "X-Prometheus-Remote-Write-Samples-Written", "1"),
		result{answer: answer{204, true, 1}, outcome: landed})
	f(respond(204, "ignored", "X-Prometheus-Remote-Write-Samples-Written", "0"),
		result{answer: answer{204, true, 0}, outcome: partial})
	f(respond(204, "", "X-Prometheus-Remote-Write-Histograms-Written", "0"),
		result{answer: answer{204, true, 0}, outcome: partial})
	f(respond(204, ""),
		result{answer: answer{status: 204}, outcome: unsupported, ambiguous: true})
	f(respond(204, "", "X-Prometheus-Remote-Write-Samples-Written", "-7"),
		result{answer: answer{204, true, 0}, outcome: partial})
	f(respond(400, "words", "X-Prometheus-Remote-Write-Samples-Written", "0"),
		result{answer: answer{400, true, 0}, outcome: refused, body: []byte("words")})
	f(respond(429, "slowly", "Retry-After", "7"),
		result{answer: answer{status: 429}, outcome: retry, retryAfter: 7 * time.Second, body: []byte("slowly")})
	f(respond(503, "later"),
		result{answer: answer{status: 503}, outcome: retry, ambiguous: true, body: []byte("later")})
	f(respond(302, "elsewhere", "Location", "http://elsewhere.test/"),
		result{answer: answer{status: 302}, outcome: misconfigured, body: []byte("elsewhere")})
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	endless := respond(400, "")
	body := &countingReader{Reader: neverEnding('x')}
	c := clientTo(roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := endless(req)
		resp.Body = io.NopCloser(body)
		return resp, err
	}))
	r := c.post(t.Context(), somePayload(protocol1), 0)
	require.Len(t, r.body, maxAnswer)
	require.LessOrEqual(t, body.n, 2*maxAnswer)
	require.LessOrEqual(t, len(r.words()), maxWords+64)
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

type countingReader struct {
	io.Reader
	n int
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += n
	return n, err
}

func TestAnAttemptEndsWithItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := func(read bool) {
			c := clientTo(roundTripper(func(req *http.Request) (*http.Response, error) {
				defer req.Body.Close()
				if read {
					_, _ = io.ReadAll(req.Body)
				}
				<-req.Context().Done()
				return nil, req.Context().Err()
			}))
			begin := time.Now()
			r := c.post(t.Context(), somePayload(protocol1), 0)
			require.Equal(t, retry, r.outcome)
			require.Equal(t, 30*time.Second, time.Since(begin))
			require.Equal(t, read, r.ambiguous)
			require.Equal(t, "waiting for an answer: none within 30s: context deadline exceeded", r.words())
		}
		f(true)
		f(false)
	})
}

func TestAnErrorOfTheTransportShowsNoURL(t *testing.T) {
	c := clientTo(roundTripper(func(req *http.Request) (*http.Response, error) {
		defer req.Body.Close()
		return nil, errors.New("connection refused")
	}))
	c.url = &url.URL{Scheme: "http", Host: "h", Path: "/", RawQuery: "token=secret"}
	r := c.post(t.Context(), somePayload(protocol1), 0)
	require.Equal(t, "sending the request: connection refused", r.words())
	require.False(t, r.ambiguous, "nothing was read")
}

func TestWordsOfAReceiverAreFitForPeople(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		require.Equal(t, want, clean(body))
	}
	f("out of order\n\tsample\r\n", "out of order sample")
	f("\x1b[31mred\x00", "[31mred")
	f("a\xffb", "a\uFFFDb")
	f(strings.Repeat("x", 2000), strings.Repeat("x", maxWords)+" …")
	f(strings.Repeat("é", 2000), strings.Repeat("é", maxWords/2)+" …")
	f("", "")
}

func TestATransportMayReadTheBodyAgain(t *testing.T) {
	p := somePayload(protocol1)
	c := clientTo(roundTripper(func(req *http.Request) (*http.Response, error) {
		again, err := req.GetBody() // As net/http does where a connection has turned out to be stale.
		require.NoError(t, err)
		require.NoError(t, req.Body.Close())
		require.Equal(t, int32(1), p.readers.Load())
		req.Body = again
		got, err := io.ReadAll(again)
		require.NoError(t, err)
		require.Equal(t, p.bytes, got)
		return respond(204, "")(req)
	}))
	require.Equal(t, landed, c.post(t.Context(), p, 0).outcome)
	require.Zero(t, p.readers.Load())
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	require.NoError(t, err)
	rt := &http.Transport{}
	defer rt.CloseIdleConnections()
	c := clientTo(rt)
	c.url = u
	r := c.post(context.Background(), somePayload(protocol1), 0)
	require.Equal(t, misconfigured, r.outcome)
	require.Equal(t, http.StatusTemporaryRedirect, r.status)
}
