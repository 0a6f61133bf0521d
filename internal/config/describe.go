package config

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kafka2prom/kafka2prom/transform"
)

// commitTime is what the last commit may take after a drain.
const commitTime = 10 * time.Second

// Describe writes what the program would do, in plain words and without secrets.
func (c *Config) Describe(w io.Writer) {
	var d description
	d.line("Kafka", "%s", strings.Join(c.Kafka.Brokers, ", "))
	if c.Kafka.TLS != nil {
		d.more("over TLS")
	}
	if s := c.Kafka.SASL; s != nil {
		d.more("logged in by %s", s.Mechanism)
	}
	for _, p := range c.Pipelines {
		d.pipeline(p)
	}
	d.text.WriteByte('\n')
	d.line("Serves", "metrics, health and status on %s", c.Server.Listen)
	if warnings := c.Warnings(); len(warnings) > 0 {
		d.text.WriteString("\nWarnings\n")
		for _, warning := range warnings {
			fmt.Fprintf(&d.text, "  %s\n", warning)
		}
	}
	_, _ = io.WriteString(w, d.text.String())
}

// description is a text of two columns.
type description struct{ text strings.Builder }

func (d *description) line(what, format string, args ...any) {
	fmt.Fprintf(&d.text, "%-9s %s\n", what, fmt.Sprintf(format, args...))
}

func (d *description) more(format string, args ...any) { d.line("", format, args...) }

func (d *description) pipeline(p Pipeline) {
	r := p.Consumer
	fmt.Fprintf(&d.text, "\nPipeline %s\n", p.Name)
	d.line("  reads", "%s", topics(r.Topics, r.ExcludeTopics))
	d.more("as group %s, %s", r.Group, start(r.Start))
	d.line("  makes", "of each %s record:", p.Mapping.Format)
	for _, rule := range p.Mapping.Samples {
		d.rule(rule)
	}
	if n := len(p.RemoteWrite.WriteRelabelConfigs); n > 0 {
		d.more("then %s of write_relabel_configs", count(n, "rule"))
	}
	d.line("  writes", "to %s, by %s", shownURL(p), protocol(p))
	d.more("up to %s at a time, of up to %s each", count(p.Shards, "request"), count(r.Batch.MaxSamples, "sample"))
	d.more("a sample waits %s at most for others; %d batches are in memory", brief(r.Batch.MaxAge), r.Batch.InFlight)
	d.more("while the receiver is down: %s", attempts(p))
	d.line("  refuses", "%s", refusals(p))
	d.line("  stops", "within %s of SIGTERM, and %s for the last commit", brief(r.ShutdownTimeout), brief(commitTime))
}

func (d *description) rule(r transform.Rule) {
	d.more("  %s", example(r))
	value := "the value is " + r.Value
	if r.ValuesFrom != "" {
		value = "one for each number in " + r.ValuesFrom
	}
	if r.Each != "" {
		value = "for each element of " + r.Each + ": " + value
	}
	d.more("    %s; the time is %s", value, timestamp(r.Timestamp))
}

// example is a series that the rule makes, with paths in place of what they lead
// to.
func example(r transform.Rule) string {
	var labels []string
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		spec := r.Labels[name]
		value := "<" + spec.Path + ">"
		switch {
		case spec.Fixed != nil:
			value = *spec.Fixed
		case strings.Contains(spec.Path, "${"):
			value = spec.Path
		}
		labels = append(labels, name+"="+strconv.Quote(value))
	}
	for _, from := range r.LabelsFrom {
		labels = append(labels, "every entry of "+from)
	}
	if len(labels) == 0 {
		return r.Name
	}
	return r.Name + "{" + strings.Join(labels, ", ") + "}"
}

func timestamp(t transform.TimestampSpec) string {
	if t.Path == "" {
		return "the record's own"
	}
	how := map[string]string{
		"":        "RFC 3339, or a number of milliseconds",
		"rfc3339": "RFC 3339",
		"s":       "in seconds", "ms": "in milliseconds", "us": "in microseconds", "ns": "in nanoseconds",
	}[t.Format]
	return t.Path + ", " + cmp.Or(how, "as "+t.Format)
}

func topics(topics, exclude []string) string {
	var names, patterns []string
	for _, topic := range topics {
		if isPattern(topic) {
			patterns = append(patterns, topic)
		} else {
			names = append(names, topic)
		}
	}
	var parts []string
	if len(names) > 0 {
		parts = append(parts, plural(len(names), "the topic")+" "+strings.Join(names, ", "))
	}
	if len(patterns) > 0 {
		text := "every topic that matches " + strings.Join(patterns, " or ")
		if len(exclude) > 0 {
			text += ", except " + strings.Join(exclude, ", ")
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", and ")
}

func start(start string) string {
	const when = "where the group has no offset yet"
	switch {
	case start == "earliest":
		return "from the beginning " + when
	case start == "latest":
		return "from now on " + when
	case strings.HasPrefix(start, "-"):
		return "from " + start[1:] + " ago " + when
	}
	return "from " + start + " " + when
}

func shownURL(p Pipeline) string {
	if p.RemoteWrite.URL == nil || p.RemoteWrite.URL.URL == nil {
		return ""
	}
	return redactURL(p.RemoteWrite.URL.String())
}

func protocol(p Pipeline) string {
	if p.RemoteWrite.ProtobufMessage != "" {
		return p.RemoteWrite.ProtobufMessage
	}
	if p.RemoteWrite.Protocol == "auto" {
		return "remote write 2.0 if the receiver knows it, else 1.0"
	}
	return "remote write " + p.RemoteWrite.Protocol
}

func attempts(p Pipeline) string {
	pauses := fmt.Sprintf("with pauses from %s to %s", brief(p.Retry.MinBackoff), brief(p.Retry.MaxBackoff))
	if p.Retry.MaxAttempts > 0 {
		return fmt.Sprintf("%s, %s, then the pipeline stops without loss", count(p.Retry.MaxAttempts, "attempt"), pauses)
	}
	return "it tries for ever, " + pauses
}

func refusals(p Pipeline) string {
	r := p.Consumer
	switch {
	case r.OnError == "dead_letter" && r.DeadLetter != nil && r.DeadLetter.Create:
		return "records into the topic " + r.DeadLetter.Topic + ", which it makes where it is missing"
	case r.OnError == "dead_letter" && r.DeadLetter != nil:
		return "records into the topic " + r.DeadLetter.Topic + ", which must exist"
	case r.OnError == "skip":
		return "records by counting and forgetting them"
	}
	return "no record: it stops at the first that gives no sample, after committing those before"
}

// brief writes a duration without the zeros at its end.
func brief(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func count(n int, what string) string { return fmt.Sprintf("%d %s", n, plural(n, what)) }

func plural(n int, what string) string {
	if n == 1 {
		return what
	}
	return what + "s"
}
