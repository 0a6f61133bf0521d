package transform

import (
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

// Config says how the records of one pipeline become samples.
type Config struct {
	// Format is json or avro.
	Format string `yaml:"format"`
	// Avro holds what the avro format needs.
	Avro AvroConfig `yaml:"avro,omitempty"`
	// SchemaRegistry is needed where records carry schema ids.
	SchemaRegistry *RegistryConfig `yaml:"schema_registry,omitempty"`
	// Samples are the mapping rules. Each gives any number of samples a record.
	Samples []Rule `yaml:"samples"`
	// LabelNames is sanitize (default), utf8 or strict.
	LabelNames string `yaml:"label_names"`
	// Zone is the time zone of timestamps that name none: UTC (default) or an
	// IANA name. It is never the machine's.
	Zone string `yaml:"zone"`
	// Limits bound what one record may do.
	Limits Limits `yaml:"limits"`
	// Relabel are Prometheus' write_relabel_configs, applied to the final labels
	// of each series, once. The root configuration takes them from
	// remote_write.write_relabel_configs.
	Relabel []*relabel.Config `yaml:"-"`
}

// AvroConfig says where the writer's schema comes from.
type AvroConfig struct {
	// Framing is auto (default: confluent with a registry, else none),
	// confluent (magic byte 0 and four bytes of schema id), single_object (0xC3
	// 0x01 and the schema's fingerprint) or none.
	Framing string `yaml:"framing"`
	// SchemaFile and Schema give the schema itself; with single_object framing
	// SchemaFile may be a list of files, one for each fingerprint.
	SchemaFile units.StringList `yaml:"schema_file,omitempty"`
	Schema     string           `yaml:"schema,omitempty"`
}

// RegistryConfig reaches a schema registry that speaks Confluent's API.
type RegistryConfig struct {
	URL     units.StringList `yaml:"url"`
	Timeout time.Duration    `yaml:"timeout"` // 10s
	// NegativeTTL is how long an unknown schema id stays unknown. 1m.
	NegativeTTL time.Duration `yaml:"negative_ttl"`
	// MaxSchemas bounds the cache. 1000.
	MaxSchemas       int                        `yaml:"max_schemas"`
	HTTPClientConfig commoncfg.HTTPClientConfig `yaml:",inline"`
}

// Rule makes samples from one record. Exactly one of Value and ValuesFrom is
// set.
type Rule struct {
	// Name is the metric name: fixed text, or a template with ${path} parts; empty:
	// labels_from brings __name__.
	Name string `yaml:"name,omitempty"`
	// Each is the path of an array: the rule is applied to each of its elements, and
	// its paths are relative to the element.
	Each string `yaml:"each,omitempty"`
	// Value is the path of the value: a number, a numeric string or a boolean.
	Value string `yaml:"value,omitempty"`
	// ValuesFrom is the path of a map from names to numbers: each numeric entry is
	// a sample, and ${field} is the entry's name.
	ValuesFrom string `yaml:"values_from,omitempty"`
	// Timestamp; left out: the record's own timestamp.
	Timestamp TimestampSpec `yaml:"timestamp,omitempty"`
	// Labels by label name.
	Labels map[string]LabelSpec `yaml:"labels,omitempty"`
	// LabelsFrom are paths of maps: every entry is a label, __name__ included.
	LabelsFrom units.StringList `yaml:"labels_from,omitempty"`
}

// TimestampSpec is a path, or a mapping with the keys below. Text is RFC 3339 and
// a number is milliseconds unless Format says otherwise.
type TimestampSpec struct {
	Path string `yaml:"path"`
	// Format is rfc3339, s, ms, us, ns or a strftime layout (it contains a %).
	Format string `yaml:"format,omitempty"`
	// Zone overrides the pipeline's zone.
	Zone string `yaml:"zone,omitempty"`
}

// LabelSpec is a path or a template with ${path} parts, or a mapping with the
// keys below, of which exactly one of Path and Fixed is set.
type LabelSpec struct {
	Path     string  `yaml:"path,omitempty"`
	Fixed    *string `yaml:"fixed,omitempty"`
	Required bool    `yaml:"required,omitempty"`
}
