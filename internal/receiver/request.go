package receiver

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
)

// Protocol is the version of remote write that a request speaks.
type Protocol string

// The protocols, named as their specifications are.
const (
	V1 Protocol = "1.0"
	V2 Protocol = "2.0"
)

// Request is the log entry of one request.
type Request struct {
	// Number counts from 1 in the order of arrival.
	Number   int
	Time     time.Time
	Protocol Protocol
	// Attempt is the Retry-Attempt header, empty on a first attempt.
	Attempt string
	Header  http.Header
	// Bytes is the length of the compressed body and Hash is xxhash over it: a
	// retry has the hash of the attempt before it.
	Bytes int
	Hash  uint64
	// Series are the series of the request in wire order, also of one that was
	// refused. They must not be changed.
	Series []Series
	// Samples counts the samples that were sent, and Written those that were
	// stored (both without native histograms, which are not spoken here).
	Samples int
	Written int
	// Status of the answer; 0 while the request is in flight and where the
	// connection was dropped.
	Status int
}

// Series is one series of a request.
type Series struct {
	// Labels are sorted, as Prometheus sees them.
	Labels labels.Labels
	Points []Point

	name string         // The labels in Prometheus' notation.
	raw  []labels.Label // In wire order.
	err  error          // The labels cannot be read: a reference out of the symbols.
}

// Point is one sample. The time is in milliseconds since the Unix epoch.
type Point struct {
	Timestamp int64
	Value     float64
}

// read takes a request in. The answer is set where the request cannot be
// dealt with at all.
func (r *Receiver) read(req *http.Request) (*Request, message, *Answer) {
	q := &Request{
		Time:     r.cfg.Now(),
		Protocol: protocolOf(req.Header),
		Attempt:  req.Header.Get("Retry-Attempt"),
		Header:   req.Header.Clone(),
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, int64(r.cfg.MaxRequestBytes)+1))
	if err != nil {
		return q, message{}, &Answer{Status: http.StatusBadRequest, Body: err.Error()}
	}
	q.Bytes, q.Hash = len(body), xxhash.Sum64(body)
	if answer := r.unacceptable(req, q); answer != nil {
		return q, message{violations: headerViolations(req, q.Protocol)}, answer
	}
	found := headerViolations(req, q.Protocol)
	plain, err := uncompress(body)
	if err != nil {
		return q, message{violations: append(found, bodyViolations(body)...)}, &Answer{Status: http.StatusBadRequest, Body: err.Error()}
	}
	msg, err := decode(q.Protocol, plain)
	msg.violations = append(found, msg.violations...)
	if err != nil {
		return q, msg, r.undecodable(q, err)
	}
	q.Series = msg.series
	for _, s := range msg.series {
		q.Samples += len(s.Points)
	}
	return q, msg, nil
}

// unacceptable answers what the handler refuses before it looks at the body.
func (r *Receiver) unacceptable(req *http.Request, q *Request) *Answer {
	encoding := req.Header.Get("Content-Encoding")
	switch {
	case req.Method != http.MethodPost:
		return &Answer{Status: http.StatusMethodNotAllowed, Body: "Method not allowed"}
	case encoding != "" && encoding != "snappy":
		return &Answer{Status: http.StatusUnsupportedMediaType, Body: encoding +
			" encoding (compression) is not accepted by this server; only snappy is acceptable"}
	case q.Bytes > r.cfg.MaxRequestBytes:
		return &Answer{
			Status: http.StatusRequestEntityTooLarge,
			Body:   fmt.Sprintf("request body exceeds the %d bytes limit", r.cfg.MaxRequestBytes),
		}
	case !r.cfg.Behaviour.accepts(req.Header.Get("Content-Type"), q.Protocol):
		return &Answer{
			Status: http.StatusUnsupportedMediaType,
			Body:   req.Header.Get("Content-Type") + " is not accepted by this server",
		}
	}
	return nil
}

func (r *Receiver) undecodable(q *Request, err error) *Answer {
	a := Answer{Status: http.StatusBadRequest, Body: err.Error()}
	if q.Protocol == V2 && r.cfg.Behaviour == Modern {
		a.Header = writtenHeader(0)
	}
	return &a
}

func protocolOf(h http.Header) Protocol {
	if strings.Contains(h.Get("Content-Type"), "proto=io.prometheus.write.v2.Request") {
		return V2
	}
	return V1
}

// uncompress undoes the snappy block format.
func uncompress(body []byte) ([]byte, error) {
	n, err := snappy.DecodedLen(body)
	if err != nil {
		return nil, err
	}
	if n > maxDecodedBytes {
		return nil, fmt.Errorf("decoded size exceeds the %d bytes limit", maxDecodedBytes)
	}
	return snappy.Decode(nil, body)
}
