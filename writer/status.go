package writer

import (
	"context"
	"fmt"
	"time"
)

// Status is how a writer is, for the status page.
type Status struct {
	// URL of the receiver, without credentials.
	URL string `json:"url"`
	// Protocol is 1.0 or 2.0, or auto as long as the receiver has not said.
	Protocol string `json:"protocol"`
	Shards   int    `json:"shards"`
	// PendingSamples are those that are not settled yet.
	PendingSamples int64 `json:"pending_samples"`
	// SamplesWritten are those that the receiver has accepted.
	SamplesWritten int64 `json:"samples_written"`
	// BackingOff counts the shards that wait before their next attempt.
	BackingOff int `json:"backing_off"`
	// Misconfigured is what the receiver says where that is not about the data.
	Misconfigured string `json:"misconfigured,omitempty"`
	// Poisoned counts the shards whose request gets nothing but 5xx for long, while
	// others land.
	Poisoned int `json:"poisoned,omitempty"`
	// LastError is why the last attempt that had to be repeated failed.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	// LastLanding is when the receiver last judged a request.
	LastLanding time.Time `json:"last_landing,omitzero"`
}

// Status returns how the writer is now.
func (w *Writer) Status() Status {
	samples := w.metrics.read()
	s := Status{
		URL:            w.client.url.Redacted(),
		Protocol:       w.negotiation.protocol().String(),
		Shards:         len(w.shards),
		PendingSamples: samples.inFlight,
		SamplesWritten: samples.settled[sampleWritten],
		BackingOff:     w.backingOff(),
		Misconfigured:  w.health.misconfigured(),
		Poisoned:       w.health.poisonedShards(),
		LastLanding:    w.health.lastLanding(),
	}
	w.health.mu.Lock()
	defer w.health.mu.Unlock()
	s.LastError, s.LastErrorAt = w.health.lastError, w.health.lastErrorAt
	return s
}

// Misconfigured says whether the receiver's last answer says nothing about the
// data, as 401 or 404 do, and what it is.
func (w *Writer) Misconfigured() (string, bool) {
	text := w.health.misconfigured()
	return text, text != ""
}

func (w *Writer) backingOff() (n int) {
	for _, s := range w.shards {
		if s.backingOff() {
			n++
		}
	}
	return n
}

// ProbeResult is what an empty request has told.
type ProbeResult struct {
	// Protocol is 1.0 or 2.0.
	Protocol string
	// Status of the answer.
	Status  int
	Latency time.Duration
}

// Probe sends an empty request, which stores nothing, and tells how the receiver
// takes it. An error says what is wrong with the way to the receiver.
func (w *Writer) Probe(ctx context.Context) (ProbeResult, error) {
	fixed := w.cfg.RemoteWrite.protocol()
	asked := fixed
	if fixed == undecided {
		asked = protocol2
	}
	r := w.client.post(ctx, emptyRequest(asked), 0)
	probe := ProbeResult{Protocol: asked.String(), Status: r.status, Latency: r.took}
	spoken := spoken(r.answer)
	switch {
	case r.err != nil:
		return probe, r.err
	case spoken == undecided, fixed == protocol1 && r.outcome != landed:
		return probe, fmt.Errorf("the receiver answers %s", r.words())
	case fixed == protocol2 && spoken != protocol2:
		return probe, fmt.Errorf("the receiver does not speak remote write 2.0: it answers %s", r.words())
	case fixed == undecided:
		probe.Protocol = spoken.String()
	}
	return probe, nil
}
