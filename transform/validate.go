package transform

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

// The formats of records.
const (
	formatJSON = "json"
	formatAvro = "avro"
)

// WithDefaults returns the configuration with what it leaves out filled in. It
// shares nothing that filling in changes.
func (c Config) WithDefaults() Config {
	if c.SchemaRegistry != nil {
		registry := *c.SchemaRegistry
		c.SchemaRegistry = &registry
	}
	c.SetDefaults()
	return c
}

// SetDefaults fills in what the configuration leaves out.
func (c *Config) SetDefaults() {
	setDefault(&c.Format, formatJSON)
	setDefault(&c.LabelNames, "sanitize")
	setDefault(&c.Zone, "UTC")
	c.Avro.SetDefaults()
	if c.SchemaRegistry != nil {
		c.SchemaRegistry.SetDefaults()
	}
	c.Limits.SetDefaults()
}

func setDefault[T comparable](key *T, value T) {
	var zero T
	if *key == zero {
		*key = value
	}
}

// Validate returns everything that is wrong with the configuration, after
// SetDefaults. Each error is a *fielderr.Error with the path of its key, relative
// to the pipeline.
func (c *Config) Validate() []error {
	var errs []error
	switch c.Format {
	case formatJSON:
	case formatAvro:
		errs = append(errs, fielderr.Under("avro", c.Avro.Validate(c.SchemaRegistry != nil))...)
	default:
		errs = append(errs, fielderr.New("format", "%q is unknown: want json or avro", c.Format))
	}
	if c.SchemaRegistry != nil {
		errs = append(errs, fielderr.Under("schema_registry", c.SchemaRegistry.Validate())...)
	}
	naming, ok := parseNaming(c.LabelNames)
	if !ok {
		errs = append(errs, fielderr.New("label_names", "%q is unknown: want sanitize, utf8 or strict", c.LabelNames))
	}
	if _, err := loadZone(c.Zone); err != nil {
		errs = append(errs, fielderr.New("zone", "%v", err))
	}
	if len(c.Samples) == 0 {
		errs = append(errs, fielderr.New("samples", "there is no rule, so that no record would give a sample"))
	}
	for i := range c.Samples {
		v := ruleValidator{rule: &c.Samples[i], naming: naming}
		errs = append(errs, fielderr.Under(fielderr.Index("samples", i), v.validate())...)
	}
	errs = append(errs, fielderr.Under("limits", c.Limits.validate())...)
	if _, err := relabelConfigs(c.Relabel, naming); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// loadZone finds a time zone that is not the machine's.
func loadZone(name string) (*time.Location, error) {
	switch name {
	case "", "UTC":
		return time.UTC, nil
	case "Local":
		return nil, fmt.Errorf("%q depends on the machine: want UTC or a name such as Europe/Oslo", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone: want UTC or a name such as Europe/Oslo", name)
	}
	return zone, nil
}

// relabelConfigs copies the relabelling rules, so that each pipeline has its own
// naming, and checks them.
func relabelConfigs(cfgs []*relabel.Config, n naming) ([]*relabel.Config, error) {
	copies := make([]*relabel.Config, len(cfgs))
	for i, cfg := range cfgs {
		path := fielderr.Index("remote_write.write_relabel_configs", i)
		if cfg == nil {
			return nil, fielderr.New(path, "is empty")
		}
		rule := *cfg
		rule.NameValidationScheme = model.UnsetValidation
		if err := rule.Validate(n.scheme()); err != nil {
			return nil, fielderr.New(path, "%v", err)
		}
		copies[i] = &rule
	}
	return copies, nil
}
