package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEachFaultOfTheFileIsToldWithItsLine(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		// What is no configuration at all.
		{"an empty file", "", "config.yaml:1: the file is empty: config.yaml of the distribution is a place to start"},
		{"comments only", "# a\n# b\n", "config.yaml:1: the file is empty: config.yaml of the distribution is a place to start"},
		{"null", "---\n~\n", "config.yaml:1: the file is empty: config.yaml of the distribution is a place to start"},
		{"two documents", minimal + "---\n" + minimal, "config.yaml:11: a second document begins here: a file holds one configuration"},
		{"text", "hello", "config.yaml:1: want a section with keys, have text"},
		{"a list", "- kafka", "config.yaml:1: want a section with keys, have a list"},
		{"UTF-16", "\xff\xfek\x00", "config.yaml:1: the file is UTF-16: save it as UTF-8"},
		{"Latin-1", "kafka:\n  client_id: caf\xe9\n", "config.yaml:2: a byte that is no text: the file must be UTF-8 without control characters"},
		{"a control character", "kafka:\n\n  client_id: a\x00\n", "config.yaml:3: a byte that is no text: the file must be UTF-8 without control characters"},
		{"a tab", "kafka:\n\tbrokers: [a:1]\n", "config.yaml:2: a tab in the indentation: YAML wants spaces"},
		{"a bracket that is not closed", "kafka:\n  brokers: [a\n", "config.yaml:2: not YAML: did not find expected ',' or ']', here or in what begins here"},
		{"a colon in text", "kafka:\n  brokers: [a:1]\n  client_id: a: b\n", "config.yaml:3: not YAML: mapping values are not allowed in this context"},
		{"an indentation that ends nowhere", "kafka:\n    brokers: [a:1]\n  client_id: a\n", "config.yaml:3: not YAML: did not find expected key, here or in what begins here"},

		// Keys.
		{"a misspelt key", strings.Replace(minimal, "value:", "valu:", 1), `config.yaml:8: pipelines[0].samples[0].valu: unknown key; did you mean "value"?`},
		{"two letters changed places", with("toipcs: [a]"), `config.yaml:6: pipelines[0].toipcs: unknown key; did you mean "topics"?`},
		{"camel case", with("shutdownTimeout: 1s"), `config.yaml:6: pipelines[0].shutdownTimeout: unknown key; did you mean "shutdown_timeout"?`},
		{"hyphens", with("on-error: stop"), `config.yaml:6: pipelines[0].on-error: unknown key; did you mean "on_error"?`},
		{"a key from one level down", with("max_samples: 1"), `config.yaml:6: pipelines[0].max_samples: unknown key; did you mean "batch.max_samples"?`},
		{"a key from one level up", with("batch: {shards: 1}"), `config.yaml:6: pipelines[0].batch.shards: unknown key; did you mean "pipelines[0].shards"?`},
		{"a key from the other side", with("brokers: [a:1]"), `config.yaml:6: pipelines[0].brokers: unknown key; did you mean "kafka.brokers"?`},
		{"a key of two sections", with("basic_auth: {username: u}"), `config.yaml:6: pipelines[0].basic_auth: unknown key; did you mean "schema_registry.basic_auth" or "remote_write.basic_auth"?`},
		{"a key that is joined to its section", with("dead_letter_topic: d"), `config.yaml:6: pipelines[0].dead_letter_topic: unknown key; did you mean "dead_letter.topic"?`},
		{"a key like no other", with("xyzzy: 1"), `config.yaml:6: pipelines[0].xyzzy: unknown key`},
		{"an unknown section", minimal + "metrics: {}\n", `config.yaml:11: metrics: unknown key`},
		{"a key of a mapped timestamp", strings.Replace(minimal, "value: temp", "value: temp\n        timestamp: {path: t, fromat: s}", 1), `config.yaml:9: pipelines[0].samples[0].timestamp.fromat: unknown key; did you mean "format"?`},
		{"a key of a mapped label", strings.Replace(minimal, "value: temp", "value: temp\n        labels: {a: {pth: t}}", 1), `config.yaml:9: pipelines[0].samples[0].labels.a.pth: unknown key; did you mean "path"?`},
		{"a key twice", minimal + "kafka: {brokers: [b:1]}\n", `config.yaml:11: kafka: the key is already there on line 1`},
		{"a key that is a mapping", "{a: b}: c\n" + minimal, `config.yaml:1: a key that is no text: quote it if it is a name or a template in braces`},

		// Keys of other programs.
		{"url", with("url: http://x"), `config.yaml:6: pipelines[0].url: unknown key; here it is "remote_write.url"`},
		{"key_label", with("key_label: l"), `config.yaml:6: pipelines[0].key_label: unknown key; here it is "samples[].labels_from"`},
		{"key_value in a rule", strings.Replace(minimal, "value:", "key_value:", 1), `config.yaml:8: pipelines[0].samples[0].key_value: unknown key; here it is "value"`},
		{"key_timestamp", with("key_timestamp: t"), `config.yaml:6: pipelines[0].key_timestamp: unknown key; here it is "samples[].timestamp"`},
		{"batch_size", with("batch_size: 1024"), `config.yaml:6: pipelines[0].batch_size: unknown key; here it is "batch.max_samples"`},
		{"flush_interval", with("flush_interval: 300000"), `config.yaml:6: pipelines[0].flush_interval: unknown key; here it is "batch.max_age"`},
		{"backoff", with("retry_backoff_multiplier_ms: 100"), `config.yaml:6: pipelines[0].retry_backoff_multiplier_ms: unknown key; here it is "retry.min_backoff"`},
		{"largest backoff", with("retry_backoff_max_ms: 100"), `config.yaml:6: pipelines[0].retry_backoff_max_ms: unknown key; here it is "retry.max_backoff"`},
		{"connect timeout", with("connect_timeout_ms: 100"), `config.yaml:6: pipelines[0].connect_timeout_ms: unknown key; here it is "connect_timeout"`},
		{"socket timeout", with("socket_timeout_ms: 100"), `config.yaml:6: pipelines[0].socket_timeout_ms: unknown key; here it is "remote_write.remote_timeout"`},
		{"bootstrap.servers", strings.Replace(minimal, "brokers: [localhost:9092]", "bootstrap.servers: a:1", 1), `config.yaml:2: kafka.bootstrap.servers: unknown key; here it is "kafka.brokers"`},
		{"group.id", with("group.id: g"), `config.yaml:6: pipelines[0].group.id: unknown key; here it is "group"`},
		{"group.id in kafka", strings.Replace(minimal, "kafka:", "kafka:\n  group.id: g", 1), `config.yaml:2: kafka.group.id: unknown key; here it is "pipelines[].group"`},
		{"auto.offset.reset", with("auto.offset.reset: latest"), `config.yaml:6: pipelines[0].auto.offset.reset: unknown key; here it is "start"`},
		{"queue_config", minimal + "      queue_config: {max_shards: 3}\n", "config.yaml:11: pipelines[0].remote_write.queue_config: unknown key; " +
			"the queue belongs to the pipeline: max_samples_per_send is batch.max_samples, batch_send_deadline is batch.max_age, min_shards and max_shards are shards, " +
			"min_backoff and max_backoff are retry.min_backoff and retry.max_backoff; 429 is always retried, and no sample is dropped for its age"},
		{"metadata_config one level up", with("metadata_config: {}"), "config.yaml:6: pipelines[0].metadata_config: unknown key; records carry no metric metadata: leave it out"},

		// Values of another type.
		{"text for a list", strings.Replace(minimal, "[localhost:9092]", "localhost:9092", 1), "config.yaml:2: kafka.brokers: want a list, have text: write it in brackets, or each element after a dash"},
		{"a mapping for a list", "kafka: {brokers: [a:1]}\npipelines: {a: {}}\n", "config.yaml:2: pipelines: want a list, have a mapping: write it in brackets, or each element after a dash"},
		{"text for a section", minimal + "log: debug\n", "config.yaml:11: log: want a section with keys, have text"},
		{"a list for text", with("group: [a]"), "config.yaml:6: pipelines[0].group: want text, have a list"},
		{"a list for a mapping", minimal + "      headers: [a]\n", "config.yaml:11: pipelines[0].remote_write.headers: want a mapping from names to values, have a list"},
		{"text for a number", with("shards: four"), `config.yaml:6: pipelines[0].shards: want a whole number, have "four"`},
		{"a fraction for a number", with("shards: 1.5"), `config.yaml:6: pipelines[0].shards: want a whole number, have "1.5"`},
		{"a number that is too large", with("dead_letter: {topic: d, replication: 70000}"), `config.yaml:6: pipelines[0].dead_letter.replication: want a whole number, have "70000"`},
		{"text for a truth value", with("dead_letter: {topic: d, create: maybe}"), `config.yaml:6: pipelines[0].dead_letter.create: want true or false, have "maybe"`},
		{"a size", with("batch: {max_bytes: 1 MB/s}"), `config.yaml:6: pipelines[0].batch.max_bytes: "1 MB/s" is not a size: want a number of bytes such as 1048576, 512KiB, 16MiB or 1GB`},
		{"a time", with("limits: {min_timestamp: 1970}"), `config.yaml:6: pipelines[0].limits.min_timestamp: want a time such as 2026-11-01T00:00:00Z, have "1970"`},
		{"a duration without a unit", with("batch: {max_age: 10}"), "config.yaml:6: pipelines[0].batch.max_age: 10 of what? Add a unit, for example 10s or 10ms"},
		{"a quoted duration without a unit", with(`batch: {max_age: "1.5"}`), "config.yaml:6: pipelines[0].batch.max_age: 1.5 of what? Add a unit, for example 1.5s or 1.5ms"},
		{"a duration with another unit", with("batch: {max_age: 1 month}"), `config.yaml:6: pipelines[0].batch.max_age: "1 month" is not a duration: want a number with a unit such as 500ms, 10s, 5m, 6h or 2d`},
		{"a list for a duration", with("batch: {max_age: [1s]}"), "config.yaml:6: pipelines[0].batch.max_age: want a duration such as 10s, have a list"},
		{"an element that is not there", "kafka:\n  brokers:\n    -\n    - a:1\n" + minimal[len("kafka:\n  brokers: [localhost:9092]\n"):], "config.yaml:3: kafka.brokers[0]: nothing is there: remove the dash or write a value"},
		{"a relabel action", minimal + "      write_relabel_configs:\n        - {action: explode}\n", `config.yaml:12: pipelines[0].remote_write.write_relabel_configs[0].action: unknown relabel action "explode"`},
		{"a relabel rule", minimal + "      write_relabel_configs:\n        - {action: keep}\n        - {action: hashmod, source_labels: [a]}\n", "config.yaml:13: pipelines[0].remote_write.write_relabel_configs[1]: relabel configuration for hashmod requires non-zero modulus"},
		{"a 0 that is none", with("batch:", "  in_flight: 0"), "config.yaml:7: pipelines[0].batch.in_flight: 0 is not possible: leave the key out for the default, 4"},
		{"no nodes", with("limits: {nodes: 0}"), "config.yaml:6: pipelines[0].limits.nodes: 0 is not possible: leave the key out for the default, 200000"},
		{"no series", with("limits: {series: 0}"), "config.yaml:6: pipelines[0].limits.series: 0 is not possible: leave the key out for the default, 2000000"},
		{"a negative limit", with("limits: {nodes: -1}"), "config.yaml:6: pipelines[0].limits.nodes: -1 is out of range: want 1 to 1073741824, or 0 for the default"},
		{"records that no fetch can bring", with("limits: {record_bytes: 65MiB}"), "config.yaml:6: pipelines[0].limits.record_bytes: 65MiB is more than kafka.max_decompressed_bytes, 64MiB: " +
			"a compressed record of that size would be lost with its batch instead of being read"},
		{"0 seconds", with("session_timeout: 0s"), "config.yaml:6: pipelines[0].session_timeout: 0 is not possible: leave the key out for the default, 10s"},

		// Aliases.
		{"an alias that never ends", "kafka: &a\n  brokers: [b:1]\n  tls: *a\n", "config.yaml:1: pipelines: missing: want at least one pipeline\nconfig.yaml:3: kafka.tls: an alias to a section around it"},
		{"a merge of text", "kafka:\n  <<: hello\n  brokers: [b:1]\n", "config.yaml:1: pipelines: missing: want at least one pipeline\nconfig.yaml:2: kafka: << wants a mapping, or a list of mappings"},

		// Meanings.
		{"no broker", strings.Replace(minimal, "[localhost:9092]", "[]", 1), "config.yaml:2: kafka.brokers: at least one broker is needed, such as localhost:9092"},
		{"no kafka", strings.TrimPrefix(minimal, "kafka:\n  brokers: [localhost:9092]\n"), "config.yaml:1: kafka.brokers: at least one broker is needed, such as localhost:9092"},
		{"no pipelines", "kafka: {brokers: [a:1]}\n", "config.yaml:1: pipelines: missing: want at least one pipeline"},
		{"an empty list of pipelines", "kafka: {brokers: [a:1]}\npipelines: []\n", "config.yaml:2: pipelines: missing: want at least one pipeline"},
		{"no name", strings.Replace(minimal, "name: sensors", "group: g", 1), "config.yaml:4: pipelines[0].name: missing: the name is in metrics and logs, and the group is called after it"},
		{"a name with a space", strings.Replace(minimal, "name: sensors", "name: my sensors", 1), `config.yaml:4: pipelines[0].name: "my sensors": want letters, digits, underscores and hyphens`},
		{"no topics", strings.Replace(minimal, "    topics: [sensors]\n", "", 1), "config.yaml:4: pipelines[0].topics: missing: want the names of topics, or patterns that start with ^"},
		{"no rules", strings.Replace(minimal, "    samples:\n      - name: temperature\n        value: temp\n", "", 1), "config.yaml:4: pipelines[0].samples: there is no rule, so that no record would give a sample"},
		{"a pattern", with("exclude_topics: [a, ^(]"), "config.yaml:6: pipelines[0].exclude_topics[1]: \"^(\" is no pattern: error parsing regexp: missing closing ): `^(`"},
		{"start", with("start: yesterday"), `config.yaml:6: pipelines[0].start: "yesterday" is no start: want earliest, latest, a time such as 2026-11-01T00:00:00Z, or a duration back from now such as -6h`},
		{"dead letters without a topic", with("on_error: dead_letter"), "config.yaml:6: pipelines[0].on_error: dead_letter needs a topic: set dead_letter.topic"},
		{"an empty dead_letter", with("dead_letter:"), "config.yaml:6: pipelines[0].dead_letter.topic: missing: want the name of a topic, or leave out dead_letter"},
		{"a secret twice", strings.Replace(minimal, "kafka:", "kafka:\n  sasl: {mechanism: SCRAM-SHA-256, username: u, password: hunter2, password_file: f}", 1), "config.yaml:2: kafka.sasl.password: SCRAM-SHA-256 needs one of password and password_file"},
		{"a number that two packages need", with("batch: {max_samples: -1}"), "config.yaml:6: pipelines[0].batch.max_samples: -1 is not possible: want at least 1"},
		{"a log level", minimal + "log:\n  level: loud\n", `config.yaml:12: log.level: want debug, info, warn or error, have "loud"`},
		{"a log format", minimal + "log: {format: xml}\n", `config.yaml:11: log.format: want console or json, have "xml"`},
		{"an address", minimal + "server: {listen: 9808}\n", `config.yaml:11: server.listen: "9808" is no address: want one such as ":9808" or "127.0.0.1:9808"`},
		{"a port that is too large", minimal + `server: {listen: ":98080"}` + "\n", `config.yaml:11: server.listen: ":98080" is no address: want one such as ":9808" or "127.0.0.1:9808"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, loadError(t, test.text))
		})
	}
}

// two is a configuration with two pipelines; each line is put into its pipeline.
func two(a, b string) string {
	return `kafka: {brokers: [localhost:9092]}
pipelines:
  - name: a
    samples: [{name: x, value: v}]
    remote_write: {url: "http://localhost:9090/api/v1/write"}
    ` + a + `
  - name: b
    samples: [{name: x, value: v}]
    remote_write: {url: "http://localhost:9090/api/v1/write"}
    ` + b + "\n"
}

func TestPipelinesMustNotDisturbEachOther(t *testing.T) {
	lines := func(lines ...string) string { return strings.Join(lines, "\n    ") }
	shared := func(line int, group, what string) string {
		return fmt.Sprintf("config.yaml:%d: pipelines[1].group: %q is also the group of pipeline \"a\", and both read %s: "+
			"each would get a part of the partitions; give each a group of its own", line, group, what)
	}
	for _, test := range []struct{ name, text, want string }{
		{"the same name", strings.Replace(two("topics: [t]", "topics: [u]"), "name: b", "name: a", 1), `config.yaml:7: pipelines[1].name: "a" is also the name of pipelines[0]`},
		{"the same topic", two(lines("topics: [s, t]", "group: g"), lines("group: g", "topics: [t]")), shared(11, "g", `the topic "t"`)},
		{"a pattern and a name", two(lines("topics: [^plant-]", "group: g"), lines("group: g", "topics: [plant-1]")), shared(11, "g", `the topic "plant-1"`)},
		{"a name and a pattern", two(lines("topics: [plant-1]", "group: g"), lines("group: g", "topics: [^plant-]")), shared(11, "g", `the topic "plant-1"`)},
		{"the same pattern", two(lines("topics: [^plant-]", "group: g"), lines("group: g", "topics: [^plant-]")), shared(11, "g", `the pattern "^plant-"`)},
		{"patterns that begin alike", two(lines("topics: [^plant-]", "group: g"), lines("group: g", "topics: ['^plant-[0-9]']")), shared(11, "g", `topics that may match both "^plant-" and "^plant-[0-9]"`)},
		{"the default group of another", two("topics: [t]", lines("group: kafka2prom-a", "topics: [t]")), shared(10, "kafka2prom-a", `the topic "t"`)},
		{"its own dead letters", two(lines("topics: [t, d]", "dead_letter: {topic: d}"), "topics: [u]"), `config.yaml:7: pipelines[0].dead_letter.topic: "d" is also read: every dead letter would come back as one`},
		{"another's dead letters", two(lines("topics: [t]", "dead_letter: {topic: d}"), "topics: [u, d]"), `config.yaml:11: pipelines[1].topics[1]: "d" is the dead-letter topic of pipeline "a": its records are no input of a pipeline`},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, loadError(t, test.text))
		})
	}
}

func TestPipelinesThatDoNotMeetMayShareAGroup(t *testing.T) {
	for _, topics := range [][2]string{
		{"topics: [a]", "topics: [b]"},
		{"topics: [^a-]", "topics: [^b-]"},
		{"topics: [^a-]", "topics: [b-1]"},
	} {
		load(t, two(topics[0]+"\n    group: g", topics[1]+"\n    group: g"))
	}
	load(t, two("topics: [t]", "topics: [t]"))
}

func TestEverythingThatIsWrongIsSaidAtOnceAndByLine(t *testing.T) {
	text := strings.NewReplacer("value:", "valu:", "url: http://localhost:9090/api/v1/write", "remote_timeout: 5").Replace(
		with("shrads: 3", "session_timeout: 10", "start: soon", "on_error: dead_letter")) + "log: {level: loud}\n"

	require.Equal(t, `config.yaml:6: pipelines[0].shrads: unknown key; did you mean "shards"?
config.yaml:7: pipelines[0].session_timeout: 10 of what? Add a unit, for example 10s or 10ms
config.yaml:12: pipelines[0].samples[0].valu: unknown key; did you mean "value"?
config.yaml:13: pipelines[0].remote_write.url: want the URL of the receiver, such as http://localhost:9090/api/v1/write
config.yaml:14: pipelines[0].remote_write.remote_timeout: 5 of what? Add a unit, for example 5s or 5ms
config.yaml:15: log.level: want debug, info, warn or error, have "loud"
KAFKA2PROM_LOG__FORMAT: log.format: want console or json, have "xml"`, loadError(t, text, "KAFKA2PROM_LOG__FORMAT=xml"))
}

func TestNothingThatMayBeASecretIsRepeated(t *testing.T) {
	for name, text := range map[string]string{
		"an unquoted *":           "kafka:\n  sasl:\n    password: *hunter2\n",
		"an unquoted !":           "kafka:\n  sasl:\n    password: !hunter2\n",
		"an unquoted ! with text": "kafka:\n  sasl:\n    password: !hunter2 x\n",
		"an unquoted {":           "kafka:\n  sasl:\n    password: {hunter2}\n",
		"an unquoted [":           "kafka:\n  sasl:\n    password: [hunter2]\n",
		"an unquoted @":           "kafka:\n  sasl:\n    password: @hunter2\n",
		"an unquoted %":           "kafka:\n  sasl:\n    password: %hunter2\n",
		"an unquoted `":           "kafka:\n  sasl:\n    password: `hunter2\n",
		"a quote inside":          "kafka:\n  sasl:\n    password: \"a\"hunter2\"\n",
		"a colon":                 "kafka:\n  sasl:\n    password: a: hunter2\n",
		"an escape":               "kafka:\n  sasl:\n    password: \"\\hunter2\"\n",
		"a misspelt key":          "kafka:\n  sasl:\n    passwrod: hunter2\n",
		"a URL that is none":      strings.Replace(minimal, "localhost:9090", "user:hunter2/@localhost:x", 1),
		"a port that is none":     strings.Replace(minimal, "localhost:9090", "user:@localhost:hunter2", 1),
		"a URL with a password":   strings.Replace(minimal, "localhost:9090", "user:hunter2@localhost:9090", 1),
		"both twins":              minimal + "      basic_auth: {username: u, password: hunter2, password_file: f}\n",
		"both bearers":            minimal + "      bearer_token: hunter2\n      bearer_token_file: f\n",
		"a list of secrets":       minimal + "      http_headers: {X: {secrets: hunter2}}\n",
		"a header":                minimal + "      headers: {Content-Type: hunter2}\n",
	} {
		t.Run(name, func(t *testing.T) {
			require.NotContains(t, loadError(t, text), "hunter2")
		})
	}
}

func TestAliasesThatMultiplyAreBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := '1'; i <= '9'; i++ {
		text.WriteString(strings.NewReplacer("N", string(i), "M", string(i-1)).Replace("aN: &aN [*aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM]\n"))
	}

	require.Contains(t, loadError(t, text.String()), "more than 100000 values: do the aliases multiply?")
}

// replaceNames gives the pipelines of two other names.
func replaceNames(text, a, b string) string {
	return strings.NewReplacer("name: a\n", "name: "+a+"\n", "name: b\n", "name: "+b+"\n").Replace(text)
}
