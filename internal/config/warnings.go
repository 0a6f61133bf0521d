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
	r, warnings := p.Consumer, p.RemoteWrite.Warnings()
	for _, danger := range []struct {
		there bool
		text  string
	}{
		{r.OnError == "stop" && r.DeadLetter == nil, "on_error: stop without dead_letter: one bad record stops the pipeline until somebody has dealt with it"},
		{r.OnError == "skip", "on_error: skip: refused records are counted, and lost"},
		{r.OnError != "dead_letter" && r.DeadLetter != nil, "dead_letter.topic: nothing is written to it under on_error: " + r.OnError},
		{r.Start == "latest", "start: latest: records from before the group's first start are never read"},
		{r.Isolation == "read_uncommitted", "isolation: read_uncommitted: records of aborted transactions give samples"},
		{r.GroupProtocol == "consumer", "group_protocol: consumer: the broker decides about session_timeout, heartbeat_interval and balancer"},
		{p.Retry.MaxAttempts > 0, "retry.max_attempts: an outage of the receiver stops the pipeline after " + count(p.Retry.MaxAttempts, "attempt")},
		{p.registryIsUnverified(), "schema_registry.tls_config.insecure_skip_verify: anybody on the path can change how records are read"},
	} {
		if danger.there {
			warnings = append(warnings, danger.text)
		}
	}
	for i, rule := range p.Mapping.Samples {
		if rule.Timestamp.Path == "" {
			warnings = append(warnings, fmt.Sprintf("samples[%d] has no timestamp: its samples get the time that Kafka has for the record", i))
		}
	}
	return warnings
}

func (p Pipeline) registryIsUnverified() bool {
	registry := p.Mapping.SchemaRegistry
	return registry != nil && registry.HTTPClientConfig.TLSConfig.InsecureSkipVerify
}
