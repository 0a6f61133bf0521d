package transform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func key(k string) step { return step{key: k, index: -1} }

func at(i int) step { return step{index: i} }

// scanPaths scans a document and returns what is at the paths.
func scanPaths(t testing.TB, doc string, paths ...[]step) ([]value, error) {
	t.Helper()
	p := newPlan()
	slots := make([]*value, len(paths))
	for i, path := range paths {
		slots[i] = p.want(path)
	}
	s := newScanner(Limits{Depth: 64, Nodes: math.MaxInt})
	err := s.document([]byte(doc), p)
	got := make([]value, len(slots))
	for i, slot := range slots {
		got[i] = *slot
	}
	return got, err
}

// valid reports whether the scanner takes a document.
func valid(doc []byte) error {
	s := newScanner(Limits{Depth: maxDepth, Nodes: math.MaxInt})
	return s.document(doc, newPlan())
}

// jsonSeeds are documents at the edges of the grammar.
func jsonSeeds() []string {
	return []string{
		``, ` `, `{}`, `[]`, ` { } `, "\t[\n]\r", `{"a":1}`, `{"a":1,}`, `{,}`, `[1,]`, `[,1]`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a" 1}`, `{"a":1 "b":2}`,
		`{"a":1}x`, `{"a":1}{}`, `nul`, `null`, `nulls`, `true`, `tru`, `false`, `False`, `"`, `""`, `"a`, `"\"`, `"\\"`, `"\x"`, `"\u12"`, `"\u12g4"`,
		`"\u1234"`, `"\ud83d\ude00"`, `"\ud83d"`, "\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"a\tb\"", "\"abcdefgh\ti\"", "\"\xff\"", "\"å\"", "\ufeff{}",
		`0`, `-0`, `-`, `+1`, `01`, `-01`, `1.`, `.5`, `1.5`, `1e`, `1e5`, `1E+5`, `1e-05`, `1.5e`, `1e+`, `0x1`, `1_0`, `Infinity`, `NaN`, `-Infinity`,
		`[[[[]]]]`, `[[[[]]]`, `{"a":{"b":{"c":[1,2,{"d":null}]}}}`, `{"a":[}`, `{"a":]}`, `[}`, `{]`, `'a'`, `//`, `/**/1`, "\v1", "1\f", "\u00a01",
		`{"abcdefgh":"ijklmnop"}`, `{"abcdefg\"":"ijklmno\\"}`, `"abcdefg`, `"abcdefgh`, `"abcdefghi`, `"1234567\u00e5"`,
		"\"\x1fabcdefghijklm\"", "\"abc\x00defghijklm\"", "\"abcdefg\x1fhijklmn\"", "\"\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\"", `"åäöåäöåäöåäö"`, "\"åäö\x1fåäöåäöåäö\"",
		strings.Repeat("[", 100) + strings.Repeat("]", 100), `{"a":1,"a":2}`,
	}
}

func TestScannerAgreesWithEncodingJSONOnWhatIsValid(t *testing.T) {
	for _, doc := range jsonSeeds() {
		requireAgreement(t, []byte(doc))
	}
}

func requireAgreement(t require.TestingT, doc []byte) {
	err := valid(doc)
	require.Equal(t, json.Valid(doc) && utf8.Valid(doc), err == nil, "%q: %v", doc, err)
}

func TestScannerAgreesWithEncodingJSONOnBrokenDocuments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc, err := json.Marshal(anyJSON(4).Draw(t, "tree"))
		require.NoError(t, err)
		if rapid.Bool().Draw(t, "indented") {
			var b bytes.Buffer
			require.NoError(t, json.Indent(&b, doc, " ", "\t"))
			doc = b.Bytes()
		}
		requireAgreement(t, doc)
		i := rapid.IntRange(0, len(doc)-1).Draw(t, "position")
		switch rapid.IntRange(0, 3).Draw(t, "fault") {
		case 0:
			doc = doc[:i]
		case 1:
			doc = append(doc[:i:i], doc[i+1:]...)
		case 2:
			doc[i] = rapid.SampledFrom([]byte("{}[],:\"\\0-+.eEutn \n\x00\x1f\x80")).Draw(t, "byte")
		case 3:
			doc = append(append(doc[:i:i], rapid.SampledFrom([]byte("{}[],:\"\\0-+.eE")).Draw(t, "byte")), doc[i:]...)
		}
		requireAgreement(t, doc)
	})
}

// anyJSON draws trees of what JSON has, with keys that need escapes.
func anyJSON(depth int) *rapid.Generator[any] {
	scalars := rapid.OneOf(
		rapid.Just(any(nil)),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.Float64Range(-1e30, 1e30), func(f float64) any { return f }),
		rapid.Map(rapid.IntRange(-1000, 1000), func(i int) any { return float64(i) }),
	)
	if depth == 0 {
		return scalars
	}
	return rapid.OneOf(
		scalars,
		rapid.Map(rapid.SliceOfN(anyJSON(depth-1), 0, 4), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("ab\"\\\n.å")), 0, 3, -1)), anyJSON(depth-1), 0, 4),
			func(m map[string]any) any { return m }),
	)
}

// pathsOf lists the paths of all values of a tree.
func pathsOf(tree any, here []step, all map[string][]step) {
	all[fmt.Sprint(here)] = here
	switch x := tree.(type) {
	case map[string]any:
		for k, v := range x {
			pathsOf(v, append(slices.Clip(here), key(k)), all)
		}
	case []any:
		for i, v := range x {
			pathsOf(v, append(slices.Clip(here), at(i)), all)
		}
	}
}

func TestScannerFindsInTextWhatWalkFindsInTheTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := anyJSON(4).Draw(t, "tree")
		doc, err := json.Marshal(tree)
		require.NoError(t, err)
		all := make(map[string][]step)
		pathsOf(tree, nil, all)
		scanned, walked := newPlan(), newPlan()
		var a, b []*value
		for _, path := range all {
			a, b = append(a, scanned.want(path)), append(b, walked.want(path))
		}
		s := newScanner(Limits{Depth: 64, Nodes: math.MaxInt})
		require.NoError(t, s.document(doc, scanned))
		walked.walk(tree)
		for i := range a {
			requireSameValue(t, a[i], b[i])
		}
	})
}

// requireSameValue compares a value of text with one of a tree.
func requireSameValue(t require.TestingT, scanned, walked *value) {
	got, ok := scanned.appendText(nil)
	want, wantOK := walked.appendText(nil)
	require.Equal(t, wantOK, ok)
	if walked.kind == double {
		var f float64
		require.NoError(t, json.Unmarshal(got, &f))
		require.InDelta(t, walked.float(), f, 0)
		return
	}
	require.Equal(t, string(want), string(got))
	if !ok {
		require.Equal(t, walked.kind, scanned.kind)
		var tree any
		require.NoError(t, json.Unmarshal([]byte(scanned.text), &tree))
		require.Equal(t, walked.tree, tree)
	}
}

func TestScannerFillsTheSlots(t *testing.T) {
	got, err := scanPaths(t, `{"a": {"b": [10, {"c": "x\u0041"}, "y"]}, "d": true, "e": null, "f": {"g": 1}}`,
		[]step{key("a"), key("b"), at(1), key("c")},
		[]step{key("a"), key("b"), at(2)},
		[]step{key("a"), key("b")},
		[]step{key("d")},
		[]step{key("e")},
		[]step{key("f"), key("g"), key("h")},
		[]step{key("f"), at(0)},
		[]step{key("a"), key("b"), at(0)},
	)
	require.NoError(t, err)
	require.Equal(t, []value{
		{kind: escaped, text: `x\u0041`},
		{kind: text, text: "y"},
		{kind: array, text: `[10, {"c": "x\u0041"}, "y"]`, bits: 12},
		{kind: boolean, bits: 1},
		{kind: null},
		{},
		{},
		{kind: literal, text: "10", bits: 13},
	}, got)
}

func TestScannerForgetsTheLastDocument(t *testing.T) {
	p := newPlan()
	slot := p.want([]step{key("a")})
	s := newScanner(Limits{Depth: 4, Nodes: math.MaxInt})
	require.NoError(t, s.document([]byte(`{"a":1}`), p))
	require.Equal(t, literal, slot.kind)
	require.NoError(t, s.document([]byte(`{"b":1}`), p))
	require.Equal(t, missing, slot.kind)
	require.Error(t, s.document([]byte(`{"a":[[[[`), p))
	require.NoError(t, s.document([]byte(`{"a":[[[]]]}`), p), "the depth is counted anew")
}

func TestScannerRefusesWantedKeysThatAreThereTwice(t *testing.T) {
	f := func(doc, want string) {
		t.Helper()
		_, err := scanPaths(t, doc, []step{key("a"), key("b")}, []step{at(0), key("c")})
		if want == "" {
			require.NoError(t, err)
			return
		}
		require.EqualError(t, err, want)
		requireReason(t, ReasonNotDecodable, err)
	}
	f(`{"a":{"b":1,"b":2}}`, `duplicate key "b" at byte 12`)
	f(`{"a":{"b":1},"a":2}`, `duplicate key "a" at byte 13`)
	f(`{"a":{"b":1},"\u0061":2}`, `duplicate key "\\u0061" at byte 13`)
	f(`{"a":null,"a":{"b":1}}`, `duplicate key "a" at byte 10`)
	f(`[{"c":1,"c":2}]`, `duplicate key "c" at byte 8`)
	f(`{"x":1,"x":2,"a":{"x":1,"x":2,"b":{"a":1,"a":2}}}`, ``)
	f(`[{"c":1},{"c":2},{"c":1,"c":2}]`, ``)
}

func requireReason(t *testing.T, want Reason, err error) {
	t.Helper()
	var refused *decodeError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, want, refused.Reason)
}

func TestScannerSaysWhatIsWrongAndWhere(t *testing.T) {
	f := func(doc, want string) {
		t.Helper()
		_, err := scanPaths(t, doc)
		require.EqualError(t, err, "no JSON at byte "+want)
	}
	f(`{"a" 1}`, `5: want a colon, found "1}"`)
	f(`{"a":1,}`, `7: want a key in quotes, found "}"`)
	f(`[1 2]`, `3: want a comma or a closing bracket, found "2]"`)
	f(`{"a":`, `5: want a value, found the end of the record`)
	f(`{"a":trve}`, `5: want true, found "trve}"`)
	f(`{"a":1.}`, `5: want digits behind the decimal point, found "1.}"`)
	f(`{"a":1e}`, `5: want digits in the exponent, found "1e}"`)
	f(`{"a":"b`, `7: want a closing quote, found the end of the record`)
	f("{\"a\":\"b\n\"}", `7: want no control characters in a string, found "\n\"}"`)
	f(`{"a":"\q"}`, `6: want an escape that JSON has, found "\\q\"}"`)
	f(`01`, `1: want the end of the record, found "1"`)
}

func TestScannerBoundsTheDepth(t *testing.T) {
	nested := func(n int) []byte {
		return []byte(strings.Repeat(`{"a":[`, n) + strings.Repeat(`]}`, n))
	}
	s := newScanner(Limits{Depth: 8, Nodes: math.MaxInt})
	require.NoError(t, s.document(nested(4), newPlan()))
	err := s.document(nested(5), newPlan())
	require.EqualError(t, err, "found an object or array 9 deep at byte 24, want at most 8 (limits.depth)")
	requireReason(t, ReasonTooLarge, err)
}

func TestUnescapingAgreesWithEncodingJSON(t *testing.T) {
	f := func(t require.TestingT, raw string) {
		var want string
		require.NoError(t, json.Unmarshal([]byte(`"`+raw+`"`), &want))
		require.Equal(t, want, string(appendUnescaped(nil, raw)), raw)
	}
	for _, raw := range []string{
		``, `a`, `\"\\\/\b\f\n\r\t`, `\u00e5`, `\uD83D\uDE00`, `\ud83d`, `\ude00`, `\ud83dx`, `\ud83d\n`, `\ud83d\u0041`,
		`\ud83d\ud83d\ude00`, `\ud83d\ud83d`, `\uFFFF`, `\u0000`, `å\u00E5`,
	} {
		f(t, raw)
	}
	rapid.Check(t, func(t *rapid.T) {
		f(t, strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{`\ud83d`, `\ude00`, `\u0041`, `\n`, `\\`, `x`, `å`, `u`, `d83d`})).Draw(t, "parts"), ""))
	})
}

func TestPlansFindKeysAmongMany(t *testing.T) {
	p := newPlan()
	var doc strings.Builder
	var slots []*value
	for i := range 3 * searchedKeys {
		name := strings.Repeat("k", i+1) // Keys longer than the bits of lengths, too.
		slots = append(slots, p.want([]step{key(name)}))
		again := p.want([]step{key(name)})
		require.Same(t, slots[i], again)
		fmt.Fprintf(&doc, `,"%s":%d`, name, i)
	}
	for i := range 100 {
		name := strings.Repeat("x", i)
		fmt.Fprintf(&doc, `,"%s":0`, name)
	}
	s := newScanner(Limits{Depth: 2, Nodes: math.MaxInt})
	require.NoError(t, s.document([]byte("{"+doc.String()[1:]+"}"), p))
	for i, slot := range slots {
		require.Equal(t, fmt.Sprint(i), slot.text)
	}
}
