package transform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/twmb/franz-go/pkg/sr"
)

// Bounds of what one look-up may bring.
const (
	maxSchemaBytes = 1 << 20
	maxAnswerBytes = 4 * maxSchemaBytes // Leaves room for the escapes of a schema within JSON.
	maxReferences  = 100                // Of a schema, and of those that it refers to.
	maxNesting     = 20                 // Of references.
	maxRedirects   = 5
)

// registry asks a schema registry that speaks Confluent's API, at any of its URLs.
type registry struct {
	http *http.Client
	// nodes has a client for each URL. The package has fail-over of its own, but for
	// refused connections alone.
	nodes []registryNode
	// first is the node that answered last.
	first atomic.Int32
}

type registryNode struct {
	url    string
	client *sr.Client
}

func newRegistry(cfg RegistryConfig, opts []commoncfg.HTTPClientOption) (*registry, error) {
	if len(cfg.URL) == 0 {
		return nil, errors.New("no URL is set")
	}
	client, err := newRegistryHTTP(cfg.HTTPClientConfig, opts)
	if err != nil {
		return nil, err
	}
	r := &registry{http: client}
	for _, url := range cfg.URL {
		client, err := sr.NewClient(sr.URLs(url), sr.HTTPClient(r.http), sr.UserAgent("kafka2prom"))
		if err != nil {
			return nil, err
		}
		r.nodes = append(r.nodes, registryNode{url: url, client: client})
	}
	return r, nil
}

// newRegistryHTTP makes a client that reads no more than maxAnswerBytes of an answer
// and goes to no other host: its credentials are sent with every request.
func newRegistryHTTP(cfg commoncfg.HTTPClientConfig, opts []commoncfg.HTTPClientOption) (*http.Client, error) {
	client, err := commoncfg.NewClientFromConfig(cfg, "schema_registry", opts...)
	if err != nil {
		return nil, err
	}
	client.Transport = limitedAnswers{client.Transport}
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		from := via[0].URL
		same := req.URL.Host == from.Host && req.URL.Scheme == from.Scheme
		if !cfg.FollowRedirects || !same || len(via) > maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return client, nil
}

// limitedAnswers ends the body of an answer with an error after maxAnswerBytes.
type limitedAnswers struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l limitedAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswerBytes)
	return resp, nil
}

// CloseIdleConnections lets http.Client reach the transport's own.
func (l limitedAnswers) CloseIdleConnections() {
	if closer, ok := l.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

func (r *registry) close() { r.http.CloseIdleConnections() }

// schema asks node after node until one has the schema. It returns a *decodeError if
// a node answered and none has it: nodes may be behind each other.
func (r *registry) schema(ctx context.Context, id uint32) (*avroSchema, error) {
	var outages []error
	var refusal *decodeError
	first := int(r.first.Load())
	for i := range r.nodes {
		at := (first + i) % len(r.nodes)
		part, done := share(ctx, len(r.nodes)-i)
		schema, err := r.nodes[at].schema(part, id)
		done()
		var refused *decodeError
		switch {
		case err == nil:
			r.first.Store(int32(at))
			return schema, nil
		case errors.As(err, &refused):
			refusal = refused
		default:
			outages = append(outages, err)
		}
	}
	if refusal != nil {
		return nil, refusal
	}
	return nil, errors.Join(outages...)
}

// share gives a node its part of the time that is left, so that one that hangs leaves
// some to those after it.
func share(ctx context.Context, nodesLeft int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(nodesLeft))
}

func (n *registryNode) schema(ctx context.Context, id uint32) (*avroSchema, error) {
	found, err := n.client.SchemaByID(ctx, int(id))
	if err != nil {
		return nil, n.judge(err, fmt.Sprintf("schema %d", id))
	}
	c := closure{node: n, seen: map[sr.SchemaReference]bool{}}
	if err := c.add(ctx, found, 0); err != nil {
		return nil, refer(err, id)
	}
	schema, err := parseAvro(c.texts...)
	if err != nil {
		return nil, notDecodable("schema %d: %s", id, shortened(err.Error()))
	}
	return schema, nil
}

// refer puts the schema's id in front of a refusal.
func refer(err error, id uint32) error {
	if refusal, ok := errors.AsType[*decodeError](err); ok {
		return &decodeError{Reason: refusal.Reason, Text: fmt.Sprintf("schema %d: %s", id, refusal.Text)}
	}
	return err
}

// closure collects a schema and everything that it refers to, in an order in which
// each text comes after those that it needs.
type closure struct {
	node  *registryNode
	seen  map[sr.SchemaReference]bool // By subject and version.
	texts []string
}

func (c *closure) add(ctx context.Context, schema sr.Schema, depth int) error {
	switch {
	case schema.Type != sr.TypeAvro:
		return notDecodable("it is of type %s, not AVRO", schema.Type)
	case len(schema.Schema) > maxSchemaBytes:
		return &decodeError{Reason: ReasonTooLarge, Text: fmt.Sprintf("it has %d bytes, more than %d", len(schema.Schema), maxSchemaBytes)}
	case len(schema.References) > 0 && depth == maxNesting:
		return &decodeError{Reason: ReasonTooLarge, Text: fmt.Sprintf("its references are nested deeper than %d", maxNesting)}
	}
	for _, ref := range schema.References {
		key := sr.SchemaReference{Subject: ref.Subject, Version: ref.Version}
		if c.seen[key] {
			continue
		}
		if len(c.seen) == maxReferences {
			return &decodeError{Reason: ReasonTooLarge, Text: fmt.Sprintf("it refers to more than %d others", maxReferences)}
		}
		c.seen[key] = true
		// A version may be deleted while others refer to it.
		found, err := c.node.client.SchemaByVersion(sr.WithParams(ctx, sr.ShowDeleted), ref.Subject, ref.Version)
		if err != nil {
			return c.node.judge(err, fmt.Sprintf("version %d of subject %q, which it needs", ref.Version, shortened(ref.Subject)))
		}
		if err := c.add(ctx, found.Schema, depth+1); err != nil {
			return err
		}
	}
	c.texts = append(c.texts, schema.Schema)
	return nil
}

// judge tells what a registry does not have, a *decodeError, from an outage. Only its
// own error codes count: a wrong URL answers 404, too.
func (n *registryNode) judge(err error, what string) error {
	var answer *sr.ResponseError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &decodeError{Reason: ReasonTooLarge, Text: fmt.Sprintf("%s is larger than %d bytes", what, tooLarge.Limit)}
	case !errors.As(err, &answer):
		return err // It names the URL.
	case answer.ErrorCode > 40400 && answer.ErrorCode < 40500, answer.ErrorCode > 42200 && answer.ErrorCode < 42300:
		return &decodeError{Reason: ReasonUnknownSchema, Text: fmt.Sprintf("the schema registry does not have %s: %s", what, shortened(answer.Error()))}
	}
	return fmt.Errorf("%s answers %d %s: %s", n.url, answer.StatusCode, http.StatusText(answer.StatusCode), shortened(answer.Error()))
}

// ping asks every node for a schema. It need not have it, but has to say so itself.
func (r *registry) ping(ctx context.Context) error {
	var errs []error
	for i := range r.nodes {
		part, done := share(ctx, len(r.nodes)-i)
		_, err := r.nodes[i].client.SchemaByID(part, 1)
		done()
		if err == nil {
			continue
		}
		var refusal *decodeError
		if err := r.nodes[i].judge(err, "schema 1"); !errors.As(err, &refusal) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
