package writer

import (
	"fmt"
	"math"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/golang/snappy"
	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// one is a record like any other.
const one = `{"v":1,"l":{"__name__":"x","a":"1"}}`

func TestSenderMustPostToTheURL(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		p := &tap{next: clockwork(receiver.Modern, 0)}
		w := start(t, overHTTP(t, p), func(c *Config) {
			c.RemoteWrite.Protocol = t.protocol
			c.RemoteWrite.URL.URL = &url.URL{Scheme: "http", Host: "receiver.test:9009", Path: "/any/path", RawQuery: "tenant=a%20b"}
		})
		pass(t, mapper(t, "sanitize"), w, one)
		require.Len(t, p.requests, 1)
		require.Equal(t, http.MethodPost, p.requests[0].Method)
		require.Equal(t, "receiver.test:9009", p.requests[0].Host)
		require.Equal(t, "/any/path", p.requests[0].URL.Path)
		require.Equal(t, "tenant=a%20b", p.requests[0].URL.RawQuery)
	})
}

// requireHeader requires one value of a header, on each attempt of a request.
func requireHeader(t underProtocol, name, want string) {
	t.Helper()
	r := clockwork(receiver.Modern, 0)
	r.SetHook(script(status(503), receiver.Answer{Drop: true}))
	p := &tap{next: r}
	pass(t, mapper(t, "sanitize"), start(t, overHTTP(t, p), speaking(t.protocol)), one)
	require.Len(t, p.requests, 3)
	for _, q := range p.requests {
		require.Equal(t, []string{want}, q.Header.Values(name))
	}
}

func TestSenderMustSendContentEncodingSnappy(t *testing.T) {
	underBoth(t, func(t underProtocol) { requireHeader(t, "Content-Encoding", "snappy") })
}

func TestSenderMustSendTheMediaTypeOfProtobuf(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		media, parameters, err := mime.ParseMediaType(sent(t, one)[0].Header.Get("Content-Type"))
		require.NoError(t, err)
		require.Equal(t, "application/x-protobuf", media)
		delete(parameters, "proto")
		require.Empty(t, parameters, "no other parameter is allowed")
	})
}

func TestSenderShouldSendThePlainContentTypeTo1xReceivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requireHeader(underProtocol{T: t, protocol: protocolV1}, "Content-Type", "application/x-protobuf")
	})
}

func TestSenderShouldNameTheMessageTo2xReceivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requireHeader(underProtocol{T: t, protocol: protocolV2}, "Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
	})
}

func TestSenderMustSendVersion0_1_0To1xReceivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requireHeader(underProtocol{T: t, protocol: protocolV1}, "X-Prometheus-Remote-Write-Version", "0.1.0")
	})
}

func TestSenderShouldSendItsNewestVersionOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requireHeader(underProtocol{T: t, protocol: protocolV2}, "X-Prometheus-Remote-Write-Version", "2.0.0")
	})
}

func TestSenderMustSendAUserAgent(t *testing.T) {
	underBoth(t, func(t underProtocol) { requireHeader(t, "User-Agent", "kafka2prom/test") })
}

// TestSenderShouldSendAUserAgentOfRFC9110 has versions as a build gives them: a
// product is a token, a slash and a token, and nothing of the version may end it
// early.
func TestSenderShouldSendAUserAgentOfRFC9110(t *testing.T) {
	for _, version := range []string{"v1.2.3", "v0.9.0-12-g7fe9c0a-dirty", "unknown"} {
		c := newClient(configure(nil).RemoteWrite, nil, version)
		for p := range c.headers {
			require.Regexp(t, "^[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+$", c.headers[p].Get("User-Agent"))
		}
	}
}

// overSocket starts a writer with the transport of the program.
func overSocket(t *testing.T, h http.Handler, change func(*RemoteWriteConfig)) *Writer {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	target, err := url.Parse(srv.URL)
	require.NoError(t, err)
	return start(t, nil, func(c *Config) {
		c.RemoteWrite.URL = &commoncfg.URL{URL: target}
		change(&c.RemoteWrite)
	})
}

func TestSenderMustNotLetUsersSetReservedHeaders(t *testing.T) {
	for _, name := range []string{
		"Content-Encoding", "Content-Type", "X-Prometheus-Remote-Write-Version", "User-Agent", "Retry-Attempt",
		"content-type", "CONTENT-ENCODING", "x-prometheus-remote-write-version", "user-agent",
	} {
		for _, change := range []func(*RemoteWriteConfig){
			func(c *RemoteWriteConfig) { c.Headers = map[string]string{name: "mine"} },
			func(c *RemoteWriteConfig) {
				c.HTTPClientConfig.HTTPHeaders = &commoncfg.Headers{Headers: map[string]commoncfg.Header{name: {Values: []string{"mine"}}}}
			},
		} {
			_, err := New(configure(func(c *Config) { change(&c.RemoteWrite) }), Options{transport: http.DefaultTransport})
			require.Error(t, err, name)
			require.Contains(t, strings.ToLower(err.Error()), strings.ToLower(name))
		}
	}
}

func TestSenderMayLetUsersSetOtherHeaders(t *testing.T) {
	for _, protocol := range []string{protocolV1, protocolV2} {
		r := clockwork(receiver.Modern, 0)
		p := &tap{next: r}
		w := overSocket(t, p, func(c *RemoteWriteConfig) {
			c.Protocol, c.Headers = protocol, map[string]string{"X-Scope-OrgID": "plant"}
		})
		require.Empty(t, deliver(w, sample(catalogue{}.named("x"), 1, 1)).Refused())
		require.Equal(t, []string{"plant"}, p.requests[0].Header.Values("X-Scope-OrgID"))
		require.Empty(t, r.Violations(), "the reserved headers stay as they are")
	}
}

// TestSenderMustUseTheSnappyBlockFormat has a body that is larger than a chunk of
// the framed format, and one that does not get smaller.
func TestSenderMustUseTheSnappyBlockFormat(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		var many []string
		for i := range 50 {
			many = append(many, fmt.Sprintf(`{"v":1,"l":{"__name__":"x%d","a":%q}}`, i, strings.Repeat("long ", 800)))
		}
		for _, records := range [][]string{{one}, many} {
			q := sent(t, records...)[0]
			length, err := snappy.DecodedLen(q.body)
			require.NoError(t, err)
			require.Len(t, q.raw(t.T), length)
			require.NotContains(t, string(q.body), "sNaPpY", "the framed format")
			require.Equal(t, int64(len(q.body)), q.ContentLength)
		}
	})
}

// TestSenderMustSendTheSchemaOfTheMessage has each message decoded by the code that
// was made of the schema: what is not in it stays over, as an unknown field.
func TestSenderMustSendTheSchemaOfTheMessage(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		q := sent(t, one, `{"v":2.5,"l":{"__name__":"y","é":"1","b":"2"}}`, `{"v":"-Inf","l":{"__name__":"x","a":"1"}}`, `{"v":0,"l":{"__name__":"z"}}`)[0]
		if t.protocol == protocolV1 {
			again, err := q.message1(t.T).Marshal()
			require.NoError(t, err)
			require.Equal(t, again, q.raw(t.T))
			return
		}
		m := q.message2(t.T)
		require.Len(t, m.Timeseries, 3)
		require.Empty(t, m.XXX_unrecognized) //nolint:misspell // The name of the field.
		for _, ts := range m.Timeseries {
			require.Empty(t, ts.XXX_unrecognized) //nolint:misspell // The name of the field.
			require.Zero(t, ts.Metadata)
			for _, s := range ts.Samples {
				require.Empty(t, s.XXX_unrecognized) //nolint:misspell // The name of the field.
				require.Zero(t, s.StartTimestamp, "it is not known, and 0 stands for unset")
			}
		}
	})
}

func TestSenderShouldUse2_0WherePossible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		w := start(t, overHTTP(t, r), auto)
		deliver(w, sample(catalogue{}.named("x"), 1, 1))
		deliver(w, sample(catalogue{}.named("x"), 2, 1))
		require.Equal(t, []string{"2.0 empty", "2.0", "2.0"}, protocols(r))
		require.Empty(t, r.Violations())
	})
}

func TestSenderShouldUse1_0ForCompatibilityOnly(t *testing.T) {
	for _, b := range []receiver.Behaviour{receiver.Legacy, receiver.VictoriaLike, receiver.MimirLike, receiver.ThanosLike} {
		synctest.Test(t, func(t *testing.T) {
			r := clockwork(b, 0)
			w := start(t, overHTTP(t, r), auto)
			deliver(w, sample(catalogue{}.named("x"), 1, 1))
			deliver(w, sample(catalogue{}.named("x"), 2, 1))
			require.Equal(t, []string{"2.0 empty", "1.0", "1.0"}, protocols(r))
			require.Empty(t, r.Violations())
		})
	}
}

func TestSenderShouldSendManySeriesInOneRequest(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		w := start(t, overHTTP(t, r), speaking(t.protocol))
		require.Empty(t, deliver(w, grid(5000, 1, 2)...).Refused())
		require.Len(t, r.Requests(), 1)
		require.Len(t, r.Requests()[0].Series, 5000)
		require.Empty(t, r.Violations())
	})
}

// TestSenderMustSendInt64Milliseconds has the ends of what fits as well.
func TestSenderMustSendInt64Milliseconds(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.VictoriaLike, 0) // It takes any time.
		p := &tap{next: r}
		if t.protocol == protocolV2 {
			p.next = counts("3")
		}
		w := start(t, overHTTP(t, p), speaking(t.protocol))
		c := catalogue{}
		want := []int64{math.MinInt64, -1, 0, 1, 1_763_820_000_123, math.MaxInt64}
		for i := 0; i < len(want); i += 3 {
			deliver(w, sample(c.named("x"), want[i], 1), sample(c.named("x"), want[i+1], 1), sample(c.named("x"), want[i+2], 1))
		}
		var got []int64
		for _, q := range p.requests {
			for _, s := range q.samples(t) {
				got = append(got, s.Timestamp)
			}
		}
		require.Equal(t, want, got)
	})
}

func TestSenderMustSendFloat64Values(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		p := &tap{next: clockwork(receiver.Modern, 0)}
		w := start(t, overHTTP(t, p), speaking(t.protocol))
		want := []float64{
			0, math.Copysign(0, -1), 1, -1.5, 0.1, math.Pi, 1 << 53, 1<<53 + 2, math.MaxFloat64, -math.MaxFloat64,
			math.SmallestNonzeroFloat64, 1e-300, math.Inf(1), math.Inf(-1), math.Float64frombits(0x7ff8000000000001),
		}
		x := catalogue{}.named("x")
		b := &Batch{}
		for i, v := range want {
			b.Samples = append(b.Samples, sample(x, int64(i+1), v))
		}
		w.Submit(b)
		<-b.Landed()
		require.Len(t, p.requests, 1)
		got := p.requests[0].samples(t)
		require.Len(t, got, len(want))
		for i, v := range want {
			require.Equal(t, math.Float64bits(v), math.Float64bits(got[i].Value), "%g", v)
		}
	})
}

// counts answers 204 and this number of samples written, whatever comes.
func counts(written string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", written)
		w.WriteHeader(http.StatusNoContent)
	})
}
