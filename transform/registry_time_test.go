package transform

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// pipeListener is a network in memory, on which the clock of a synctest bubble goes
// on.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// virtualRegistry is a registry on virtual time.
type virtualRegistry struct {
	*srfake.Registry
	schemas *Schemas
	logs    *observer.ObservedLogs
	asked   int
	// status is what it answers instead of a schema, where it is set.
	status int
	// delay comes before each answer.
	delay time.Duration
}

func runVirtualRegistry(t *testing.T, cfg RegistryConfig, test func(*virtualRegistry)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := &virtualRegistry{Registry: srfake.NewRegistry()}
		v.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			v.asked++
			select {
			case <-time.After(v.delay):
			case <-r.Context().Done():
			}
			if v.status == 0 {
				return false
			}
			w.WriteHeader(v.status)
			return true
		})
		listener := newPipeListener()
		server := &http.Server{Handler: v.Handler(), ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(listener) }()
		defer func() { require.NoError(t, server.Close()) }()

		core, logs := observer.New(zap.InfoLevel)
		v.logs = logs
		cfg.URL = []string{"http://registry.test"}
		schemas, err := NewSchemas(cfg, zap.New(core), commoncfg.WithDialContextFunc(listener.dial))
		require.NoError(t, err)
		defer schemas.Close()
		v.schemas = schemas
		test(v)
	})
}

func (v *virtualRegistry) find(id uint32) error {
	_, err := v.schemas.find(context.Background(), id)
	return err
}

func TestRegistryUnknownIdsAreAskedForAgainAfterAWhile(t *testing.T) {
	runVirtualRegistry(t, RegistryConfig{NegativeTTL: 30 * time.Second}, func(v *virtualRegistry) {
		require.Error(t, v.find(5))
		v.SeedSchema("s", 1, 5, sr.Schema{Schema: `"int"`})
		time.Sleep(30*time.Second - time.Millisecond)
		require.Error(t, v.find(5))
		require.Equal(t, 1, v.asked)
		time.Sleep(time.Millisecond)
		require.NoError(t, v.find(5))
		require.Equal(t, 2, v.asked)

		time.Sleep(24 * time.Hour)
		require.NoError(t, v.find(5), "what is known stays known")
		require.Equal(t, 2, v.asked)
	})
}

func TestRegistryOutageIsWaitedOut(t *testing.T) {
	runVirtualRegistry(t, RegistryConfig{}, func(v *virtualRegistry) {
		v.SeedSchema("s", 1, 1, sr.Schema{Schema: `"int"`})
		v.SeedSchema("s", 2, 2, sr.Schema{Schema: `"long"`})
		require.NoError(t, v.find(1))
		v.status, v.asked = http.StatusServiceUnavailable, 0

		// A caller that comes back as soon as it may.
		start := time.Now()
		for time.Since(start) < 5*time.Minute {
			after := requireRetry(t, v.find(2), "looking up schema 2")
			require.LessOrEqual(t, after, maxRegistryBackoff)
			require.NoError(t, v.find(1), "an outage holds up new ids alone")
			time.Sleep(after)
		}
		require.Greater(t, v.asked, 30, "it is asked at least every ten seconds")
		require.Less(t, v.asked, 80, "and it is not hammered")
		require.Len(t, v.logs.FilterMessageSnippet("out of reach").All(), 1)

		v.status = 0
		time.Sleep(maxRegistryBackoff)
		require.NoError(t, v.find(2))
		require.Len(t, v.logs.FilterMessageSnippet("answers again").All(), 1)

		v.status = http.StatusServiceUnavailable
		after := requireRetry(t, v.find(3), "answers 503")
		require.LessOrEqual(t, after, minRegistryBackoff, "the back-off began anew")
	})
}

func TestRegistryRefusalsEndAnOutage(t *testing.T) {
	runVirtualRegistry(t, RegistryConfig{}, func(v *virtualRegistry) {
		v.status = http.StatusInternalServerError
		requireRetry(t, v.find(1), "answers 500")
		v.status = 0
		time.Sleep(minRegistryBackoff)
		var refusal *decodeError
		require.ErrorAs(t, v.find(1), &refusal)
		require.ErrorAs(t, v.find(2), &refusal)
	})
}

func TestRegistryLookUpsTakeNoLongerThanTheTimeout(t *testing.T) {
	runVirtualRegistry(t, RegistryConfig{Timeout: 3 * time.Second}, func(v *virtualRegistry) {
		v.delay = time.Hour
		start := time.Now()
		requireRetry(t, v.find(1), "deadline exceeded")
		require.Equal(t, 3*time.Second, time.Since(start))

		start = time.Now()
		require.ErrorContains(t, v.schemas.Ping(context.Background()), "deadline exceeded")
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestRegistryThatHangsLeavesTimeForTheNextURL(t *testing.T) {
	runVirtualRegistry(t, RegistryConfig{Timeout: 4 * time.Second}, func(v *virtualRegistry) {
		v.SeedSchema("s", 1, 1, sr.Schema{Schema: `"int"`})
		v.Intercept(func(http.ResponseWriter, *http.Request) bool {
			v.delay = 0 // The second URL answers.
			return false
		})
		registry := v.schemas.registry
		registry.nodes = append(registry.nodes, registry.nodes[0])
		v.delay = time.Hour
		start := time.Now()
		require.NoError(t, v.find(1))
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}
