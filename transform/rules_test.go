package transform

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValuesAreNumbersNumericTextAndBooleans(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, `samples: [{name: m, value: v}]`, `{"v":`+value+`}`))
	}
	const refused = ", want a number, a numeric text or a boolean\n"
	f(`1.5`, "m 1.5\n")
	f(`-0`, "m -0\n")
	f(`12345678901234567890`, "m 1.2345678901234567e+19\n")
	f(`5e-324`, "m 5e-324\n")
	f(`1e-400`, "m 0\n")
	f(`true`, "m 1\n")
	f(`false`, "m 0\n")
	f(`"1.5"`, "m 1.5\n")
	f(`"-1e3"`, "m -1000\n")
	f(`"+.5"`, "m 0.5\n")
	f(`"007"`, "m 7\n")
	f(`"\u0031\u002e5"`, "m 1.5\n")
	f(`"NaN"`, "m NaN\n")
	f(`"Inf"`, "m +Inf\n")
	f(`"+Inf"`, "m +Inf\n")
	f(`"-Inf"`, "m -Inf\n")
	f(`null`, "filtered: no_value\nskipped: 1\n")
	f(`1e309`, "out_of_range: samples[0] (m): value v: found 1e309, want a number that fits a double\n")
	f(`"-1e309"`, "out_of_range: samples[0] (m): value v: found the text \"-1e309\", want a number that fits a double\n")
	for _, text := range []string{``, ` 1`, `1 `, `0x10`, `1_000`, `inf`, `nan`, `infinity`, `+NaN`, `1,5`, `1e`, `.`, `-`, `e5`, `true`, `٣`} {
		f(`"`+text+`"`, "not_a_number: samples[0] (m): value v: found the text \""+text+"\""+refused)
	}
	f(`{}`, "wrong_type: samples[0] (m): value v: found an object"+refused)
	f(`[1]`, "wrong_type: samples[0] (m): value v: found an array"+refused)
}

func TestValuesNeverHaveTheBitsOfTheStaleMarker(t *testing.T) {
	const stale = 0x7ff0000000000002
	m := newTestMapper(t, `samples: [{name: m, value: v}]`)
	_, out := apply(t, m, testRecord(`{"v":"NaN"}`))
	require.Equal(t, uint64(canonicalNaN), math.Float64bits(out.Samples[0].Value))
	m.decoder = treeOf(map[string]any{"v": math.Float64frombits(stale)})
	_, out = apply(t, m, testRecord(`x`))
	require.Equal(t, uint64(canonicalNaN), math.Float64bits(out.Samples[0].Value))
}

func TestValuesFromMakesASampleOfEachNumber(t *testing.T) {
	f := func(record, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t,
			`samples: [{name: "m_${field}", values_from: f, labels: {l: l, field: $field, both: "${$field}-${l}"}, timestamp: t}]`, record))
	}
	f(`{"f":{"a":1,"b":true,"c":"3","d":null,"e":{},"f":[]},"l":"x","t":5000}`, lines(
		`m_a{both="a-x", field="a", l="x"} 1 1970-01-01T00:00:05Z`,
		`m_b{both="b-x", field="b", l="x"} 1 1970-01-01T00:00:05Z`,
		`skipped: 4`))
	f(`{"f":{"a.b":1,"\u0063":2},"t":5000}`, lines(
		`m_a_b{field="a.b"} 1 1970-01-01T00:00:05Z`,
		`m_c{field="c"} 2 1970-01-01T00:00:05Z`))
	f(`{"f":{"a":1e999,"b":2},"t":5000}`, lines(
		`m_b{field="b"} 2 1970-01-01T00:00:05Z`,
		`out_of_range: samples[0] (m_${field}): values_from f: the text "a": found 1e999, want a number that fits a double`))
	f(`{"f":{}}`, "filtered: no_value\n")
	f(`{"f":{"a":"x"}}`, "filtered: no_value\nskipped: 1\n") // No sample needs the timestamp.
	f(`{"f":{"a":1,"b":2}}`, "bad_timestamp: samples[0] (m_${field}): timestamp t: found nothing, want RFC 3339 text, or a number of milliseconds\n")
	f(`{}`, "filtered: no_value\nskipped: 1\n")
	f(`{"f":null}`, "filtered: no_value\nskipped: 1\n")
	f(`{"f":"x"}`, "wrong_type: samples[0] (m_${field}): values_from f: found the text \"x\", want an object\n")
	f(`{"f":[1]}`, "wrong_type: samples[0] (m_${field}): values_from f: found an array, want an object\n")
}

func TestFieldIsAKeyWhereThereIsNoValuesFrom(t *testing.T) {
	require.Equal(t, "m_x 1\n", mapped(t, `samples: [{name: "m_${field}", value: v}]`, `{"v":1,"field":"x"}`))
	require.Equal(t, "m_a{l=\"x\"} 1\n", mapped(t, `samples: [{name: "m_${field}", values_from: v, labels: {l: '${["field"]}'}}]`, `{"v":{"a":1},"field":"x"}`))
}

func TestEachAppliesTheRuleToEveryElement(t *testing.T) {
	f := func(record, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t,
			`samples: [{name: m, each: a.b, value: v, labels: {l: l, i: $index, root: $record.l}, timestamp: {path: t, format: s}}]`, record))
	}
	f(`{"a":{"b":[{"v":1,"l":"x","t":1},{"v":2,"t":2},{"v":"3","l":"z","t":3}]},"l":"r"}`, lines(
		`m{i="0", l="x", root="r"} 1 1970-01-01T00:00:01Z`,
		`m{i="1", root="r"} 2 1970-01-01T00:00:02Z`,
		`m{i="2", l="z", root="r"} 3 1970-01-01T00:00:03Z`))
	f(`{"a":{"b":[ {"v":1,"t":1} , null , {"v":null} , 7 , {"v":"x"} , [] , {"v":2,"v":3} , {"v":4,"t":1} ]}}`, lines(
		`m{i="0"} 1 1970-01-01T00:00:01Z`,
		`m{i="7"} 4 1970-01-01T00:00:01Z`,
		`not_an_object: samples[0] (m): element 3 of a.b: found 7, want an object`,
		`not_a_number: samples[0] (m): element 4 of a.b: value v: found the text "x", want a number, a numeric text or a boolean`,
		`not_an_object: samples[0] (m): element 5 of a.b: found an array, want an object`,
		`not_decodable: samples[0] (m): element 6 of a.b: duplicate key "v" at byte 76`,
		`skipped: 2`))
	f(`{"a":{"b":[]}}`, "filtered: no_value\n")
	f(`{"a":{}}`, "filtered: no_value\nskipped: 1\n")
	f(`{"a":{"b":null}}`, "filtered: no_value\nskipped: 1\n")
	f(`{"a":{"b":{}}}`, "wrong_type: samples[0] (m): each a.b: found an object, want an array\n")
	f(`{"a":{"b":"x"}}`, "wrong_type: samples[0] (m): each a.b: found the text \"x\", want an array\n")
}

func TestEachLeavesTheOtherRulesAlone(t *testing.T) {
	require.Equal(t, lines(
		`m 1`,
		`not_a_number: samples[0] (m): element 1 of a: value .: found the text "x", want a number, a numeric text or a boolean`,
		`not_a_number: samples[1] (n): value v: found the text "y", want a number, a numeric text or a boolean`),
		mapped(t, `samples: [{name: m, each: a, value: .}, {name: n, value: v}]`, `{"a":[1,"x"],"v":"y"}`))
}

func TestEachTakesScalarsPairsAndMaps(t *testing.T) {
	f := func(rule, record, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, `samples: [`+rule+`]`, record))
	}
	f(`{name: m, each: a, value: ., labels: {i: $index}}`, `{"a":[1,null,"3"]}`, "m{i=\"0\"} 1\nm{i=\"2\"} 3\nskipped: 1\n")
	f(`{name: m, each: values, value: "[1]", timestamp: {path: "[0]", format: s}, labels_from: $record.metric}`,
		`{"metric":{"a":"b"},"values":[[1700000001.5,"7"],[1700000002,"8"]]}`,
		"m{a=\"b\"} 7 2023-11-14T22:13:21.5Z\nm{a=\"b\"} 8 2023-11-14T22:13:22Z\n")
	f(`{name: "${n}_${field}", each: ., values_from: f, labels_from: t}`, `[{"n":"cpu","f":{"x":1,"y":2},"t":{"h":"a"}},{"n":"mem","f":{"z":3},"t":{}}]`,
		"cpu_x{h=\"a\"} 1\ncpu_y{h=\"a\"} 2\nmem_z 3\n")
}

func TestTimestampsAreHeldAgainstTheLimits(t *testing.T) {
	const config = `{samples: [{name: m, value: v, timestamp: t}], limits: {min_timestamp: 2020-01-01T00:00:00Z}}`
	f := func(record, want string) {
		t.Helper()
		require.Equal(t, want, mapped(t, config, record))
	}
	f(`{"v":1,"t":1577836800000}`, "m 1 2020-01-01T00:00:00Z\n")
	f(`{"v":1,"t":1577836799999}`,
		"timestamp_range: samples[0] (m): timestamp t: found 2019-12-31T23:59:59.999Z, want none before 2020-01-01T00:00:00Z (limits.min_timestamp)\n")
	f(`{"v":1,"t":-1}`,
		"timestamp_range: samples[0] (m): timestamp t: found 1969-12-31T23:59:59.999Z, want none before 2020-01-01T00:00:00Z (limits.min_timestamp)\n")
	f(`{"v":1,"t":1e40}`, "timestamp_range: samples[0] (m): timestamp t: found 1e40, which does not fit\n")
	f(`{"v":1,"t":true}`, "bad_timestamp: samples[0] (m): timestamp t: found true, want RFC 3339 text, or a number of milliseconds\n")
	f(`{"v":1,"t":"1577836800000"}`,
		"bad_timestamp: samples[0] (m): timestamp t: found the text \"1577836800000\", want RFC 3339 text, or a number of milliseconds\n")
	require.Equal(t, "timestamp_range: samples[0] (m): timestamp t: found 1970-01-01T00:00:00Z, want none before 1970-01-01T00:00:01Z (limits.min_timestamp)\n",
		mapped(t, `samples: [{name: m, value: v, timestamp: t}]`, `{"v":1,"t":0}`), "a zero is no time")
}
