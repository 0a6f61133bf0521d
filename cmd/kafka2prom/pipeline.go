package main

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/consumer"
	"github.com/kafka2prom/kafka2prom/internal/config"
	"github.com/kafka2prom/kafka2prom/internal/units"
	"github.com/kafka2prom/kafka2prom/transform"
	"github.com/kafka2prom/kafka2prom/writer"
)

// pipeline is topics, a mapping and a destination, put together. It has clients
// and a group of its own, so that no pipeline holds up another.
type pipeline struct {
	name     string
	mapper   *transform.Mapper
	writer   *writer.Writer
	consumer *consumer.Consumer
}

// assembly is what all pipelines of a process share.
type assembly struct {
	config   *config.Config
	registry prometheus.Registerer
	log      *zap.Logger
	span     consumer.Span
	// clientOptions are added to those of every Kafka client.
	clientOptions []kgo.Opt
}

// pipeline puts one pipeline together. It connects to nothing yet.
func (a assembly) pipeline(cfg config.Pipeline) (*pipeline, error) {
	log := a.log.With(zap.String("pipeline", cfg.Name))
	registry := prometheus.WrapRegistererWith(prometheus.Labels{"pipeline": cfg.Name}, a.registry)

	mapper, err := newMapper(cfg, registry, log)
	if err != nil {
		return nil, err
	}
	w, err := writer.New(cfg.Writer(), writer.Options{Registerer: registry, Logger: log, Version: programVersion()})
	if err != nil {
		return nil, fmt.Errorf("pipeline %s: making the writer: %w", cfg.Name, err)
	}
	consuming := cfg.Consumer
	if consuming.Batch.MaxBytes == 0 {
		consuming.Batch.MaxBytes = batchShare(len(a.config.Pipelines), consuming.Batch.InFlight)
	}
	kafka := a.config.Kafka
	if kafka.MaxDecompressedBytes == 0 {
		kafka.MaxDecompressedBytes = decompressedShare(cfg.Mapping.Limits.RecordBytes)
	}
	if a.span.Replay && consuming.MaxSkew == 0 {
		consuming.MaxSkew = replaySkew
	}
	c, err := consumer.New(consuming, consumer.Options{
		Pipeline:            cfg.Name,
		Version:             programVersion(),
		Kafka:               kafka,
		Mapper:              mapper,
		Writer:              w,
		BatchSamples:        cfg.Shards * consuming.Batch.MaxSamples,
		CountPossiblyStored: cfg.RemoteWrite.OnPossiblyStored != "dead_letter",
		Span:                a.span,
		Registerer:          registry,
		Logger:              log,
		ClientOptions:       a.clientOptions,
	})
	if err != nil {
		w.Drain(context.Background())
		return nil, fmt.Errorf("pipeline %s: %w", cfg.Name, err)
	}
	return &pipeline{name: cfg.Name, mapper: mapper, writer: w, consumer: c}, nil
}

// newMapper makes the mapper of a pipeline, with the schemas of its registry where
// it has one. The registerer may be nil.
func newMapper(cfg config.Pipeline, registry prometheus.Registerer, log *zap.Logger) (*transform.Mapper, error) {
	opts := transform.Options{Registerer: registry, Logger: log}
	var err error
	if cfg.Mapping.SchemaRegistry != nil {
		if opts.Schemas, err = transform.NewSchemas(*cfg.Mapping.SchemaRegistry, log); err != nil {
			return nil, fmt.Errorf("pipeline %s: making the client of the schema registry: %w", cfg.Name, err)
		}
	}
	mapper, err := transform.NewMapper(cfg.Transform(), opts)
	if err != nil {
		return nil, fmt.Errorf("pipeline %s: making the mapper: %w", cfg.Name, err)
	}
	return mapper, nil
}

// replaySkew is how far a partition may run ahead of the others in a replay. A
// receiver without an out-of-order window refuses what is an hour older than its
// newest sample.
const replaySkew = 30 * time.Minute

// maxBatchBytes is the largest default of batch.max_bytes.
const maxBatchBytes = 32 << 20

// batchShare divides half of the memory limit, where there is one, among the
// batches in memory.
func batchShare(pipelines, inFlight int) units.Bytes {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return maxBatchBytes
	}
	share := limit / 2 / int64(max(1, pipelines)) / int64(max(1, inFlight))
	return units.Bytes(min(max(share, 1<<20), maxBatchBytes))
}

// decompressedShare is what one record batch may become. The client finds out that
// gzip and lz4 exceed it with a buffer that doubles as it fills, three times the size
// while it is copied; with several brokers several times at once. Whatever the memory,
// the largest record that the pipeline takes must not be lost with its batch, where it
// has a key, headers and batch mates.
func decompressedShare(record units.Bytes) units.Bytes {
	limit := debug.SetMemoryLimit(-1)
	return max(min(max(units.Bytes(limit/16), 4<<20), consumer.MaxDecompressedBytes), 2*record)
}

// Name implements server.Pipeline.
func (p *pipeline) Name() string { return p.name }

// Healthy implements server.Pipeline.
func (p *pipeline) Healthy(now time.Time) error {
	s := p.writer.Status()
	attempted := s.LastLanding
	if s.LastErrorAt.After(attempted) {
		attempted = s.LastErrorAt
	}
	return p.consumer.Healthy(now, attempted)
}

// Ready implements server.Pipeline.
func (p *pipeline) Ready() error {
	if why, wrong := p.writer.Misconfigured(); wrong {
		return fmt.Errorf("the receiver does not take our requests, whatever is in them: %s", why)
	}
	return p.consumer.Ready()
}

// Status implements server.Pipeline.
func (p *pipeline) Status() any {
	return struct {
		Consumer consumer.Status `json:"consumer"`
		Writer   writer.Status   `json:"writer"`
		Series   int             `json:"series_cached"`
	}{p.consumer.Status(), p.writer.Status(), p.mapper.Series()}
}
