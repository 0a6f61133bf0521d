package transform

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParsePath(t *testing.T) {
	f := func(s string, want path) {
		t.Helper()
		got, err := parsePath(s)
		require.NoError(t, err)
		want.source = s
		require.Equal(t, want, got)
	}
	f(`.`, path{})
	f(`a`, path{steps: []step{key("a")}})
	f(`a.b.c`, path{steps: []step{key("a"), key("b"), key("c")}})
	f(`a[0]`, path{steps: []step{key("a"), at(0)}})
	f(`[1][2].b`, path{steps: []step{at(1), at(2), key("b")}})
	f(`a["b.c"].d`, path{steps: []step{key("a"), key("b.c"), key("d")}})
	f(`["a\"]\u00e5"]`, path{steps: []step{key(`a"]å`)}})
	f(`[""]`, path{steps: []step{key("")}})
	f(`a\.b.c`, path{steps: []step{key("a.b"), key("c")}})
	f(`\$key`, path{steps: []step{key("$key")}})
	f(`a\[0\]\\`, path{steps: []step{key(`a[0]\`)}})
	f(`a b.c-d/e}`, path{steps: []step{key("a b"), key("c-d/e}")}})
	f(`a$b.$c`, path{steps: []step{key("a$b"), key("$c")}})
	f(`$key`, path{origin: fromKey})
	f(`$topic`, path{origin: fromTopic})
	f(`$partition`, path{origin: fromPartition})
	f(`$offset`, path{origin: fromOffset})
	f(`$timestamp`, path{origin: fromTimestamp})
	f(`$field`, path{origin: fromField})
	f(`$index`, path{origin: fromIndex})
	f(`$header.a-b.c`, path{origin: fromHeader, header: "a-b.c"})
	f(`$header["a]b"]`, path{origin: fromHeader, header: "a]b"})
	f(`$record`, path{origin: fromRecord})
	f(`$record.a.b`, path{origin: fromRecord, steps: []step{key("a"), key("b")}})
	f(`$record[0]`, path{origin: fromRecord, steps: []step{at(0)}})
}

func TestParsePathSaysWhatIsWrongAndWhere(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		_, err := parsePath(s)
		require.ErrorContains(t, err, want)
	}
	f(``, `at position 1 of "": want a path, found nothing`)
	f(`..`, `at position 2 of "..": want nothing behind the dot that means the whole value`)
	f(`.a`, `at position 2 of ".a": want nothing behind the dot`)
	f(`a.`, `at position 3 of "a.": want a key behind the dot`)
	f(`a..b`, `at position 3 of "a..b": found an empty key: an empty key is written [""]`)
	f(`a.[0]`, `at position 3 of "a.[0]": want a key behind the dot`)
	f(`a]`, `at position 2 of "a]": found a closing bracket without an opening one`)
	f(`a[0]b`, `at position 5 of "a[0]b": want a dot or a bracket, found 'b'`)
	f(`a[-1]`, `at position 2 of "a[-1]": want an index from 0 to 9999 or a key in double quotes`)
	f(`a[10000]`, `want an index from 0 to 9999`)
	f(`a[99999999999999999999]`, `want an index from 0 to 9999`)
	f(`a[`, `want an index`)
	f(`a[0`, `want an index`)
	f(`a[x]`, `want an index`)
	f(`a['x']`, `want an index`)
	f(`a["x"`, `want a key in double quotes and a closing bracket`)
	f(`a["x`, `want a key in double quotes`)
	f(`a\`, `at position 3 of "a\\": found nothing behind the backslash`)
	f(`$`, `at position 2 of "$": $ is unknown`)
	f(`$kay`, `at position 2 of "$kay": $kay is unknown: want $key, $header.NAME`)
	f(`$key.a`, `at position 5 of "$key.a": want nothing behind $key`)
	f(`$header`, `want a dot and the name of a header`)
	f(`$header.`, `want the name of a header`)
	f(`$header[0]`, `want $header["NAME"] and nothing behind it`)
	f(`$header["a"].b`, `want $header["NAME"] and nothing behind it`)
	f(`$record.`, `want a key behind the dot`)
	f(`$record1`, `want a dot or a bracket, found '1'`)
}

func TestParseTemplate(t *testing.T) {
	f := func(s string, want ...templatePart) {
		t.Helper()
		got, err := parseTemplate(s)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	fixed := func(s string) templatePart { return templatePart{fixed: s} }
	filled := func(source string, p path) templatePart {
		p.source = source
		return templatePart{path: &p}
	}
	f(``)
	f(`m`, fixed("m"))
	f(`${a}`, filled("a", path{steps: []step{key("a")}}))
	f(`x_${a.b}_${$topic}y`,
		fixed("x_"), filled("a.b", path{steps: []step{key("a"), key("b")}}), fixed("_"), filled("$topic", path{origin: fromTopic}), fixed("y"))
	f(`${$header.x-y}${["a}b"]}`,
		filled("$header.x-y", path{origin: fromHeader, header: "x-y"}), filled(`["a}b"]`, path{steps: []step{key("a}b")}}))
	f(`$a}{$`, fixed("$a}{$"))
	f(`${a\}b}`, filled(`a\}b`, path{steps: []step{key("a}b")}}))
}

func TestParseTemplateSaysWhatIsWrongAndWhere(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		_, err := parseTemplate(s)
		require.EqualError(t, err, want)
	}
	f(`a${b`, `at position 2 of "a${b": ${ is never closed`)
	f(`a${}`, `at position 4 of "a${}": want a path, found nothing`)
	f(`a${b}${c.}`, `at position 10 of "a${b}${c.}": want a key behind the dot`)
}
