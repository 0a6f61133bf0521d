package config

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kafka2prom/kafka2prom/consumer"
	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

// Validate returns everything that is wrong with a configuration that has its
// defaults, as *fielderr.Error: what the packages find, and what only the whole
// shows.
func (c *Config) Validate() []error {
	errs := fielderr.Under("kafka", c.Kafka.Validate())
	errs = append(errs, fielderr.Under("server", c.Server.Validate())...)
	errs = append(errs, fielderr.Under("log", c.Log.Validate())...)
	if len(c.Pipelines) == 0 {
		errs = append(errs, fielderr.New("pipelines", "missing: want at least one pipeline"))
	}
	for i, p := range c.Pipelines {
		errs = append(errs, fielderr.Under(at(i), p.Validate())...)
	}
	errs = append(errs, c.checkNames()...)
	errs = append(errs, c.checkGroups()...)
	errs = append(errs, c.checkRecordBytes()...)
	return append(errs, c.checkDeadLetters()...)
}

func at(pipeline int) string { return fielderr.Index("pipelines", pipeline) }

// Validate checks the address.
func (s ServerConfig) Validate() []error {
	_, port, err := net.SplitHostPort(s.Listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return []error{fielderr.New("listen", `%q is no address: want one such as ":9808" or "127.0.0.1:9808"`, s.Listen)}
	}
	return nil
}

// Validate checks the names of level and format.
func (l LogConfig) Validate() []error {
	var errs []error
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, l.Level) {
		errs = append(errs, fielderr.New("level", "want debug, info, warn or error, have %q", l.Level))
	}
	if l.Format != "console" && l.Format != "json" {
		errs = append(errs, fielderr.New("format", "want console or json, have %q", l.Format))
	}
	return errs
}

// pipelineName is what a pipeline may be called: the name is part of metrics, of
// the group and of variables.
var pipelineName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// Validate asks the packages that the parts of the pipeline belong to.
func (p Pipeline) Validate() []error {
	var errs []error
	switch {
	case p.Name == "":
		errs = append(errs, fielderr.New("name", "missing: the name is in metrics and logs, and the group is called after it"))
	case !pipelineName.MatchString(p.Name):
		errs = append(errs, fielderr.New("name", "%q: want letters, digits, underscores and hyphens", p.Name))
	}
	errs = append(errs, p.Consumer.Validate()...)
	mapping, destination := p.Transform(), p.Writer()
	errs = append(errs, mapping.Validate()...)
	return append(errs, destination.Validate()...)
}

// checkNames finds pipelines that are called the same.
func (c *Config) checkNames() []error {
	var errs []error
	for i, p := range c.Pipelines {
		first := slices.IndexFunc(c.Pipelines[:i], func(q Pipeline) bool { return q.Name == p.Name })
		if first >= 0 && p.Name != "" {
			errs = append(errs, fielderr.New(at(i)+".name", "%q is also the name of %s", p.Name, at(first)))
		}
	}
	return errs
}

// checkGroups finds pipelines that would take partitions from each other.
func (c *Config) checkGroups() []error {
	var errs []error
	for i, p := range c.Pipelines {
		for _, q := range c.Pipelines[:i] {
			if p.Consumer.Group != q.Consumer.Group || p.Name == q.Name {
				continue
			}
			if what := overlap(q.Consumer.Topics, p.Consumer.Topics); what != "" {
				errs = append(errs, fielderr.New(at(i)+".group",
					"%q is also the group of pipeline %q, and both read %s: each would get a part of the partitions; give each a group of its own",
					p.Consumer.Group, q.Name, what))
			}
		}
	}
	return errs
}

// overlap says what two lists of topics have in common.
func overlap(a, b []string) string {
	for _, x := range a {
		for _, y := range b {
			if what := common(x, y); what != "" {
				return what
			}
		}
	}
	return ""
}

// common says which topics are meant by both of two names or patterns. Whether two
// patterns match the same name cannot be known; they are taken to where one begins
// like the other.
func common(x, y string) string {
	switch {
	case x == y && isPattern(x):
		return fmt.Sprintf("the pattern %q", x)
	case x == y:
		return fmt.Sprintf("the topic %q", x)
	case isPattern(x) && isPattern(y):
		if p, q := literalPrefix(x), literalPrefix(y); strings.HasPrefix(p, q) || strings.HasPrefix(q, p) {
			return fmt.Sprintf("topics that may match both %q and %q", x, y)
		}
	case isPattern(x) && matches(x, y):
		return fmt.Sprintf("the topic %q", y)
	case isPattern(y) && matches(y, x):
		return fmt.Sprintf("the topic %q", x)
	}
	return ""
}

func isPattern(topic string) bool { return strings.HasPrefix(topic, "^") }

// matches says whether a pattern matches a name. A pattern that does not compile
// has been reported.
func matches(pattern, topic string) bool {
	ok, err := regexp.MatchString(pattern, topic)
	return err == nil && ok
}

// literalPrefix is how every match of a pattern begins.
func literalPrefix(pattern string) string {
	re, err := regexp.Compile(strings.TrimPrefix(pattern, "^"))
	if err != nil {
		return pattern
	}
	prefix, _ := re.LiteralPrefix()
	return prefix
}

// checkRecordBytes finds pipelines that would take larger records than a fetch may
// bring.
func (c *Config) checkRecordBytes() []error {
	var errs []error
	for i, p := range c.Pipelines {
		if record, most := p.Mapping.Limits.RecordBytes, cmp.Or(c.Kafka.MaxDecompressedBytes, consumer.MaxDecompressedBytes); record > most {
			errs = append(errs, fielderr.New(at(i)+".limits.record_bytes",
				"%v is more than kafka.max_decompressed_bytes, %v: a compressed record of that size would be lost with its batch instead of being read", record, most))
		}
	}
	return errs
}

// checkDeadLetters finds pipelines that read, by its name, the dead-letter topic
// of another. Reading one's own is found by the pipeline itself.
func (c *Config) checkDeadLetters() []error {
	var errs []error
	for i, p := range c.Pipelines {
		for j, topic := range p.Consumer.Topics {
			for k, q := range c.Pipelines {
				if k != i && q.Consumer.DeadLetter != nil && q.Consumer.DeadLetter.Topic == topic && topic != "" {
					errs = append(errs, fielderr.New(fielderr.Index(at(i)+".topics", j),
						"%q is the dead-letter topic of pipeline %q: its records are no input of a pipeline", topic, q.Name))
				}
			}
		}
	}
	return errs
}

// excludeDeadLetters leaves the dead-letter topics of all pipelines out of the
// patterns of each.
func (c *Config) excludeDeadLetters() {
	for i := range c.Pipelines {
		p := &c.Pipelines[i].Consumer
		if !slices.ContainsFunc(p.Topics, isPattern) {
			continue
		}
		for _, q := range c.Pipelines {
			if d := q.Consumer.DeadLetter; d != nil && d.Topic != "" && !slices.Contains(p.ExcludeTopics, d.Topic) {
				p.ExcludeTopics = append(p.ExcludeTopics, d.Topic)
			}
		}
	}
}
