package config

import "fmt"

// Warnings says what is allowed but probably not meant, or dangerous. None holds a
// secret.
func (c *Config) Warnings() []string {
	warnings := c.Kafka.Warnings()
	for _, p := range c.Pipelines {
		for _, warning := range p.warnings() {
			warnings = append(warnings, fmt.Sprintf("pipeline %s: %s", p.Name, warning))
		}
	}
	return warnings
}

func (p Pipeline) warnings() []string {
	warnings := p.RemoteWrite.Warnings()
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	r := p.Consumer
	if r.OnError == "stop" && r.DeadLetter == nil {
		warn("on_error: stop without dead_letter: one bad record stops the pipeline until somebody has dealt with it")
	}
	if r.OnError == "skip" {
		warn("on_error: skip: refused records are counted, and lost")
	}
	if r.DeadLetter != nil && r.OnError != "dead_letter" {
		warn("dead_letter.topic: nothing is written to it under on_error: %s", r.OnError)
	}
	if r.Start == "latest" {
		warn("start: latest: records from before the group's first start are never read")
	}
	if r.Isolation == "read_uncommitted" {
		warn("isolation: read_uncommitted: records of aborted transactions give samples")
	}
	if r.GroupProtocol == "consumer" {
		warn("group_protocol: consumer: the broker decides about session_timeout, heartbeat_interval and balancer")
	}
	if p.Retry.MaxAttempts > 0 {
		warn("retry.max_attempts: an outage of the receiver stops the pipeline after %s", count(p.Retry.MaxAttempts, "attempt"))
	}
	for i, rule := range p.Mapping.Samples {
		if rule.Timestamp.Path == "" {
			warn("samples[%d] has no timestamp: its samples get the time that Kafka has for the record", i)
		}
	}
	if s := p.Mapping.SchemaRegistry; s != nil && s.HTTPClientConfig.TLSConfig.InsecureSkipVerify {
		warn("schema_registry.tls_config.insecure_skip_verify: anybody on the path can change how records are read")
	}
	return warnings
}
