package transform

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"
)

// The back-off between look-ups while the registry is out of reach.
const (
	minRegistryBackoff = 100 * time.Millisecond
	maxRegistryBackoff = 10 * time.Second
)

// Schemas are the schemas of a registry. What is found once is kept, since a schema
// never changes: an outage only holds up records with ids that are new. It is
// safe for concurrent use.
type Schemas struct {
	cfg      RegistryConfig
	registry *registry
	log      *zap.Logger
	ctx      context.Context // Ends with Close.
	cancel   context.CancelFunc
	flight   singleflight.Group

	mu    sync.Mutex
	known map[uint32]*knownSchema
	// unknown are ids without a usable schema. They have a map of their own, so that
	// records with made-up ids push out nothing that is in use.
	unknown map[uint32]unknownSchema
	clock   uint64 // Counts uses.
	backoff time.Duration
	retryAt time.Time
}

type knownSchema struct {
	schema *avroSchema
	used   uint64
}

// unknownSchema refuses records until a time: an id may be registered later.
type unknownSchema struct {
	refusal *decodeError
	until   time.Time
}

// NewSchemas makes a client with an empty cache; nothing is asked yet. The caller
// closes it. The options change how its HTTP client connects.
func NewSchemas(cfg RegistryConfig, log *zap.Logger, opts ...commoncfg.HTTPClientOption) (*Schemas, error) {
	cfg.SetDefaults()
	registry, err := newRegistry(cfg, opts)
	if err != nil {
		return nil, fmt.Errorf("setting up the schema registry: %w", err)
	}
	if cfg.HTTPClientConfig.TLSConfig.InsecureSkipVerify {
		log.Warn("the certificate of the schema registry is not verified: anybody on the way may answer for it")
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Schemas{
		cfg:      cfg,
		registry: registry,
		log:      log,
		ctx:      ctx,
		cancel:   cancel,
		known:    make(map[uint32]*knownSchema),
		unknown:  make(map[uint32]unknownSchema),
	}, nil
}

// Close ends look-ups that are under way.
func (s *Schemas) Close() {
	s.cancel()
	s.registry.close()
}

// Ping asks every URL of the registry, and says what is wrong with those that do not
// answer as one.
func (s *Schemas) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	return s.registry.ping(ctx)
}

// find returns the schema of an id, a *decodeError where the registry has none that
// can be used, or a *RetryError where it is out of reach. It waits no longer than
// the time-out.
func (s *Schemas) find(ctx context.Context, id uint32) (*avroSchema, error) {
	if schema, err := s.cached(id); schema != nil || err != nil {
		return schema, err
	}
	result := s.flight.DoChan(strconv.FormatUint(uint64(id), 10), func() (any, error) { // Callers share the look-up: it ends with Close, not with the first of them.
		return s.lookUp(id)
	})
	select {
	case r := <-result:
		schema, _ := r.Val.(*avroSchema)
		return schema, r.Err
	case <-ctx.Done():
		return nil, &RetryError{Err: fmt.Errorf("looking up schema %d: %w", id, ctx.Err())}
	}
}

// cached answers without the registry: nil and nil if it has to be asked.
func (s *Schemas) cached(id uint32) (*avroSchema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[id]; known != nil {
		s.clock++
		known.used = s.clock
		return known.schema, nil
	}
	if id > math.MaxInt32 {
		return nil, &decodeError{Reason: ReasonUnknownSchema, Text: fmt.Sprintf("%d cannot be a schema id: they are positive and have 31 bits", id)}
	}
	now := time.Now()
	if unknown, ok := s.unknown[id]; ok && now.Before(unknown.until) {
		return nil, unknown.refusal
	}
	if wait := s.retryAt.Sub(now); wait > 0 {
		return nil, &RetryError{Err: fmt.Errorf("looking up schema %d: waiting before the schema registry is asked again", id), After: wait}
	}
	return nil, nil
}

func (s *Schemas) lookUp(id uint32) (*avroSchema, error) {
	// An earlier look-up may have ended since the caller asked the cache.
	if schema, err := s.cached(id); schema != nil || err != nil {
		return schema, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Timeout)
	defer cancel()
	schema, err := s.registry.schema(ctx, id)
	var refusal *decodeError
	switch {
	case err == nil:
		s.keep(id, schema)
	case errors.As(err, &refusal):
		s.keepUnknown(id, refusal)
		return nil, refusal
	default:
		return nil, &RetryError{Err: fmt.Errorf("looking up schema %d: %w", id, err), After: s.holdOff(err)}
	}
	return schema, nil
}

func (s *Schemas) keep(id uint32, schema *avroSchema) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached()
	delete(s.unknown, id)
	if len(s.known) >= s.cfg.MaxSchemas {
		delete(s.known, s.leastUsed())
	}
	s.clock++
	s.known[id] = &knownSchema{schema: schema, used: s.clock}
}

// leastUsed looks through all schemas, which costs little beside the look-up that
// made it necessary.
func (s *Schemas) leastUsed() uint32 {
	var least uint32
	oldest := uint64(math.MaxUint64)
	for id, known := range s.known {
		if known.used < oldest {
			least, oldest = id, known.used
		}
	}
	return least
}

func (s *Schemas) keepUnknown(id uint32, refusal *decodeError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached()
	now := time.Now()
	if len(s.unknown) >= s.cfg.MaxSchemas {
		for old, unknown := range s.unknown {
			if !now.Before(unknown.until) {
				delete(s.unknown, old)
			}
		}
	}
	if len(s.unknown) >= s.cfg.MaxSchemas {
		clear(s.unknown)
	}
	s.unknown[id] = unknownSchema{refusal: refusal, until: now.Add(s.cfg.NegativeTTL)}
}

// reached ends the back-off. The caller holds the lock.
func (s *Schemas) reached() {
	if s.backoff > 0 {
		s.log.Info("the schema registry answers again")
	}
	s.backoff, s.retryAt = 0, time.Time{}
}

// holdOff lengthens the back-off and returns it.
func (s *Schemas) holdOff(err error) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.backoff == 0 && s.ctx.Err() == nil {
		s.log.Warn("the schema registry is out of reach: records with schema ids that are new have to wait", zap.Error(err))
	}
	s.backoff = min(max(2*s.backoff, minRegistryBackoff), maxRegistryBackoff)
	wait := s.backoff/2 + rand.N(s.backoff/2)
	s.retryAt = time.Now().Add(wait)
	return wait
}
