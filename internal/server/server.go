// Package server is the program's own HTTP server: metrics, health, readiness and
// status.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// Pipeline is what the server asks each pipeline. All methods may be called at any
// time, from any goroutine.
type Pipeline interface {
	Name() string
	// Healthy fails when the pipeline is wedged and only a restart helps.
	Healthy(now time.Time) error
	// Ready fails while the pipeline does not do its work, for whatever reason.
	Ready() error
	// Status is a value for JSON, without secrets.
	Status() any
}

// Server serves until Close.
type Server struct {
	http      *http.Server
	log       *zap.Logger
	version   string
	started   time.Time
	pipelines atomic.Pointer[[]Pipeline]
}

// New makes a server for the metrics of a gatherer. It does not listen yet.
func New(gatherer prometheus.Gatherer, version string, log *zap.Logger) *Server {
	s := &Server{log: log, version: version, started: time.Now()}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /-/healthy", s.healthy)
	mux.HandleFunc("GET /-/ready", s.ready)
	mux.HandleFunc("GET /status", s.status)
	mux.HandleFunc("GET /{$}", s.index)
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	return s
}

// Listen binds a TCP address and serves in the background. It returns the
// address that was bound, which tells the port where it was 0.
func (s *Server) Listen(ctx context.Context, address string) (net.Addr, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on server.listen %s: %w", address, err)
	}
	go func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("serving metrics ended", zap.Error(err))
		}
	}()
	return listener.Addr(), nil
}

// Watch tells the server which pipelines there are. Before, it is not ready.
func (s *Server) Watch(pipelines []Pipeline) { s.pipelines.Store(&pipelines) }

// Close stops serving; open requests may finish until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return fmt.Errorf("closing the HTTP server: %w", err)
	}
	return nil
}

// Healthy reports the first pipeline that is wedged.
func (s *Server) Healthy(now time.Time) error {
	for _, p := range s.all() {
		if err := p.Healthy(now); err != nil {
			return fmt.Errorf("pipeline %s: %w", p.Name(), err)
		}
	}
	return nil
}

func (s *Server) all() []Pipeline {
	if p := s.pipelines.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.Healthy(time.Now()), "healthy")
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	pipelines := s.all()
	if len(pipelines) == 0 {
		answer(w, errors.New("starting"), "")
		return
	}
	var errs []error
	for _, p := range pipelines {
		if err := p.Ready(); err != nil {
			errs = append(errs, fmt.Errorf("pipeline %s: %w", p.Name(), err))
		}
	}
	answer(w, errors.Join(errs...), "ready")
}

func answer(w http.ResponseWriter, err error, good string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		good = err.Error()
	}
	fmt.Fprintln(w, good)
}

// status is everything that the program tells about itself, for people and
// scripts.
func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	type pipeline struct {
		Name   string `json:"name"`
		Ready  bool   `json:"ready"`
		Reason string `json:"reason,omitempty"`
		Status any    `json:"status"`
	}
	page := struct {
		Version   string     `json:"version"`
		Started   time.Time  `json:"started"`
		Pipelines []pipeline `json:"pipelines"`
	}{Version: s.version, Started: s.started, Pipelines: []pipeline{}}
	for _, p := range s.all() {
		err := p.Ready()
		row := pipeline{Name: p.Name(), Ready: err == nil, Status: p.Status()}
		if err != nil {
			row.Reason = err.Error()
		}
		page.Pipelines = append(page.Pipelines, row)
	}
	text, err := json.MarshalIndent(page, "", "  ")
	if err != nil {
		s.log.Error("describing the pipelines failed", zap.Error(err))
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintln(w, string(text))
}

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><title>kafka2prom</title><h1>kafka2prom %s</h1>
<p><a href="/metrics">metrics</a> · <a href="/status">status</a> · <a href="/-/healthy">healthy</a> · <a href="/-/ready">ready</a></p>
`, html.EscapeString(s.version))
}
