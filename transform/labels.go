package transform

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
)

// labelBuilder makes the encoded labels of a sample that the series cache does
// not know. It is the slow path: once a series.
type labelBuilder struct {
	naming  naming
	limits  *Limits
	relabel []*relabel.Config

	labels  []Label // Those that labels_from has brought.
	own     []Label // Those of the rule itself, which win.
	encoded []byte
	scratch []byte
}

// build returns the labels of the rule's current values, sorted, relabelled and
// encoded, and valid until the next call. They are empty where relabelling drops
// the sample.
func (b *labelBuilder) build(m *Mapper, r *rule) ([]byte, *fault) {
	b.labels, b.own = b.labels[:0], b.own[:0]
	if f := b.collectOwn(r); f != nil {
		return nil, f
	}
	for _, from := range r.labelsFrom {
		if f := b.collectFrom(m, from); f != nil {
			return nil, f
		}
	}
	if f := b.merge(); f != nil {
		return nil, f
	}
	if f := b.check(); f != nil {
		return nil, f
	}
	if len(b.relabel) > 0 {
		if f := b.applyRelabel(); f != nil || len(b.labels) == 0 {
			return nil, f
		}
	}
	b.encoded = b.encoded[:0]
	for _, l := range b.labels {
		b.encoded = appendLabel(b.encoded, l.Name, l.Value)
	}
	return b.encoded, nil
}

// collectOwn evaluates the name and the labels of the rule itself.
func (b *labelBuilder) collectOwn(r *rule) *fault {
	name, f := b.evaluate(r.name)
	if f != nil {
		return f
	}
	if name != "" {
		valid, ok := b.naming.metric(name)
		if !ok {
			return faultf(ReasonBadName, "the metric name %s is not valid", quoted(name))
		}
		b.own = append(b.own, Label{model.MetricNameLabel, valid})
	}
	for i := range r.labels {
		l := &r.labels[i]
		text, f := b.evaluate(l.parts)
		switch {
		case f != nil:
			return f.at("label " + l.name)
		case text != "":
			b.own = append(b.own, Label{l.name, text})
		case l.required:
			return b.lacking(l)
		}
	}
	return nil
}

// lacking says which value a required label is without.
func (b *labelBuilder) lacking(l *labelRule) *fault {
	for _, p := range l.parts {
		if p.ref == nil {
			continue
		}
		if text, _ := p.ref.slot.label(); text == "" {
			return faultf(ReasonMissingField, "label %s: %s: found %s, want a value, because the label is required",
				l.name, p.ref.source, p.ref.slot.found())
		}
	}
	return faultf(ReasonMissingField, "label %s: it is required and empty", l.name)
}

// evaluate puts the parts together. The text is empty where any part is: half a
// name is none.
func (b *labelBuilder) evaluate(parts []part) (string, *fault) {
	b.scratch = b.scratch[:0]
	for _, p := range parts {
		if p.ref == nil {
			b.scratch = append(b.scratch, p.fixed...)
			continue
		}
		start := len(b.scratch)
		var ok bool
		if b.scratch, ok = p.ref.slot.appendText(b.scratch); !ok {
			return "", faultf(ReasonWrongType, "%s: found %s, want text, a number or a boolean", p.ref.source, p.ref.slot.found())
		}
		if len(b.scratch) == start {
			return "", nil
		}
	}
	return string(b.scratch), nil
}

// collectFrom takes the entries of a map.
func (b *labelBuilder) collectFrom(m *Mapper, from *ref) *fault {
	switch {
	case from.slot.absent():
		return faultf(ReasonMissingField, "labels_from %s: found %s, want an object", from.source, from.slot.found())
	case from.slot.kind != object:
		return faultf(ReasonWrongType, "labels_from %s: found %s, want an object", from.source, from.slot.found())
	}
	for e := m.entries(from.slot, &m.tags); e.next(); {
		name, _ := e.name.label()
		text, ok := e.value.label()
		if !ok {
			return faultf(ReasonWrongType, "labels_from %s: %s: found %s, want text, a number or a boolean",
				from.source, quoted(name), e.value.found())
		}
		if text == "" {
			continue
		}
		l, f := b.entry(name, text)
		if f != nil {
			return f.at("labels_from " + from.source)
		}
		b.labels = append(b.labels, l)
	}
	return nil
}

// entry makes a label of an entry of a map. The metric name is among them.
func (b *labelBuilder) entry(name, text string) (Label, *fault) {
	if name == model.MetricNameLabel {
		valid, ok := b.naming.metric(text)
		if !ok {
			return Label{}, faultf(ReasonBadName, "the metric name %s is not valid", quoted(text))
		}
		return Label{name, valid}, nil
	}
	valid, ok := b.naming.label(name)
	switch {
	case !ok:
		return Label{}, faultf(ReasonBadName, "the label name %s is not valid", quoted(name))
	case strings.HasPrefix(valid, model.ReservedLabelPrefix):
		return Label{}, faultf(ReasonReservedLabel, "the label name %s is reserved: want none that starts with two underscores, but __name__",
			quoted(name))
	}
	return Label{valid, text}, nil
}

// merge sorts the labels. One of the rule replaces one of the same name from
// labels_from; among those, no name may appear twice.
func (b *labelBuilder) merge() *fault {
	b.labels = slices.DeleteFunc(b.labels, func(l Label) bool {
		return slices.ContainsFunc(b.own, func(own Label) bool { return own.Name == l.Name })
	})
	b.labels = append(b.labels, b.own...)
	slices.SortFunc(b.labels, func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(b.labels); i++ {
		if b.labels[i].Name == b.labels[i-1].Name {
			return faultf(ReasonDuplicateLabel, "the label %s is there twice, with the values %s and %s",
				b.labels[i].Name, quoted(b.labels[i-1].Value), quoted(b.labels[i].Value))
		}
	}
	return nil
}

// check holds the sorted labels against the limits and what receivers demand.
func (b *labelBuilder) check() *fault {
	if len(b.labels) > b.limits.Labels {
		return exceeds(limitLabels, "found %d labels, want at most %d", len(b.labels), b.limits.Labels)
	}
	named := false
	for _, l := range b.labels {
		name, value := l.Name, l.Value
		if name == model.MetricNameLabel {
			named = true
			name, value = value, ""
		}
		switch {
		case len(name) > b.limits.NameBytes:
			return exceeds(limitNameBytes, "the name %s has %d bytes, want at most %d",
				quoted(name), len(name), b.limits.NameBytes)
		case len(value) > b.limits.ValueBytes:
			return exceeds(limitValueBytes, "the value of label %s has %d bytes, want at most %d",
				quoted(name), len(value), b.limits.ValueBytes)
		case !utf8.ValidString(value):
			return faultf(ReasonBadLabel, "the value %s of label %s is not UTF-8", quoted(value), quoted(name))
		}
	}
	if !named {
		return faultf(ReasonNoName, "found no metric name: want name to give one, or labels_from to have __name__")
	}
	return nil
}

// applyRelabel leaves no labels where the sample is to be dropped.
func (b *labelBuilder) applyRelabel() *fault {
	scratch := labels.NewScratchBuilder(len(b.labels))
	for _, l := range b.labels {
		scratch.Add(l.Name, l.Value)
	}
	lb := labels.NewBuilder(scratch.Labels())
	keep := relabel.ProcessBuilder(lb, b.relabel...)
	b.labels = b.labels[:0]
	if !keep {
		return nil
	}
	lb.Labels().Range(func(l labels.Label) { b.labels = append(b.labels, Label{l.Name, l.Value}) })
	for _, l := range b.labels {
		switch {
		case l.Name == model.MetricNameLabel:
			if !b.naming.scheme().IsValidMetricName(l.Value) {
				return faultf(ReasonBadName, "write_relabel_configs made the metric name %s, which is not valid", quoted(l.Value))
			}
		case !b.naming.scheme().IsValidLabelName(l.Name):
			return faultf(ReasonBadName, "write_relabel_configs made the label name %s, which is not valid", quoted(l.Name))
		case strings.HasPrefix(l.Name, model.ReservedLabelPrefix):
			return faultf(ReasonReservedLabel, "write_relabel_configs left the label %s: want labeldrop to remove it", quoted(l.Name))
		}
	}
	return b.check()
}
