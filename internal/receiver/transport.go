package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// RoundTripper reaches the receiver without a socket, so that a sender and its
// receiver can live in one synctest bubble.
func (r *Receiver) RoundTripper() http.RoundTripper { return transport{receiver: r} }

type transport struct{ receiver *Receiver }

// RoundTrip returns when the answer is there or the request's context has ended.
// As over a network, the receiver goes on with a request whose sender has left.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(req.Context())
	served := req.Clone(ctx)
	served.Body = io.NopCloser(bytes.NewReader(body))
	answers := make(chan Answer, 1)
	go func() {
		defer cancel()
		answers <- t.receiver.serve(served)
	}()
	select {
	case <-req.Context().Done():
		return nil, req.Context().Err()
	case a := <-answers:
		if a.Drop {
			return nil, fmt.Errorf("reading the answer: %w", io.ErrUnexpectedEOF)
		}
		return a.response(req), nil
	}
}

// readBody takes the body over, and closes it as every RoundTripper must.
func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(req.Body)
	return body, errors.Join(err, req.Body.Close())
}

func (a Answer) response(req *http.Request) *http.Response {
	body := a.Body
	if body != "" {
		body += "\n" // As http.Error does.
	}
	header := a.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status)),
		StatusCode:    a.Status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}
}
