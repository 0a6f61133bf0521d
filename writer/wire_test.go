package writer

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// wire is a network in memory: what one end dials the other accepts. It keeps the
// time of a bubble, which sockets do not.
type wire struct {
	conns chan net.Conn
	cut   chan struct{}
	once  sync.Once
}

// Accept implements net.Listener.
func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.cut:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (w *wire) Close() error {
	w.once.Do(func() { close(w.cut) })
	return nil
}

// Addr implements net.Listener.
func (w *wire) Addr() net.Addr { return &net.UnixAddr{Name: "wire"} }

func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case w.conns <- theirs:
		return ours, nil
	case <-w.cut:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// overHTTP serves a handler with the server of net/http, and returns the client's
// end: every byte of a request and its answer goes over the wire.
func overHTTP(t tester, h http.Handler) http.RoundTripper {
	t.Helper()
	w := &wire{conns: make(chan net.Conn), cut: make(chan struct{})}
	srv := &http.Server{Handler: h}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(w) }()
	rt := &http.Transport{DialContext: w.dial, DisableCompression: true, MaxIdleConnsPerHost: 100}
	t.Cleanup(func() {
		rt.CloseIdleConnections()
		require.NoError(t, srv.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return rt
}

// tapped is a request as it came over the wire.
type tapped struct {
	*http.Request
	body []byte
}

// tap keeps every request before it hands it on.
type tap struct {
	next     http.Handler
	mu       sync.Mutex
	requests []tapped
}

// ServeHTTP implements http.Handler.
func (p *tap) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	p.requests = append(p.requests, tapped{Request: req.Clone(context.Background()), body: body})
	p.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(body))
	p.next.ServeHTTP(w, req)
}

// sent takes records through the mapper, the writer and HTTP, and returns what has
// come out at the other end. Nothing may be wrong with it.
func sent(t underProtocol, records ...string) []tapped {
	t.Helper()
	r := clockwork(receiver.Modern, 0)
	p := &tap{next: r}
	refused := pass(t, mapper(t, "sanitize"), start(t, overHTTP(t, p), speaking(t.protocol)), records...)
	require.Empty(t, refused)
	require.NotEmpty(t, p.requests)
	require.Empty(t, r.Violations())
	return p.requests
}

// raw is the body before compression.
func (q tapped) raw(t *testing.T) []byte {
	t.Helper()
	raw, err := snappy.Decode(nil, q.body)
	require.NoError(t, err)
	return raw
}

// message1 is the body as the message of 1.0.
func (q tapped) message1(t *testing.T) *prompb.WriteRequest {
	t.Helper()
	var m prompb.WriteRequest
	require.NoError(t, m.Unmarshal(q.raw(t)))
	return &m
}

// message2 is the body as the message of 2.0.
func (q tapped) message2(t *testing.T) *writev2.Request {
	t.Helper()
	var m writev2.Request
	require.NoError(t, m.Unmarshal(q.raw(t)))
	return &m
}

// samples are those of all series, in the order in which they stand.
func (q tapped) samples(t underProtocol) (all []receiver.Point) {
	t.Helper()
	if t.protocol == protocolV1 {
		for _, ts := range q.message1(t.T).Timeseries {
			for _, s := range ts.Samples {
				all = append(all, receiver.Point{Timestamp: s.Timestamp, Value: s.Value})
			}
		}
		return all
	}
	for _, ts := range q.message2(t.T).Timeseries {
		for _, s := range ts.Samples {
			all = append(all, receiver.Point{Timestamp: s.Timestamp, Value: s.Value})
		}
	}
	return all
}
