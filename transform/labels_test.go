package transform

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLabelsAreTextNumbersAndBooleans(t *testing.T) {
	const config = `samples: [{name: m, value: v, labels: {a: a, b: b.c}}]`
	f := func(record, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, config, record))
	}
	f(`{"v":1,"a":"x","b":{"c":"y"}}`, "m{a=\"x\", b=\"y\"} 1\n")
	f(`{"v":1,"a":1e3,"b":{"c":true}}`, "m{a=\"1e3\", b=\"true\"} 1\n")
	f(`{"v":1,"a":-0.50,"b":{"c":false}}`, "m{a=\"-0.50\", b=\"false\"} 1\n")
	f(`{"v":1,"a":"","b":{"c":null}}`, "m 1\n")
	f(`{"v":1,"a":"","b":"no object"}`, "m 1\n")
	f(`{"v":1}`, "m 1\n")
	f(`{"v":1,"a":"\u00e5\n\"\\\/\ud83d\ude00"}`, `m{a="å\n\"\\/😀"} 1`+"\n")
	f(`{"v":1,"a":"\ud800x"}`, "m{a=\"\uFFFDx\"} 1\n")
	f(`{"v":1,"\u0061":"x"}`, "m{a=\"x\"} 1\n")
	f(`{"v":1,"a":{}}`, "wrong_type: samples[0] (m): label a: a: found an object, want text, a number or a boolean\n")
	f(`{"v":1,"b":{"c":[1]}}`, "wrong_type: samples[0] (m): label b: b.c: found an array, want text, a number or a boolean\n")
}

func TestLabelsFixedAndRequired(t *testing.T) {
	const config = `samples: [{name: m, value: v, labels: {env: {fixed: "$prod.${x}"}, gone: {fixed: ""}, id: {path: id, required: true}}}]`
	f := func(record, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, config, record))
	}
	f(`{"v":1,"id":5}`, "m{env=\"$prod.${x}\", id=\"5\"} 1\n")
	f(`{"v":1}`, "missing_field: samples[0] (m): label id: id: found nothing, want a value, because the label is required\n")
	f(`{"v":1,"id":null}`, "missing_field: samples[0] (m): label id: id: found null, want a value, because the label is required\n")
	f(`{"v":1,"id":""}`, "missing_field: samples[0] (m): label id: id: found the text \"\", want a value, because the label is required\n")
	f(`{"v":null}`, "filtered: no_value\nskipped: 1\n")
	require.Equal(t, "missing_field: samples[0] (m): label x: it is required and empty\n",
		mapped(t, `samples: [{name: m, value: v, labels: {x: {fixed: "", required: true}}}]`, `{"v":1}`))
}

func TestTemplatesAreEmptyWhereAPartIs(t *testing.T) {
	const config = `samples: [{name: "app_${name}", value: v, labels: {l: "${a}-${b.c}"}}]`
	f := func(record, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, config, record))
	}
	f(`{"v":1,"name":"x","a":1,"b":{"c":"y"}}`, "app_x{l=\"1-y\"} 1\n")
	f(`{"v":1,"name":"x","a":1}`, "app_x 1\n")
	f(`{"v":1,"name":"x","a":"","b":{"c":"y"}}`, "app_x 1\n")
	f(`{"v":1}`, "no_name: samples[0] (app_${name}): found no metric name: want name to give one, or labels_from to have __name__\n")
	f(`{"v":1,"name":[]}`, "wrong_type: samples[0] (app_${name}): name: found an array, want text, a number or a boolean\n")
}

func TestLabelsFromTakesAllEntries(t *testing.T) {
	f := func(record, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, `samples: [{value: v, labels_from: l}]`, record))
	}
	f(`{"v":1,"l":{"__name__":"m","b":"2","a":true,"c":1.50,"d":null,"e":""}}`, "m{a=\"true\", b=\"2\", c=\"1.50\"} 1\n")
	f(`{"v":1,"l":{ "__name__" : "m" , "\u0061" : "\u0062" }}`, "m{a=\"b\"} 1\n")
	f(`{"v":1,"l":{"\u005f_name__":"m"}}`, "m 1\n")
	f(`{"v":1,"l":{}}`, "no_name: samples[0]: found no metric name: want name to give one, or labels_from to have __name__\n")
	f(`{"v":1,"l":{"__name__":""}}`, "no_name: samples[0]: found no metric name: want name to give one, or labels_from to have __name__\n")
	f(`{"v":1}`, "missing_field: samples[0]: labels_from l: found nothing, want an object\n")
	f(`{"v":1,"l":null}`, "missing_field: samples[0]: labels_from l: found null, want an object\n")
	f(`{"v":1,"l":"x"}`, "wrong_type: samples[0]: labels_from l: found the text \"x\", want an object\n")
	f(`{"v":1,"l":[]}`, "wrong_type: samples[0]: labels_from l: found an array, want an object\n")
	f(`{"v":1,"l":{"__name__":"m","a":{}}}`, "wrong_type: samples[0]: labels_from l: \"a\": found an object, want text, a number or a boolean\n")
	f(`{"v":1,"l":{"__name__":"m","__tmp":"x"}}`,
		"reserved_label: samples[0]: labels_from l: the label name \"__tmp\" is reserved: want none that starts with two underscores, but __name__\n")
	f(`{"v":1,"l":{"__name__":"m","-_name__":"x"}}`,
		"reserved_label: samples[0]: labels_from l: the label name \"-_name__\" is reserved: want none that starts with two underscores, but __name__\n")
	f(`{"v":1,"l":{"__name__":"m","":"x"}}`, "bad_name: samples[0]: labels_from l: the label name \"\" is not valid\n")
	f(`{"v":1,"l":{"__name__":"m","a.b":"x","a-b":"y"}}`, "duplicate_label: samples[0]: the label a_b is there twice, with the values \"x\" and \"y\"\n")
	f(`{"v":1,"l":{"__name__":"m","a":"x","a":"x"}}`, "duplicate_label: samples[0]: the label a is there twice, with the values \"x\" and \"x\"\n")
	f(`{"v":1,"l":{"__name__":"m","a.b":"","a-b":"y"}}`, "m{a_b=\"y\"} 1\n")
}

func TestLabelsOfTheRuleWinOverLabelsFrom(t *testing.T) {
	const config = `samples: [{name: "${n}", value: v, labels: {a: x}, labels_from: [l, k]}]`
	f := func(record, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, config, record))
	}
	f(`{"v":1,"n":"m","x":"own","l":{"__name__":"other","a":"from"},"k":{"b":"2"}}`, "m{a=\"own\", b=\"2\"} 1\n")
	f(`{"v":1,"l":{"__name__":"other","a":"from"},"k":{"b":"2"}}`, "other{a=\"from\", b=\"2\"} 1\n") // Where they have a value.
	f(`{"v":1,"n":"m","x":"own","l":{"a":"1"},"k":{"a":"2"}}`, "m{a=\"own\"} 1\n")
	f(`{"v":1,"n":"m","l":{"a":"1"},"k":{"a":"1"}}`, "duplicate_label: samples[0] (${n}): the label a is there twice, with the values \"1\" and \"1\"\n")
}

func TestLabelNamesFollowTheConfiguredNaming(t *testing.T) {
	f := func(naming, record, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, `{samples: [{value: v, labels_from: l}], label_names: `+naming+`}`, record))
	}
	const dotted = `{"v":1,"l":{"__name__":"my.metric:x","a.b":"1","2nd":"2","å":"3"}}`
	f("sanitize", dotted, "my_metric:x{_=\"3\", _2nd=\"2\", a_b=\"1\"} 1\n")
	f("utf8", dotted, "{\"my.metric:x\", \"2nd\"=\"2\", \"a.b\"=\"1\", \"å\"=\"3\"} 1\n")
	f("strict", dotted, "bad_name: samples[0]: labels_from l: the metric name \"my.metric:x\" is not valid\n")
	f("strict", `{"v":1,"l":{"__name__":"m","a.b":"1"}}`, "bad_name: samples[0]: labels_from l: the label name \"a.b\" is not valid\n")
	f("strict", `{"v":1,"l":{"__name__":"m:x","a_b":"1"}}`, "m:x{a_b=\"1\"} 1\n")
	f("sanitize", `{"v":1,"l":{"__name__":"m","a:b":"1"}}`, "m{a_b=\"1\"} 1\n")
}

func TestLabelsAreHeldAgainstTheLimits(t *testing.T) {
	const config = `{samples: [{value: v, labels_from: l}], limits: {labels: 3, name_bytes: 5, value_bytes: 4}}`
	f := func(record, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, config, record))
	}
	f(`{"v":1,"l":{"__name__":"metri","abcde":"1234","b":"2"}}`, "metri{abcde=\"1234\", b=\"2\"} 1\n")
	f(`{"v":1,"l":{"__name__":"m","a":"1","b":"2","c":"3"}}`, "too_large: samples[0]: found 4 labels, want at most 3 (limits.labels)\n")
	f(`{"v":1,"l":{"__name__":"metric"}}`, "too_large: samples[0]: the name \"metric\" has 6 bytes, want at most 5 (limits.name_bytes)\n")
	f(`{"v":1,"l":{"__name__":"m","abcdef":"1"}}`, "too_large: samples[0]: the name \"abcdef\" has 6 bytes, want at most 5 (limits.name_bytes)\n")
	f(`{"v":1,"l":{"__name__":"m","a":"12345"}}`, "too_large: samples[0]: the value of label \"a\" has 5 bytes, want at most 4 (limits.value_bytes)\n")
}

func TestLabelsFromBytesThatAreNotUTF8AreRefused(t *testing.T) {
	rec := testRecord(`{"v":1}`)
	rec.Key = []byte("a\xffb")
	m := newTestMapper(t, `samples: [{name: m, value: v, labels: {key: $key}}]`)
	_, out := apply(t, m, rec)
	require.Len(t, out.Refused, 1)
	require.Equal(t, ReasonBadLabel, out.Refused[0].Reason)
	require.Equal(t, `samples[0] (m): the value "a\xffb" of label "key" is not UTF-8`, out.Refused[0].Text)
	rec.Key = nil
	v, out := apply(t, m, rec)
	require.Equal(t, "m 1\n", outcome(v, out))
}

// relabelConfig maps l with the given write_relabel_configs.
func relabelMapper(t *testing.T, rules string) *Mapper {
	t.Helper()
	cfg := parseConfig(t, `samples: [{value: v, labels_from: l}]`)
	cfg.Relabel = parseRelabel(t, rules)
	m, err := NewMapper(cfg, Options{})
	require.NoError(t, err)
	return m
}

func TestRelabellingChangesDropsAndRefuses(t *testing.T) {
	f := func(rules, record, want string) {
		t.Helper()
		m := relabelMapper(t, rules)
		for range 2 { // The second time, the series is known.
			v, out := apply(t, m, testRecord(record))
			require.Equal(t, want, outcome(v, out))
		}
	}
	const record = `{"v":1,"l":{"__name__":"m","a":"1","b":"2"}}`
	f(`[{action: labeldrop, regex: a}]`, record, "m{b=\"2\"} 1\n")
	f(`[{target_label: cluster, replacement: c1}, {source_labels: [a], target_label: c}]`, record, "m{a=\"1\", b=\"2\", c=\"1\", cluster=\"c1\"} 1\n")
	f(`[{action: drop, source_labels: [__name__], regex: m}]`, record, "filtered: dropped\ndropped: 1\n")
	f(`[{action: keep, source_labels: [a], regex: "1"}]`, record, "m{a=\"1\", b=\"2\"} 1\n")
	f(`[{action: labeldrop, regex: .*}]`, record, "no_name: samples[0]: found no metric name: want name to give one, or labels_from to have __name__\n")
	f(`[{source_labels: [a], target_label: __tmp}]`, record, "reserved_label: samples[0]: write_relabel_configs left the label \"__tmp\": want labeldrop to remove it\n")
	f(`[{target_label: __name__, replacement: a.b}]`, record, "bad_name: samples[0]: write_relabel_configs made the metric name \"a.b\", which is not valid\n")
	f(`[{action: labelmap, regex: "x(.)", replacement: "$1"}]`, `{"v":1,"l":{"__name__":"m","x0":"1"}}`,
		"bad_name: samples[0]: write_relabel_configs made the label name \"0\", which is not valid\n")
}

func TestRelabellingThatMakesSeriesEqualSharesTheSeries(t *testing.T) {
	m := relabelMapper(t, `[{action: labeldrop, regex: host}]`)
	_, a := apply(t, m, testRecord(`{"v":1,"l":{"__name__":"m","host":"a"}}`))
	_, b := apply(t, m, testRecord(`{"v":2,"l":{"__name__":"m","host":"b"}}`))
	require.Same(t, a.Samples[0].Series, b.Samples[0].Series)
	require.Equal(t, 1, m.Series())
}

func TestRefusalsStayShortAndPrintable(t *testing.T) {
	got := mapped(t, `samples: [{name: m, value: v}]`, `{"v":"\u0000\u001b[2J`+strings.Repeat("å", 5000)+`"}`)
	require.Less(t, len(got), 400)
	require.NotContains(t, got, "\x1b")
	require.Contains(t, got, `found the text "\x00\x1b[2Jå`)
	require.Contains(t, got, "å…\"")
}
