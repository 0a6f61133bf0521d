package writer

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// protocol is a version of remote write.
type protocol uint8

const (
	undecided protocol = iota // Auto, and the receiver has not been asked yet.
	protocol1
	protocol2
)

// The values of remote_write.protocol.
const (
	protocolAuto = "auto"
	protocolV1   = "1.0"
	protocolV2   = "2.0"
)

// String is the value that remote_write.protocol has for it.
func (p protocol) String() string {
	return [...]string{protocolAuto, protocolV1, protocolV2}[p]
}

// headers returns what a request in this protocol says about itself.
func (p protocol) headers(userAgent string) http.Header {
	h := http.Header{
		"Content-Encoding":                  {"snappy"},
		"Content-Type":                      {"application/x-protobuf"},
		"User-Agent":                        {userAgent},
		"X-Prometheus-Remote-Write-Version": {"0.1.0"},
	}
	if p == protocol2 {
		h.Set("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
		h.Set("X-Prometheus-Remote-Write-Version", "2.0.0")
	}
	return h
}

// negotiation finds out which protocol the receiver speaks: receivers of the old
// kind answer 204 to 2.0 and store nothing, so that only the headers of an answer
// tell. It is safe for concurrent use.
type negotiation struct {
	client *client
	fixed  bool // By the configuration.

	asking singleflight.Group
	mu     sync.Mutex
	agreed protocol
	since  time.Time
}

func newNegotiation(c *client, configured protocol) *negotiation {
	return &negotiation{client: c, agreed: configured, fixed: configured != undecided}
}

// protocol returns the agreed protocol; undecided if the receiver has to be asked.
func (n *negotiation) protocol() protocol {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.agreed
}

// ask sends an empty 2.0 request, once for all shards that ask at the same time.
// Where the answer leaves the question open the protocol is undecided, and the
// result is to be dealt with as that of any attempt.
func (n *negotiation) ask(ctx context.Context) (protocol, result) {
	if p := n.protocol(); p != undecided {
		return p, result{}
	}
	type reply struct {
		p protocol
		r result
	}
	v, _, _ := n.asking.Do("", func() (any, error) {
		r := n.client.post(ctx, emptyRequest(protocol2), 0)
		p := spoken(r.answer)
		n.agree(p)
		if p == undecided && r.outcome != retry {
			r.outcome = misconfigured
		}
		return reply{p, r}, nil
	})
	got := v.(reply)
	return got.p, got.r
}

// spoken is what the answer to an empty 2.0 request tells.
func spoken(a answer) protocol {
	switch {
	case a.status >= 200 && a.status <= 299 && a.counted:
		return protocol2
	case a.status >= 200 && a.status <= 299, a.status == http.StatusBadRequest, a.status == http.StatusUnsupportedMediaType:
		return protocol1
	}
	return undecided
}

func (n *negotiation) agree(p protocol) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.agreed, n.since = p, time.Now()
}

// unsupported is told that a request was not understood. It says whether there is
// another protocol to send the same samples in at once. A receiver that does not
// understand 1.0 is asked again.
func (n *negotiation) unsupported(p protocol) (again bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fixed {
		return false
	}
	if p == protocol2 {
		n.agreed, n.since = protocol1, time.Now()
		return true
	}
	if n.agreed == protocol1 {
		n.agreed = undecided
	}
	return false
}

// reopen has the receiver asked again, unless the protocol is configured.
func (n *negotiation) reopen() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.fixed {
		n.agreed = undecided
	}
	return !n.fixed
}

// outage is told that the receiver was out of reach since a time: another version
// of it may be there now.
func (n *negotiation) outage(since time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.fixed && n.since.Before(since) {
		n.agreed = undecided
	}
}
