package transform

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ref is a path that is compiled: the slot has the path's value whenever a rule
// is applied.
type ref struct {
	slot *value
	// source is the path as it was written, for messages.
	source string
}

// part is one piece of a template: fixed text, or the value of a path.
type part struct {
	fixed string
	ref   *ref
}

// labelRule makes one label.
type labelRule struct {
	name     string
	parts    []part
	required bool
}

// rule is a Rule that is compiled.
type rule struct {
	index int
	title string // For messages: samples[0] (name).

	// each leads to the array whose elements the rule is applied to, and element
	// is what it wants of each of them. Nil: it is applied to the record.
	each    *ref
	element *plan

	value      *ref // Or valuesFrom.
	valuesFrom *ref
	time       *ref // Nil: the record's own timestamp.
	timeReader timeReader

	name       []part // Empty: labels_from brings it.
	labels     []labelRule
	labelsFrom []*ref

	// sources are all values that labels are made of, so that their raw bytes,
	// behind prefix, tell one label set from another. spread are those that
	// differ between the entries of valuesFrom.
	prefix  []byte
	sources []*value
	spread  []*value
}

// metadataSlot is filled from each record, apart from its value.
type metadataSlot struct {
	origin origin
	header string
	slot   *value
}

func (m *metadataSlot) fill(rec *kgo.Record) {
	switch m.origin {
	case fromKey:
		*m.slot = bytesValue(rec.Key)
	case fromHeader:
		*m.slot = value{}
		for i := range rec.Headers { // The last one of a name wins, as in Kafka's own clients.
			if rec.Headers[i].Key == m.header {
				*m.slot = bytesValue(rec.Headers[i].Value)
			}
		}
	case fromTopic:
		*m.slot = textValue(rec.Topic)
	case fromPartition:
		*m.slot = integerValue(int64(rec.Partition))
	case fromOffset:
		*m.slot = integerValue(rec.Offset)
	case fromTimestamp:
		*m.slot = integerValue(rec.Timestamp.UnixMilli())
	case fromElement, fromRecord, fromField, fromIndex:
	}
}

// compiler turns rules into what a mapper runs.
type compiler struct {
	cfg      *Config
	root     *plan
	metadata []metadataSlot
	field    *value
	index    *value
}

// rule compiles one rule of a valid configuration.
func (c *compiler) rule(i int, cfg *Rule) (*rule, error) {
	r := &rule{index: i, title: title(i, cfg), prefix: strconv.AppendInt(nil, int64(i), 10)}
	var err error
	if cfg.Each != "" {
		if r.each, err = c.ref(r, cfg.Each); err != nil {
			return nil, err
		}
		r.element = newPlan()
	}
	for _, x := range []struct {
		ref    **ref
		source string
	}{{&r.value, cfg.Value}, {&r.valuesFrom, cfg.ValuesFrom}, {&r.time, cfg.Timestamp.Path}} {
		if x.source == "" {
			continue
		}
		if *x.ref, err = c.ref(r, x.source); err != nil {
			return nil, err
		}
	}
	zone, err := loadZone(cmp.Or(cfg.Timestamp.Zone, c.cfg.Zone))
	if err != nil {
		return nil, err
	}
	if r.timeReader, err = newTimeReader(cfg.Timestamp.Format, zone); err != nil {
		return nil, err
	}
	return r, c.labels(r, cfg)
}

func title(i int, cfg *Rule) string {
	if cfg.Name == "" {
		return fmt.Sprintf("samples[%d]", i)
	}
	return fmt.Sprintf("samples[%d] (%s)", i, cfg.Name)
}

// labels compiles where the name and the labels come from.
func (c *compiler) labels(r *rule, cfg *Rule) error {
	var err error
	if r.name, err = c.template(r, cfg.Name); err != nil {
		return err
	}
	for _, source := range cfg.LabelsFrom {
		from, err := c.ref(r, source)
		if err != nil {
			return err
		}
		r.labelsFrom = append(r.labelsFrom, from)
		c.source(r, from.slot)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Labels)) {
		spec := cfg.Labels[name]
		l := labelRule{name: name, required: spec.Required}
		switch {
		case spec.Fixed != nil:
			l.parts = []part{{fixed: *spec.Fixed}}
		case isTemplate(spec.Path):
			l.parts, err = c.template(r, spec.Path)
		default:
			var path *ref
			if path, err = c.ref(r, spec.Path); err == nil {
				l.parts = []part{{ref: path}}
				c.source(r, path.slot)
			}
		}
		if err != nil {
			return err
		}
		r.labels = append(r.labels, l)
	}
	return nil
}

// template compiles fixed text with ${path} parts.
func (c *compiler) template(r *rule, s string) ([]part, error) {
	parsed, err := parseTemplate(s)
	if err != nil {
		return nil, err
	}
	parts := make([]part, len(parsed))
	for i, p := range parsed {
		parts[i].fixed = p.fixed
		if p.path == nil {
			continue
		}
		// In a rule with values_from, ${field} is short for ${$field}.
		if r.valuesFrom != nil && p.path.source == "field" {
			p.path.origin = fromField
		}
		parts[i].ref = c.compile(r, p.path)
		c.source(r, parts[i].ref.slot)
	}
	return parts, nil
}

// source notes that labels of the rule are made of a slot.
func (c *compiler) source(r *rule, slot *value) {
	switch {
	case slot == c.field:
		if len(r.spread) == 0 {
			r.spread = append(r.spread, slot)
		}
	case !slices.Contains(r.sources, slot):
		r.sources = append(r.sources, slot)
	}
}

func (c *compiler) ref(r *rule, source string) (*ref, error) {
	p, err := parsePath(source)
	if err != nil {
		return nil, err
	}
	return c.compile(r, &p), nil
}

// compile gives a path its slot.
func (c *compiler) compile(r *rule, p *path) *ref {
	switch p.origin {
	case fromElement:
		if r.element != nil {
			return &ref{r.element.want(p.steps), p.source}
		}
		return &ref{c.root.want(p.steps), p.source}
	case fromRecord:
		return &ref{c.root.want(p.steps), p.source}
	case fromField:
		return &ref{c.field, p.source}
	case fromIndex:
		return &ref{c.index, p.source}
	case fromKey, fromHeader, fromTopic, fromPartition, fromOffset, fromTimestamp:
	}
	for _, m := range c.metadata {
		if m.origin == p.origin && m.header == p.header {
			return &ref{m.slot, p.source}
		}
	}
	slot := new(value)
	c.metadata = append(c.metadata, metadataSlot{p.origin, p.header, slot})
	return &ref{slot, p.source}
}
