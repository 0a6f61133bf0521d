package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

// registry is a schema registry that knows one schema.
type registry struct {
	url    string
	server *http.Server
}

// newRegistry starts it; close ends it.
func newRegistry() (*registry, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It binds at once.
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(fmt.Sprintf("GET /schemas/ids/%d", schemaID), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		_ = json.NewEncoder(w).Encode(map[string]string{"schema": avroSchema}) // Whoever asked has gone.
	})
	r := &registry{url: "http://" + listener.Addr().String(), server: &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}}
	go func() { _ = r.server.Serve(listener) }() // It ends with Close.
	return r, nil
}

func (r *registry) close() { _ = r.server.Close() } // Nobody asks any more.
