package transform

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

// ruleValidator collects what is wrong with one rule.
type ruleValidator struct {
	rule   *Rule
	naming naming
	// spread says that the name or a label is made of the name of the entry of
	// values_from.
	spread bool
	errs   []error
}

func (v *ruleValidator) validate() []error {
	r := v.rule
	if r.Each != "" {
		v.documentPath("each", r.Each)
	}
	switch {
	case r.Value == "" && r.ValuesFrom == "":
		v.fault("value", "is missing: want the path of the number, or values_from with that of a map of numbers")
	case r.Value != "" && r.ValuesFrom != "":
		v.fault("values_from", "is set beside value: want one of the two")
	case r.Value != "":
		v.path("value", r.Value)
	default:
		v.documentPath("values_from", r.ValuesFrom)
	}
	v.name()
	v.timestamp()
	v.labels()
	if r.ValuesFrom != "" && !v.spread {
		v.fault("values_from", "gives many samples of one series: want ${field}, the name of the entry, in name or in a label")
	}
	return v.errs
}

func (v *ruleValidator) fault(path, format string, args ...any) {
	v.errs = append(v.errs, fielderr.New(path, format, args...))
}

func (v *ruleValidator) name() {
	name := v.rule.Name
	switch {
	case name == "" && len(v.rule.LabelsFrom) == 0:
		v.fault("name", "is missing: want a metric name, or labels_from with the path of a map that has __name__")
	case isTemplate(name):
		v.template("name", name)
	case name != "" && !v.naming.scheme().IsValidMetricName(name):
		v.fault("name", "%q is not a metric name: want letters, digits, underscores and colons, and no digit first%s", name, v.orUTF8())
	}
}

// orUTF8 is the other way out of names that are not valid.
func (v *ruleValidator) orUTF8() string {
	if v.naming == utf8Names {
		return ""
	}
	return "; or label_names: utf8"
}

func (v *ruleValidator) timestamp() {
	spec := v.rule.Timestamp
	switch {
	case spec.Path != "":
		v.path("timestamp.path", spec.Path)
	case spec.Format != "":
		v.fault("timestamp.format", "is set without timestamp.path")
	case spec.Zone != "":
		v.fault("timestamp.zone", "is set without timestamp.path")
	}
	zone, err := loadZone(spec.Zone)
	if err != nil {
		v.fault("timestamp.zone", "%v", err)
		return
	}
	if _, err := newTimeReader(spec.Format, zone); err != nil {
		v.fault("timestamp.format", "%v", err)
	}
}

func (v *ruleValidator) labels() {
	for i, from := range v.rule.LabelsFrom {
		v.documentPath(fielderr.Index("labels_from", i), from)
	}
	for _, name := range slices.Sorted(maps.Keys(v.rule.Labels)) {
		path := fielderr.Join("labels", name)
		switch {
		case name == model.MetricNameLabel:
			v.fault(path, "is the metric name: want it in name")
		case strings.HasPrefix(name, model.ReservedLabelPrefix):
			v.fault(path, "is reserved: want a name that does not start with two underscores")
		case !v.naming.scheme().IsValidLabelName(name):
			v.fault(path, "is not a label name: want letters, digits and underscores, and no digit first%s", v.orUTF8())
		}
		spec := v.rule.Labels[name]
		switch {
		case spec.Path == "" && spec.Fixed == nil:
			v.fault(path, "is empty: want a path, a template, or fixed with a text")
		case spec.Path != "" && spec.Fixed != nil:
			v.fault(path, "has a path beside fixed: want one of the two")
		case isTemplate(spec.Path):
			v.template(path, spec.Path)
		case spec.Path != "":
			v.path(path, spec.Path)
		}
	}
}

func (v *ruleValidator) template(key, s string) {
	parts, err := parseTemplate(s)
	if err != nil {
		v.fault(key, "%v", err)
		return
	}
	for _, p := range parts {
		switch {
		case p.path == nil:
		case p.path.source == "field" && v.rule.ValuesFrom != "":
			v.spread = true
		default:
			v.usable(key, *p.path)
		}
	}
}

func (v *ruleValidator) path(key, s string) {
	p, err := parsePath(s)
	if err != nil {
		v.fault(key, "%v", err)
		return
	}
	v.usable(key, p)
}

// usable says whether the rule has what a path starts from.
func (v *ruleValidator) usable(key string, p path) {
	switch {
	case p.origin == fromIndex && v.rule.Each == "":
		v.fault(key, "$index is the position under each, which is not set")
	case p.origin == fromField && v.rule.ValuesFrom == "":
		v.fault(key, "$field is the name of the entry of values_from, which is not set")
	case p.origin == fromField:
		v.spread = true
	}
}

// documentPath is for what only the record's value can hold.
func (v *ruleValidator) documentPath(key, s string) {
	p, err := parsePath(s)
	switch {
	case err != nil:
		v.fault(key, "%v", err)
	case !p.inDocument():
		v.fault(key, "%s is not in the record's value: want the path of an object or an array there", s)
	}
}
