package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func describe(c *Config) string {
	var out strings.Builder
	c.Describe(&out)
	return out.String()
}

func TestTheDocumentedConfigurationIsDescribedInPlainWords(t *testing.T) {
	c, err := Load(Source{Path: documented})
	require.NoError(t, err)

	require.Equal(t, `Kafka     localhost:9092

Pipeline sensors
  reads   the topic sensors
          as group kafka2prom-sensors, from the beginning where the group has no offset yet
  makes   of each json record:
            room_temperature_celsius{device="<device.id>", site="<$header.site>"}
              the value is reading.temp; the time is reading.at, RFC 3339, or a number of milliseconds
  writes  to http://localhost:9090/api/v1/write, by remote write 2.0 if the receiver knows it, else 1.0
          up to 4 requests at a time, of up to 10000 samples each
          a sample waits 1s at most for others; 4 batches are in memory
          while the receiver is down: it tries for ever, with pauses from 100ms to 10s
  refuses records into the topic sensors.dead, which it makes where it is missing
  stops   within 20s of SIGTERM, and 10s for the last commit

Serves    metrics, health and status on :9808
`, describe(c))
}

func TestEverythingUnusualIsDescribed(t *testing.T) {
	text := `kafka:
  brokers: [a:1, b:2]
  tls: {insecure_skip_verify: true}
  sasl: {mechanism: PLAIN, username: u, password: hunter2}
pipelines:
  - name: plants
    topics: ["^plant-[0-9]+$", weather, tide]
    group: g
    start: latest
    on_error: skip
    dead_letter: {topic: dead}
    isolation: read_uncommitted
    group_protocol: consumer
    batch: {max_samples: 1, max_age: 1m}
    shards: 1
    retry: {max_attempts: 1, max_backoff: 1h}
    shutdown_timeout: 90s
    zone: Europe/Oslo
    samples:
      - name: ${kind}_total
        each: readings
        value: v
        timestamp: {path: t, format: "%d.%m.%Y"}
        labels: {a: "x-${b}", c: {fixed: d}}
        labels_from: [tags, more]
      - values_from: numbers
        name: plant_${$field}
        timestamp: {path: t, format: s}
      - labels_from: all
        value: v
    remote_write:
      url: https://mimir.example/api/v1/push?token=hunter2
      protocol: "1.0"
      write_relabel_configs: [{action: labeldrop, regex: host}]
  - name: old
    topics: [old]
    start: -7d
    samples: [{name: x, value: v, timestamp: t}]
    remote_write: {url: "http://localhost/write", protobuf_message: prometheus.WriteRequest}
  - name: since
    topics: ["^since"]
    start: 2026-11-01T00:00:00Z
    dead_letter: {topic: since.dead}
    samples: [{name: x, value: v, timestamp: t}]
    remote_write: {url: "http://localhost/write"}
`

	require.Equal(t, `Kafka     a:1, b:2
          over TLS
          logged in by PLAIN

Pipeline plants
  reads   the topics weather, tide, and every topic that matches ^plant-[0-9]+$, except dead, since.dead
          as group g, from now on where the group has no offset yet
  makes   of each json record:
            ${kind}_total{a="x-${b}", c="d", every entry of tags, every entry of more}
              for each element of readings: the value is v; the time is t, as %d.%m.%Y
            plant_${$field}
              one for each number in numbers; the time is t, in seconds
            {every entry of all}
              the value is v; the time is the record's own
          then 1 rule of write_relabel_configs
  writes  to https://mimir.example/api/v1/push?<secret>, by remote write 1.0
          up to 1 request at a time, of up to 1 sample each
          a sample waits 1m at most for others; 4 batches are in memory
          while the receiver is down: 1 attempt, with pauses from 100ms to 1h, then the pipeline stops without loss
  refuses records by counting and forgetting them
  stops   within 1m30s of SIGTERM, and 10s for the last commit

Pipeline old
  reads   the topic old
          as group kafka2prom-old, from 7d ago where the group has no offset yet
  makes   of each json record:
            x
              the value is v; the time is t, RFC 3339, or a number of milliseconds
  writes  to http://localhost/write, by prometheus.WriteRequest
          up to 4 requests at a time, of up to 10000 samples each
          a sample waits 1s at most for others; 4 batches are in memory
          while the receiver is down: it tries for ever, with pauses from 100ms to 10s
  refuses no record: it stops at the first that gives no sample, after committing those before
  stops   within 20s of SIGTERM, and 10s for the last commit

Pipeline since
  reads   every topic that matches ^since, except dead, since.dead
          as group kafka2prom-since, from 2026-11-01T00:00:00Z where the group has no offset yet
  makes   of each json record:
            x
              the value is v; the time is t, RFC 3339, or a number of milliseconds
  writes  to http://localhost/write, by remote write 2.0 if the receiver knows it, else 1.0
          up to 4 requests at a time, of up to 10000 samples each
          a sample waits 1s at most for others; 4 batches are in memory
          while the receiver is down: it tries for ever, with pauses from 100ms to 10s
  refuses records into the topic since.dead, which must exist
  stops   within 20s of SIGTERM, and 10s for the last commit

Serves    metrics, health and status on :9808

Warnings
  kafka.tls.insecure_skip_verify: anybody on the path can pretend to be the brokers, and learn the credentials
  pipeline plants: on_error: skip: refused records are counted, and lost
  pipeline plants: dead_letter.topic: nothing is written to it under on_error: skip
  pipeline plants: start: latest: records from before the group's first start are never read
  pipeline plants: isolation: read_uncommitted: records of aborted transactions give samples
  pipeline plants: group_protocol: consumer: the broker decides about session_timeout, heartbeat_interval and balancer
  pipeline plants: retry.max_attempts: an outage of the receiver stops the pipeline after 1 attempt
  pipeline plants: samples[2] has no timestamp: its samples get the time that Kafka has for the record
  pipeline old: on_error: stop without dead_letter: one bad record stops the pipeline until somebody has dealt with it
`, describe(load(t, text)))
}

func TestAWarningForEachDangerOfItsOwn(t *testing.T) {
	c := load(t, strings.Replace(with("schema_registry: {url: https://r, tls_config: {insecure_skip_verify: true}}", "dead_letter: {topic: d}"),
		"value: temp", "value: temp\n        timestamp: at", 1)+"      tls_config: {insecure_skip_verify: true}\n")

	require.Equal(t, []string{
		"pipeline sensors: remote_write.tls_config.insecure_skip_verify: anybody on the path can read and change what is sent, the credentials included",
		"pipeline sensors: schema_registry.tls_config.insecure_skip_verify: anybody on the path can change how records are read",
	}, c.Warnings())
}
