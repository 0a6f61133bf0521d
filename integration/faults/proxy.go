package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// Fault is what a proxy does with one request. The zero value passes it on.
type Fault struct {
	Delay      time.Duration // Before anything else.
	Status     int           // Answer with it; the receiver never hears of the request.
	RetryAfter string        // The header, with Status.
	Reset      bool          // Cut the connection; the receiver never hears of the request.
	Lose       bool          // Pass the request on, and cut the connection instead of answering.
	Cut        int64         // Cut the connection after so many bytes of the body.
}

// Script decides about each request. It is called concurrently.
type Script func() Fault

// Proxy stands in front of a receiver of remote write, misbehaves by script, and
// keeps in its journal what the receiver has accepted.
type Proxy struct {
	// Journal has what the receiver has accepted.
	Journal Journal
	// URL takes remote write.
	URL string

	target string // The receiver's address.
	server *http.Server
	client *http.Client
	script atomic.Pointer[Script]

	mu       sync.Mutex
	statuses map[int]int
}

// writePath is where a proxy takes remote write.
const writePath = "/api/v1/write"

// StartProxy listens on the loopback interface. The target is where the receiver
// takes remote write.
func StartProxy(target string) (*Proxy, error) {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the proxy: %w", err)
	}
	p := &Proxy{
		target: target, URL: "http://" + listener.Addr().String() + writePath,
		client:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true}},
		statuses: make(map[int]int),
	}
	p.Set(nil)
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(listener) }() // Ends with Close.
	return p, nil
}

// address is where it listens.
func (p *Proxy) address() string {
	return strings.TrimSuffix(strings.TrimPrefix(p.URL, "http://"), writePath)
}

// Close cuts all connections.
func (p *Proxy) Close() error { return p.server.Close() }

// Set changes the script; nil passes everything on.
func (p *Proxy) Set(script Script) {
	if script == nil {
		script = func() Fault { return Fault{} }
	}
	p.script.Store(&script)
}

// Requests counts requests by the status that the sender has got; 0 is none.
func (p *Proxy) Requests() (total int, byStatus map[int]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	byStatus = make(map[int]int, len(p.statuses))
	for status, n := range p.statuses {
		total += n
		byStatus[status] = n
	}
	return total, byStatus
}

func (p *Proxy) count(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.statuses[status]++
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := (*p.script.Load())()
	if fault.Cut > 0 {
		_, _ = io.CopyN(io.Discard, r.Body, fault.Cut) // The probe has no body.
		p.count(0)
		reset(w)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // The sender has gone.
	}
	if fault.Delay > 0 {
		// The request is dealt with even where the sender gives up meanwhile, as on a
		// slow network.
		time.Sleep(fault.Delay)
	}
	switch {
	case fault.Reset:
		p.count(0)
		reset(w)
		return
	case fault.Status != 0:
		p.count(fault.Status)
		if fault.RetryAfter != "" {
			w.Header().Set("Retry-After", fault.RetryAfter)
		}
		http.Error(w, "the fault harness says so", fault.Status)
		return
	}
	p.pass(w, r, body, fault.Lose)
}

// pass hands a request on, notes what was accepted before the sender can know, and
// answers.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, body []byte, lose bool) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, p.target, bytes.NewReader(body))
	if err != nil {
		p.refuse(w, err)
		return
	}
	req.Header = r.Header.Clone()
	resp, err := p.client.Do(req) //nolint:gosec // Tests say where it goes.
	if err != nil {
		p.refuse(w, err)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		p.refuse(w, err)
		return
	}
	if err := p.note(r.Header.Get("Content-Type"), body, resp); err != nil {
		p.refuse(w, err)
		return
	}
	if lose {
		p.count(0)
		reset(w)
		return
	}
	p.count(resp.StatusCode)
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer) // The sender may have gone.
}

func (p *Proxy) refuse(w http.ResponseWriter, err error) {
	p.count(http.StatusBadGateway)
	http.Error(w, err.Error(), http.StatusBadGateway)
}

// note enters the samples of a request that the receiver has dealt with. Under 2.0
// a refusal that counts what was written has dealt with all of them; which ones it
// has stored, the readback says. A failure has dealt with none.
func (p *Proxy) note(contentType string, body []byte, resp *http.Response) error {
	counted := resp.Header.Get("X-Prometheus-Remote-Write-Samples-Written") != ""
	if resp.StatusCode/100 != 2 && (!counted || resp.StatusCode/100 == 5) {
		return nil
	}
	now := time.Now()
	values, err := sampleValues(contentType, body)
	for _, value := range values {
		p.Journal.Note(value, now)
	}
	return err
}

// sampleValues decodes a request as far as the journal needs it.
func sampleValues(contentType string, body []byte) (values []float64, err error) {
	if len(body) == 0 {
		return nil, nil
	}
	raw, err := snappy.Decode(nil, body)
	if err != nil {
		return nil, fmt.Errorf("decompressing a request: %w", err)
	}
	if strings.Contains(contentType, "io.prometheus.write.v2.Request") {
		var request writev2.Request
		err = request.Unmarshal(raw)
		for _, series := range request.Timeseries {
			for _, sample := range series.Samples {
				values = append(values, sample.Value)
			}
		}
		return values, err
	}
	var request prompb.WriteRequest
	err = request.Unmarshal(raw)
	for _, series := range request.Timeseries {
		for _, sample := range series.Samples {
			values = append(values, sample.Value)
		}
	}
	return values, err
}

// reset closes a connection without the courtesies of TCP.
func reset(w http.ResponseWriter) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // Else the close is an orderly one, which is no harm.
	}
	_ = conn.Close()
}

// mixed is a script that takes one of these faults for a share of the requests, in
// turn, and passes on the others.
func mixed(share float64, faults ...Fault) Script {
	var n atomic.Int64
	return func() Fault {
		i := n.Add(1)
		before, after := math.Floor(float64(i-1)*share), math.Floor(float64(i)*share)
		if before == after {
			return Fault{}
		}
		return faults[int(after)%len(faults)]
	}
}
