package writer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/golang/snappy"
)

// maxAnswer bounds how much of the body of an answer is read.
const maxAnswer = 64 << 10

// maxLine is how much more is read for each sample of a request that was stored in
// part: Prometheus then has a line for each one that it refuses, and after a crash
// that can be all of them.
const maxLine = 512

// maxWords bounds how much of a receiver's words goes into logs and dead letters.
const maxWords = 512

// client makes one attempt at a time to deliver a request. It is safe for
// concurrent use.
type client struct {
	http    *http.Client
	url     *url.URL
	timeout time.Duration
	headers [protocol2 + 1]http.Header // By protocol.
}

func newClient(cfg RemoteWriteConfig, rt http.RoundTripper, version string) *client {
	c := &client{
		http: &http.Client{
			Transport: rt,
			// A redirected POST would lose its body, or take the credentials to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		url:     cfg.URL.URL,
		timeout: cfg.RemoteTimeout,
	}
	for p := range c.headers {
		c.headers[p] = protocol(p).headers("kafka2prom/" + version)
	}
	return c
}

// result is what one attempt came to.
type result struct {
	answer
	outcome    outcome
	err        error         // Why there is no answer.
	retryAfter time.Duration // As the receiver asks; 0: it does not.
	body       []byte        // Of the answer, bounded; empty where it is a success.
	// ambiguous says that the receiver may have stored samples although it does not
	// say so.
	ambiguous bool
	protocol  protocol
	sent      int // Samples.
	raw       int // Bytes before compression.
	took      time.Duration
}

// words are what the receiver says, fit for people: bounded, in one line.
func (r result) words() string {
	if r.err != nil {
		return r.err.Error()
	}
	text := fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))
	if r.outcome == partial {
		return fmt.Sprintf("%s, but %d of %d samples written", text, r.written, r.sent)
	}
	if body := clean(string(r.body)); body != "" {
		text += ": " + body
	}
	return text
}

// clean bounds text from outside and takes what is not printable out of it.
func clean(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Join(strings.FieldsFunc(text, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) }), " ")
	if len(text) > maxWords {
		text = strings.ToValidUTF8(text[:maxWords], "") + " …"
	}
	return text
}

// payload is an encoded request. Its buffer may be used again only when the
// transport, which may read a body even after an attempt has ended, has let go of
// it.
type payload struct {
	bytes    []byte
	protocol protocol
	samples  int
	raw      int // Bytes before compression.

	touched atomic.Bool  // The transport has begun to read.
	readers atomic.Int32 // Bodies that the transport has not closed yet.
}

func emptyRequest(p protocol) *payload {
	return &payload{bytes: snappy.Encode(nil, nil), protocol: p}
}

// reader opens the payload as the body of an attempt.
func (p *payload) reader() io.ReadCloser {
	p.readers.Add(1)
	b := &body{payload: p}
	b.Reset(p.bytes)
	return b
}

type body struct {
	bytes.Reader
	payload *payload
	closed  atomic.Bool
}

// Read notes that the receiver may get to see the request.
func (b *body) Read(p []byte) (int, error) {
	b.payload.touched.Store(true)
	return b.Reader.Read(p)
}

// WriteTo is Read for those who can do without a buffer.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	b.payload.touched.Store(true)
	return b.Reader.WriteTo(w)
}

// Close lets go of the buffer. It may be called more than once.
func (b *body) Close() error {
	if !b.closed.Swap(true) {
		b.payload.readers.Add(-1)
	}
	return nil
}

// post makes one attempt. The number counts the attempts before it.
func (c *client) post(ctx context.Context, p *payload, number int) result {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	begin := time.Now()
	p.touched.Store(false)
	resp, err := c.http.Do(c.request(ctx, p, number))
	r := result{protocol: p.protocol, sent: p.samples, raw: p.raw}
	if err != nil {
		r.err = transportError(err, c.timeout)
		r.ambiguous = p.touched.Load()
	} else {
		r.read(resp)
	}
	r.outcome = classify(r.answer, p.protocol, p.samples)
	// Something between us and a receiver of the new kind may have taken the headers away.
	r.ambiguous = r.ambiguous || r.outcome == unsupported && r.status < 300
	r.took = time.Since(begin)
	return r
}

func (c *client) request(ctx context.Context, p *payload, number int) *http.Request {
	header := c.headers[p.protocol].Clone()
	if number > 0 {
		header.Set("Retry-Attempt", strconv.Itoa(number))
	}
	req := &http.Request{
		Method:        http.MethodPost,
		URL:           c.url,
		Host:          c.url.Host,
		Header:        header,
		Body:          p.reader(),
		ContentLength: int64(len(p.bytes)),
		// With it the transport sends again at once where a kept-alive connection has turned
		// out to be closed.
		GetBody: func() (io.ReadCloser, error) { return p.reader(), nil },
	}
	return req.WithContext(ctx)
}

// read takes the answer over and gives the connection back.
func (r *result) read(resp *http.Response) {
	defer resp.Body.Close()
	r.status = resp.StatusCode
	r.retryAfter = retryAfter(resp.Header, time.Now())
	for _, kind := range []string{"Samples", "Histograms", "Exemplars"} {
		text := resp.Header.Get("X-Prometheus-Remote-Write-" + kind + "-Written")
		r.counted = r.counted || text != ""
		if n, err := strconv.Atoi(text); err == nil && kind == "Samples" {
			r.written = max(n, 0)
		}
	}
	// An error of a proxy may come when the receiver has stored everything.
	r.ambiguous = r.status >= 500
	// The status stands, whatever becomes of the rest.
	limit := maxAnswer
	if r.counted {
		limit += maxLine * r.sent
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, int64(limit)))
	if r.status > 299 {
		r.body = text
	}
}

// transportError says in short why there was no answer. The URL, which the error
// of net/http repeats, is left out: it may hold what is secret.
func transportError(err error, timeout time.Duration) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("waiting for an answer: none within %s: %w", timeout, err)
	}
	return fmt.Errorf("sending the request: %w", err)
}
