package config

// elsewhere translates the names that other programs use; empty: it knows no
// such name. A translation that begins with kafka or pipelines is a whole path, any
// other is relative to the section.
func elsewhere(name, path string) string {
	switch indices.ReplaceAllString(path, "[]") {
	case "", "kafka":
		return clientNames()[name]
	case "pipelines[]":
		return jobNames()[name]
	case "pipelines[].samples[]":
		return map[string]string{
			"key_label":     "labels_from",
			"key_value":     "value",
			"key_timestamp": "timestamp",
			"metric":        "name",
			"metric_name":   "name",
		}[name]
	}
	return ""
}

// clientNames are properties of Kafka clients.
func clientNames() map[string]string {
	return map[string]string{ //nolint:gosec // These are names of keys.
		"bootstrap.servers": "kafka.brokers",
		"bootstrap_servers": "kafka.brokers",
		"bootstrap-servers": "kafka.brokers",
		"client.id":         "kafka.client_id",
		"client.rack":       "kafka.rack",
		"sasl.mechanism":    "kafka.sasl.mechanism",
		"sasl.mechanisms":   "kafka.sasl.mechanism",
		"sasl.username":     "kafka.sasl.username",
		"sasl.password":     "kafka.sasl.password",
		"security.protocol": "kafka.tls",
		"fetch.max.bytes":   "kafka.fetch_max_bytes",
		"fetch.max.wait.ms": "kafka.fetch_max_wait",
		"group.id":          "pipelines[].group",
		"auto.offset.reset": "pipelines[].start",
	}
}

// jobNames are what SeaTunnel's Kafka source and Prometheus sink call the keys of
// a pipeline, and the properties of Kafka clients that belong to one.
func jobNames() map[string]string {
	return map[string]string{
		"key_label":                   "samples[].labels_from",
		"key_value":                   "samples[].value",
		"key_timestamp":               "samples[].timestamp",
		"batch_size":                  "batch.max_samples",
		"flush_interval":              "batch.max_age",
		"retry_backoff_multiplier_ms": "retry.min_backoff",
		"retry_backoff_max_ms":        "retry.max_backoff",
		"connect_timeout_ms":          "connect_timeout",
		"socket_timeout_ms":           "remote_write.remote_timeout",
		"url":                         "remote_write.url",
		"headers":                     "remote_write.headers",
		"topic":                       "topics",
		"consumer.group":              "group",
		"group.id":                    "group",
		"group_id":                    "group",
		"start_mode":                  "start",
		"auto.offset.reset":           "start",
		"auto_offset_reset":           "start",
		"bootstrap.servers":           "kafka.brokers",
		"isolation.level":             "isolation",
		"group.instance.id":           "instance_id",
		"session.timeout.ms":          "session_timeout",
		"heartbeat.interval.ms":       "heartbeat_interval",
		"auto.commit.interval.ms":     "commit_interval",
		"max.poll.interval.ms":        "stall_timeout",
		"relabel_configs":             "remote_write.write_relabel_configs",
	}
}
