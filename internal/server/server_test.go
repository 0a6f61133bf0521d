package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// stub is a pipeline that says what it is told to.
type stub struct {
	name           string
	healthy, ready error
	status         any
}

func (s stub) Name() string            { return s.name }
func (s stub) Healthy(time.Time) error { return s.healthy }
func (s stub) Ready() error            { return s.ready }
func (s stub) Status() any             { return s.status }

func newServer(pipelines ...Pipeline) *Server {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "kafka2prom_test_total", Help: "One."}))
	s := New(registry, "1.2.3<b>", zap.NewNop())
	if len(pipelines) > 0 {
		s.Watch(pipelines)
	}
	return s
}

func (s *Server) ask(method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestEndpointsAnswer(t *testing.T) {
	fine, gone := stub{name: "a"}, errors.New("the receiver is gone")
	stuck := errors.New("work is pending")
	for name, c := range map[string]struct {
		pipelines []Pipeline
		path      string
		status    int
		body      string
	}{
		"healthy before there is a pipeline":    {nil, "/-/healthy", 200, "healthy\n"},
		"not ready before there is a pipeline":  {nil, "/-/ready", 503, "starting\n"},
		"healthy":                               {[]Pipeline{fine}, "/-/healthy", 200, "healthy\n"},
		"ready":                                 {[]Pipeline{fine}, "/-/ready", 200, "ready\n"},
		"not at work, and healthy all the same": {[]Pipeline{fine, stub{name: "b", ready: gone}}, "/-/healthy", 200, "healthy\n"},
		"every pipeline that is not ready": {
			[]Pipeline{stub{name: "a", ready: gone}, fine, stub{name: "c", ready: gone}},
			"/-/ready", 503,
			"pipeline a: the receiver is gone\npipeline c: the receiver is gone\n",
		},
		"the pipeline that is wedged": {[]Pipeline{fine, stub{name: "b", healthy: stuck}}, "/-/healthy", 503, "pipeline b: work is pending\n"},
		"metrics":                     {[]Pipeline{fine}, "/metrics", 200, "# HELP kafka2prom_test_total One.\n# TYPE kafka2prom_test_total counter\nkafka2prom_test_total 0\n"},
		"no other page":               {[]Pipeline{fine}, "/debug/pprof/", 404, "404 page not found\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newServer(c.pipelines...).ask(http.MethodGet, c.path)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.body, w.Body.String())
			require.Contains(t, w.Header().Get("Content-Type"), "text/plain")
		})
	}
}

func TestOnlyGetAndHeadAreAnswered(t *testing.T) {
	s := newServer(stub{name: "a"})
	for _, path := range []string{"/", "/metrics", "/status", "/-/healthy", "/-/ready"} {
		require.Equal(t, http.StatusOK, s.ask(http.MethodHead, path).Code, path)
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			require.Equal(t, http.StatusMethodNotAllowed, s.ask(method, path).Code, method+" "+path)
		}
	}
}

func TestTheIndexLinksToEveryPageAndEscapesTheVersion(t *testing.T) {
	body := newServer().ask(http.MethodGet, "/").Body.String()
	require.Contains(t, body, "1.2.3&lt;b&gt;")
	for _, path := range []string{"/metrics", "/status", "/-/healthy", "/-/ready"} {
		require.Contains(t, body, `href="`+path+`"`)
	}
}

func TestTheStatusIsJSONAboutEveryPipeline(t *testing.T) {
	s := newServer(
		stub{name: "a", status: map[string]int{"lag": 7}},
		stub{name: "b", ready: errors.New("not consuming")},
	)
	w := s.ask(http.MethodGet, "/status")
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var page struct {
		Version   string
		Started   time.Time
		Pipelines json.RawMessage
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
	require.Equal(t, "1.2.3<b>", page.Version)
	require.Equal(t, s.started.UnixNano(), page.Started.UnixNano())
	require.JSONEq(t, `[
		{"name": "a", "ready": true, "status": {"lag": 7}},
		{"name": "b", "ready": false, "reason": "not consuming", "status": null}
	]`, string(page.Pipelines))
}

func TestTheStatusBeforeThereIsAPipelineHasAnEmptyList(t *testing.T) {
	require.Contains(t, newServer().ask(http.MethodGet, "/status").Body.String(), `"pipelines": []`)
}

func TestAStatusThatIsNoJSONIsAnError(t *testing.T) {
	require.Equal(t, http.StatusInternalServerError,
		newServer(stub{name: "a", status: math.NaN()}).ask(http.MethodGet, "/status").Code)
}

func TestTheServerListensUntilItIsClosed(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	s := New(prometheus.NewRegistry(), "1", zap.New(core))
	address, err := s.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	get := func() (string, error) {
		resp, err := http.Get("http://" + address.String() + "/-/healthy")
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return strings.TrimSpace(string(body)), err
	}
	body, err := get()
	require.NoError(t, err)
	require.Equal(t, "healthy", body)
	http.DefaultClient.CloseIdleConnections()
	require.NoError(t, s.Close(context.Background()))
	_, err = get()
	require.Error(t, err)
	require.Zero(t, logs.Len(), "a server that is closed has not failed")
}

func TestAnAddressThatIsTakenIsNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = newServer().Listen(t.Context(), taken.Addr().String())
	require.ErrorContains(t, err, "listening on server.listen "+taken.Addr().String())
}
