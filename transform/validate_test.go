package transform

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
	"github.com/kafka2prom/kafka2prom/internal/units"
)

// faults are the errors of a configuration, after its defaults.
func faults(t *testing.T, text string) []string {
	t.Helper()
	cfg := parseConfig(t, text).WithDefaults()
	var texts []string
	for _, err := range cfg.Validate() {
		var fault *fielderr.Error
		require.ErrorAs(t, err, &fault)
		texts = append(texts, err.Error())
	}
	return texts
}

func TestDefaultsAreThoseOfTheDocumentation(t *testing.T) {
	cfg := Config{}.WithDefaults()
	require.Equal(t, Config{
		Format: "json", LabelNames: "sanitize", Zone: "UTC", Avro: AvroConfig{Framing: "auto"},
		Limits: Limits{
			RecordBytes: 1 << 20, Depth: 64, Nodes: 200000, SamplesPerRecord: 10000, Labels: 64, NameBytes: 256, ValueBytes: 4096, Series: 2000000, SeriesCache: 500000,
			MinTimestamp: time.Unix(1, 0).UTC(),
		},
	}, cfg)
	require.Equal(t, cfg, cfg.WithDefaults())
}

func TestDefaultsKeepWhatIsSet(t *testing.T) {
	registry := &RegistryConfig{URL: units.StringList{"http://r"}}
	cfg := Config{Format: "avro", Limits: Limits{Depth: 3}, SchemaRegistry: registry}
	got := cfg.WithDefaults()
	require.Equal(t, "avro", got.Format)
	require.Equal(t, 3, got.Limits.Depth)
	require.Equal(t, 10*time.Second, got.SchemaRegistry.Timeout)
	require.Zero(t, registry.Timeout, "the caller's section was changed")
}

func TestValidateTakesWhatTheDesignShows(t *testing.T) {
	require.Empty(t, faults(t, `
format: json
zone: Europe/Oslo
samples:
  - name: room_temperature_celsius
    value: reading.temp
    timestamp: reading.at
    labels: {device: device.id, site: $header.site, partition: $partition, env: {fixed: prod}, id: {path: "${a}-${b}", required: true}}
    labels_from: tags
  - {value: v, labels_from: [a, b], timestamp: {path: ts, format: "%Y-%m-%d %H:%M:%S", zone: America/New_York}}
  - {name: "${name}_${field}", values_from: fields}
  - {name: m, each: points, values_from: ., labels: {field: $field, index: $index, host: $record.host}}
`))
}

func TestValidateNamesEveryKeyThatIsWrong(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		require.Equal(t, want, faults(t, text))
	}
	f(`{}`, "samples: there is no rule, so that no record would give a sample")
	f(`{format: xml, label_names: loose, zone: Local, samples: [{name: m, value: v}]}`,
		`format: "xml" is unknown: want json or avro`,
		`label_names: "loose" is unknown: want sanitize, utf8 or strict`,
		`zone: "Local" depends on the machine: want UTC or a name such as Europe/Oslo`)
	f(`{zone: Mars/Base, samples: [{name: m, value: v}]}`, `zone: "Mars/Base" is not a time zone: want UTC or a name such as Europe/Oslo`)
	f(`{format: avro, samples: [{name: m, value: v}]}`,
		`avro.schema_file: values without a schema id need one schema here, in schema_file or schema (for ids: set schema_registry); 0 are given`)
	f(`{samples: [{name: m, value: v}], schema_registry: {}}`, `schema_registry.url: is missing`)
	f(`samples: [{name: m}, {name: m, value: a, values_from: b}, {value: v}]`,
		`samples[0].value: is missing: want the path of the number, or values_from with that of a map of numbers`,
		`samples[1].values_from: is set beside value: want one of the two`,
		`samples[1].values_from: gives many samples of one series: want ${field}, the name of the entry, in name or in a label`,
		`samples[2].name: is missing: want a metric name, or labels_from with the path of a map that has __name__`)
	f(`samples: [{name: a-b, value: v, labels: {"c.d": x, __name__: x, __x: x, ok: ""}}]`,
		`samples[0].name: "a-b" is not a metric name: want letters, digits, underscores and colons, and no digit first; or label_names: utf8`,
		`samples[0].labels.__name__: is the metric name: want it in name`,
		`samples[0].labels.__x: is reserved: want a name that does not start with two underscores`,
		`samples[0].labels.c.d: is not a label name: want letters, digits and underscores, and no digit first; or label_names: utf8`,
		`samples[0].labels.ok: is empty: want a path, a template, or fixed with a text`)
	f(`{label_names: utf8, samples: [{name: a-b, value: v, labels: {"c.d": x, "": y}}]}`,
		`samples[0].labels: is not a label name: want letters, digits and underscores, and no digit first`)
	f(`samples: [{name: "${a.}", value: a., each: "$topic", timestamp: {path: "[", format: x, zone: y}, labels: {l: "${", k: "..", two: {path: a, fixed: b}}, labels_from: [a, $key]}]`,
		`samples[0].each: $topic is not in the record's value: want the path of an object or an array there`,
		`samples[0].value: at position 3 of "a.": want a key behind the dot`,
		`samples[0].name: at position 5 of "${a.}": want a key behind the dot`,
		`samples[0].timestamp.path: at position 1 of "[": want an index from 0 to 9999 or a key in double quotes, as in [0] or ["a.b"]`,
		`samples[0].timestamp.zone: "y" is not a time zone: want UTC or a name such as Europe/Oslo`,
		`samples[0].labels_from[1]: $key is not in the record's value: want the path of an object or an array there`,
		`samples[0].labels.k: at position 2 of "..": want nothing behind the dot that means the whole value; a path starts with a key`,
		`samples[0].labels.l: at position 3 of "${": want a path, found nothing`,
		`samples[0].labels.two: has a path beside fixed: want one of the two`)
	f(`samples: [{name: m, value: $field, timestamp: {format: s}, labels: {i: $index}}, {name: m, value: v, timestamp: {zone: UTC}}]`,
		`samples[0].value: $field is the name of the entry of values_from, which is not set`,
		`samples[0].timestamp.format: is set without timestamp.path`,
		`samples[0].labels.i: $index is the position under each, which is not set`,
		`samples[1].timestamp.zone: is set without timestamp.path`)
	f(`{samples: [{name: m, value: v, timestamp: {path: t, format: iso}}]}`,
		`samples[0].timestamp.format: "iso" is unknown: want rfc3339, s, ms, us, ns or a strftime layout such as %Y-%m-%d %H:%M:%S`)
}

func TestValidateHoldsLimitsInRange(t *testing.T) {
	require.Equal(t, []string{
		"limits.record_bytes: 2147483648 is out of range: want 1 to 1073741824, or 0 for the default",
		"limits.depth: 10001 is out of range: want 1 to 10000, or 0 for the default",
		"limits.samples_per_record: -1 is out of range: want 1 to 1073741824, or 0 for the default",
		"limits.max_future: -1s is negative",
	}, faults(t, `{samples: [{name: m, value: v}], limits: {record_bytes: 2GiB, depth: 10001, samples_per_record: -1, max_future: -1s}}`))
}

func TestEveryLimitMayBeAsLargeAsSaid(t *testing.T) {
	f := func(key string, most int) {
		t.Helper()
		limited := func(n int) []string {
			return faults(t, fmt.Sprintf("{samples: [{name: m, value: v}], limits: {%s: %d}}", key, n))
		}
		require.Empty(t, limited(1))
		require.Empty(t, limited(most))
		for _, n := range []int{-1, most + 1} {
			if n < 0 && key == "record_bytes" {
				continue // No size is negative.
			}
			require.Equal(t, []string{fmt.Sprintf("limits.%s: %d is out of range: want 1 to %d, or 0 for the default", key, n, most)}, limited(n))
		}
	}
	f("record_bytes", 1<<30)
	f("depth", 10000)
	f("nodes", 1<<30)
	f("samples_per_record", 1<<30)
	f("labels", 1<<20)
	f("name_bytes", 1<<20)
	f("value_bytes", 1<<30)
	f("series", 1<<30)
	f("series_cache", 1<<30)
}

func TestValidateChecksRelabelling(t *testing.T) {
	cfg := Config{Samples: []Rule{{Name: "m", Value: "v"}}, Relabel: parseRelabel(t, `[{action: labeldrop, regex: a}, {action: hashmod, source_labels: [a]}]`)}.WithDefaults()
	errs := cfg.Validate()
	require.Len(t, errs, 1)
	require.EqualError(t, errs[0], "remote_write.write_relabel_configs[1]: relabel configuration for hashmod requires non-zero modulus")
	require.Empty(t, cfg.Relabel[0].NameValidationScheme, "the caller's rules were changed")
	cfg.Relabel[1] = nil
	require.EqualError(t, cfg.Validate()[0], "remote_write.write_relabel_configs[1]: is empty")
}

func TestSpecsAreTextOrMappings(t *testing.T) {
	cfg := parseConfig(t, `
samples:
  - timestamp: a.b
    labels: {path: x.y, mapping: {path: z, required: true}, fixed: {fixed: text}, number: 5}
    labels_from: tags
  - timestamp: {path: ts, format: s, zone: Europe/Oslo}
`)
	require.Equal(t, TimestampSpec{Path: "a.b"}, cfg.Samples[0].Timestamp)
	require.Equal(t, TimestampSpec{Path: "ts", Format: "s", Zone: "Europe/Oslo"}, cfg.Samples[1].Timestamp)
	fixed := "text"
	require.Equal(t, map[string]LabelSpec{
		"path": {Path: "x.y"}, "mapping": {Path: "z", Required: true}, "fixed": {Fixed: &fixed}, "number": {Path: "5"},
	}, cfg.Samples[0].Labels)
	require.Equal(t, units.StringList{"tags"}, cfg.Samples[0].LabelsFrom)
}

func TestSpecsRefuseUnknownKeys(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		var cfg Config
		require.EqualError(t, yaml.Unmarshal([]byte(text), &cfg), want)
	}
	f("samples:\n- timestamp: {path: a, fromat: s}", "line 2: the key fromat is unknown: want path, format, zone")
	f("samples:\n- labels:\n    a: {path: a,\n      requird: true}", "line 4: the key requird is unknown: want path, fixed, required")
	f("samples:\n- timestamp: [a]", "line 2: want a path, or a mapping with the keys path, format, zone")
	f("samples:\n- labels: {a: [b]}", "line 2: want a path, or a mapping with the keys path, fixed, required")
}

func TestSpecsSurviveBeingWritten(t *testing.T) {
	fixed := ""
	given := Config{Samples: []Rule{{
		Name: "m", Value: "v", Timestamp: TimestampSpec{Path: "t", Format: "s"},
		Labels: map[string]LabelSpec{"a": {Path: "b", Required: true}, "c": {Fixed: &fixed}},
	}}}.WithDefaults()
	text, err := yaml.Marshal(given)
	require.NoError(t, err)
	require.Equal(t, given, parseConfig(t, string(text)))
}
