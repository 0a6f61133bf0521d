package transform

import "fmt"

// full says that the record has given more than it may.
func (m *Mapper) full() bool { return m.given > m.cfg.Limits.SamplesPerRecord }

// applyRule applies a rule to the record, or to each element of its array.
func (m *Mapper) applyRule(r *rule) {
	if r.each == nil {
		m.applyOnce(r)
		return
	}
	list := r.each.slot
	switch {
	case list.absent():
		m.out.Skipped++
		return
	case list.kind != array:
		m.refuse(r, faultf(ReasonWrongType, "each %s: found %s, want an array", r.each.source, list.found()))
		return
	}
	e := m.elements(list, r.element)
	for i := int64(0); e.next() && !m.full(); i++ {
		*m.index = integerValue(i)
		switch {
		case e.err != nil:
			m.refuse(r, &fault{reason: ReasonNotDecodable, text: e.err.Error()})
		case r.element.whole.kind == null && !r.element.any:
			m.out.Skipped++
		case !r.element.fits():
			m.refuse(r, faultf(ReasonNotAnObject, "found %s, want %s", r.element.whole.found(), r.element.wants()))
		default:
			m.applyOnce(r)
		}
	}
	m.index.kind = missing
}

// applyOnce applies a rule to what is in the slots.
func (m *Mapper) applyOnce(r *rule) {
	if r.valuesFrom != nil {
		m.applyEntries(r)
		return
	}
	if r.value.slot.absent() {
		m.out.Skipped++
		return
	}
	number, reason := m.number(r.value.slot)
	if reason != "" {
		m.refuse(r, valueFault(r.value.slot, reason).at("value "+r.value.source))
		return
	}
	at, f := m.timestamp(r)
	if f != nil {
		m.refuse(r, f)
		return
	}
	m.shareKey(r)
	m.emit(r, number, at)
}

// applyEntries makes a sample of each number in a map.
func (m *Mapper) applyEntries(r *rule) {
	from := r.valuesFrom.slot
	switch {
	case from.absent():
		m.out.Skipped++
		return
	case from.kind != object:
		m.refuse(r, faultf(ReasonWrongType, "values_from %s: found %s, want an object", r.valuesFrom.source, from.found()))
		return
	}
	at, timed := int64(0), false
	for e := m.entries(from, &m.fields); e.next() && !m.full(); {
		if !e.value.numeric() {
			m.out.Skipped++
			continue
		}
		if !timed { // Once for all of them, but not where there are none.
			var f *fault
			if at, f = m.timestamp(r); f != nil {
				m.refuse(r, f)
				return
			}
			m.shareKey(r)
			m.shared, timed = len(m.key), true
		}
		*m.field = e.name
		m.applyEntry(r, &e, at)
	}
}

// applyEntry makes a sample of one number in a map. The key holds what all of them
// share.
func (m *Mapper) applyEntry(r *rule, e *entries, at int64) {
	number, reason := m.number(&e.value)
	if reason != "" {
		m.refuse(r, valueFault(&e.value, reason).at("values_from "+r.valuesFrom.source+": "+e.name.found()))
		return
	}
	m.key = m.key[:m.shared]
	for _, slot := range r.spread {
		m.key = m.appendKey(m.key, slot)
	}
	m.emit(r, number, at)
}

// shareKey starts the key of the series cache with what all samples of the
// rule's current values have in common.
func (m *Mapper) shareKey(r *rule) {
	m.key = append(m.key[:0], r.prefix...)
	for _, slot := range r.sources {
		m.key = m.appendKey(m.key, slot)
	}
}

// emit appends a sample of the series that the key leads to.
func (m *Mapper) emit(r *rule, number float64, at int64) {
	s := m.cache.find(m.key, m.batch)
	if s == nil {
		labels, f := m.builder.build(m, r)
		if f != nil {
			m.refuse(r, f)
			return
		}
		if s = m.cache.add(m.key, labels, m.batch); s == nil {
			m.refuse(r, exceeds(limitSeries, "found a new series while %d are known, want at most %d", m.cache.known.Load(), m.cache.limits.Series))
			return
		}
	}
	m.given++
	if s.Encoded == "" {
		m.out.Dropped++
		return
	}
	if at > m.latest || len(m.out.Samples) == m.start {
		m.latest = at
	}
	m.out.Samples = append(m.out.Samples, Sample{Series: s, Record: m.rec, Timestamp: at, Value: number})
}

// timestamp reads the sample's time, in milliseconds, and holds it against the
// limits.
func (m *Mapper) timestamp(r *rule) (int64, *fault) {
	at, reason := m.rec.Timestamp.UnixMilli(), Reason("")
	if r.time != nil {
		if at, reason = r.timeReader.milliseconds(r.time.slot, &m.scratch); reason == ReasonBadTimestamp {
			return 0, faultf(reason, "timestamp %s: found %s, want %s", r.time.source, r.time.slot.found(), r.timeReader.String())
		}
	}
	switch {
	case reason != "":
		return 0, faultf(reason, "timestamp %s: found %s, which does not fit", r.time.source, r.time.slot.found())
	case at < m.earliest:
		return 0, exceeds(limitMinTimestamp, "timestamp %s: found %s, want none before %s",
			r.timeSource(), formatMillis(at), formatMillis(m.earliest))
	case at > m.last:
		return 0, exceeds(limitMaxFuture, "timestamp %s: found %s, want none more than %s ahead of the clock",
			r.timeSource(), formatMillis(at), m.cfg.Limits.MaxFuture)
	}
	return at, nil
}

// timeSource says for people where the timestamp is from.
func (r *rule) timeSource() string {
	if r.time == nil {
		return "of the record"
	}
	return r.time.source
}

func valueFault(v *value, reason Reason) *fault {
	want := "a number, a numeric text or a boolean"
	if reason == ReasonOutOfRange {
		want = "a number that fits a double"
	}
	return faultf(reason, "found %s, want %s", v.found(), want)
}

// refuse notes that a rule could not make a sample.
func (m *Mapper) refuse(r *rule, f *fault) {
	m.given++
	m.metrics.limits.exceed(f.limit)
	if m.index.kind != missing {
		f.at(fmt.Sprintf("element %d of %s", m.index.bits, r.each.source))
	}
	m.out.Refused = append(m.out.Refused, Refusal{
		Record: m.rec, Stage: StageMap, Reason: f.reason, Text: printable(f.at(r.title).text), Rule: r.index, Exact: true,
	})
}
