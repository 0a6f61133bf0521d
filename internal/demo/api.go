package demo

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// api is the part of Prometheus' HTTP API that Grafana and promtool need to
// query: instant and range queries, series, label names and label values.
type api struct {
	queryable storage.Queryable
	engine    *promql.Engine
	parser    parser.Parser
	now       func() time.Time
	version   string
}

// The limits of one query are those of Prometheus.
const (
	queryTimeout    = 2 * time.Minute
	queryMaxSamples = 50_000_000
	queryMaxPoints  = 11_000 // Of one series of a range query.
	lookback        = 5 * time.Minute
)

// newAPI makes a handler for the paths below /api/v1/ and for /-/healthy.
func newAPI(queryable storage.Queryable, now func() time.Time, version string) http.Handler {
	p := parser.NewParser(parser.Options{})
	a := &api{
		queryable: queryable,
		parser:    p,
		now:       now,
		version:   version,
		engine: promql.NewEngine(promql.EngineOpts{
			Logger:                   slog.New(slog.DiscardHandler),
			MaxSamples:               queryMaxSamples,
			Timeout:                  queryTimeout,
			LookbackDelta:            lookback,
			EnableAtModifier:         true,
			EnableNegativeOffset:     true,
			NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
			Parser:                   p,
		}),
	}
	mux := http.NewServeMux()
	for path, endpoint := range map[string]endpoint{
		"/api/v1/query":               a.query,
		"/api/v1/query_range":         a.queryRange,
		"/api/v1/series":              a.series,
		"/api/v1/labels":              a.labelNames,
		"/api/v1/label/{name}/values": a.labelValues,
		"/api/v1/metadata":            a.metadata,
		"/api/v1/status/buildinfo":    a.buildInfo,
	} {
		mux.Handle("GET "+path, endpoint)
		mux.Handle("POST "+path, endpoint)
	}
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("Healthy.\n"))
	})
	return mux
}

// endpoint answers with the data part of Prometheus' envelope, or with an error.
type endpoint func(r *http.Request) (any, annotations.Annotations, error)

// envelope is around every answer.
type envelope struct {
	Status    string   `json:"status"`
	Data      any      `json:"data,omitempty"`
	ErrorType string   `json:"errorType,omitempty"`
	Error     string   `json:"error,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Infos     []string `json:"infos,omitempty"`
}

// badData is an error in a parameter.
type badData struct{ error }

func (b badData) Unwrap() error { return b.error }

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		respond(w, http.StatusBadRequest, envelope{Status: "error", ErrorType: "bad_data", Error: err.Error()})
		return
	}
	data, notes, err := e(r)
	if err != nil {
		kind, status := classify(err)
		respond(w, status, envelope{Status: "error", ErrorType: kind, Error: err.Error()})
		return
	}
	warnings, infos := notes.AsStrings(r.FormValue("query"), 10, 10)
	respond(w, http.StatusOK, envelope{Status: "success", Data: data, Warnings: warnings, Infos: infos})
}

func respond(w http.ResponseWriter, status int, e envelope) {
	body, err := json.Marshal(e)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// classify gives an error the name and the status that Prometheus gives it.
func classify(err error) (kind string, status int) {
	const clientClosedConnection = 499 // Not an official one; Prometheus uses it.
	var (
		bad      badData
		canceled promql.ErrQueryCanceled
		timeout  promql.ErrQueryTimeout
		internal promql.ErrStorage
	)
	switch {
	case errors.As(err, &bad):
		return "bad_data", http.StatusBadRequest
	case errors.As(err, &canceled), errors.Is(err, context.Canceled):
		return "canceled", clientClosedConnection
	case errors.As(err, &timeout):
		return "timeout", http.StatusServiceUnavailable
	case errors.As(err, &internal):
		return "internal", http.StatusInternalServerError
	default:
		return "execution", http.StatusUnprocessableEntity
	}
}
