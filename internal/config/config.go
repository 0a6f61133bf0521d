// Package config reads the configuration: defaults, over them the file, over it
// the environment. It finds everything that is wrong at once, each with its line.
package config

import (
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kafka2prom/kafka2prom/consumer"
	"github.com/kafka2prom/kafka2prom/transform"
	"github.com/kafka2prom/kafka2prom/writer"
)

// Config is the whole configuration. Load gives a complete and valid one, in
// which relative paths of files are joined to the directory of the configuration
// file.
type Config struct {
	Kafka     consumer.KafkaConfig `yaml:"kafka"`
	Pipelines []Pipeline           `yaml:"pipelines"`
	Server    ServerConfig         `yaml:"server"`
	Log       LogConfig            `yaml:"log"`

	path string
}

// Path is the file that the configuration was read from.
func (c *Config) Path() string { return c.path }

// Pipeline is topics, a mapping and a destination. Its keys lie side by side in
// the file, whichever package they belong to.
type Pipeline struct {
	Name     string           `yaml:"name"`
	Consumer consumer.Config  `yaml:",inline"`
	Mapping  transform.Config `yaml:",inline"`
	// Shards is the number of requests that may be on the wire at once.
	Shards int                `yaml:"shards"`
	Retry  writer.RetryConfig `yaml:"retry"`
	// ConnectTimeout bounds the set-up of a connection to the receiver.
	ConnectTimeout time.Duration            `yaml:"connect_timeout"`
	RemoteWrite    writer.RemoteWriteConfig `yaml:"remote_write"`
}

// ServerConfig is the HTTP server for metrics, health and status.
type ServerConfig struct {
	// Listen is a TCP address; without a host it is every interface.
	Listen string `yaml:"listen"`
}

// LogConfig says what is logged, and how.
type LogConfig struct {
	// Level is debug, info (default), warn or error.
	Level string `yaml:"level"`
	// Format is console (default) or json.
	Format string `yaml:"format"`
}

// Writer is the pipeline's destination.
func (p Pipeline) Writer() writer.Config {
	return writer.Config{
		RemoteWrite:    p.RemoteWrite,
		MaxSamples:     p.Consumer.Batch.MaxSamples,
		Shards:         p.Shards,
		Retry:          p.Retry,
		ConnectTimeout: p.ConnectTimeout,
	}
}

// Transform is the pipeline's mapping. Relabelling belongs to it, since it is done
// once for each series.
func (p Pipeline) Transform() transform.Config {
	mapping := p.Mapping
	mapping.Relabel = p.RemoteWrite.WriteRelabelConfigs
	return mapping
}

// UnmarshalYAML reads a pipeline over the defaults of its destination: some of
// those are true, and only what was there before the file shows that it said false.
func (p *Pipeline) UnmarshalYAML(node *yaml.Node) error {
	type plain Pipeline
	var w writer.Config
	w.SetDefaults()
	*p = Pipeline{RemoteWrite: w.RemoteWrite}
	return node.Decode((*plain)(p))
}

// SetDefaults fills in what no layer has set.
func (c *Config) SetDefaults() {
	c.Kafka.SetDefaults()
	if c.Server.Listen == "" {
		c.Server.Listen = ":9808"
	}
	if c.Log.Level == "" {
		c.Log.Level = "info"
	}
	if c.Log.Format == "" {
		c.Log.Format = "console"
	}
	for i := range c.Pipelines {
		c.Pipelines[i].setDefaults()
	}
	c.excludeDeadLetters()
}

func (p *Pipeline) setDefaults() {
	p.Consumer.SetDefaults(p.Name)
	p.Mapping.SetDefaults()
	w := p.Writer()
	w.SetDefaults()
	p.RemoteWrite, p.Retry = w.RemoteWrite, w.Retry
	p.Shards, p.ConnectTimeout = w.Shards, w.ConnectTimeout
}
