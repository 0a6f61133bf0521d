package config

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// checkLoad loads anything, and demands of what is wrong that it says where.
func checkLoad(t require.TestingT, text, variable string) {
	c, err := Load(Source{Path: "config.yaml", Data: []byte(text), Environ: []string{"KAFKA2PROM_" + variable}})
	if err == nil {
		_, err = c.YAML()
		require.NoError(t, err)
		c.Describe(io.Discard)
		return
	}
	var problems *Error
	require.ErrorAs(t, err, &problems)
	require.NotEmpty(t, problems.Problems)
	for _, p := range problems.Problems {
		require.True(t, p.Line > 0 || p.Variable != "", "a problem without a place: %v", p)
		require.LessOrEqual(t, p.Line, 2+lineEnds(text), "a line after the end: %v", p)
		require.NotEmpty(t, p.Msg)
		require.NotContains(t, p.String(), "\n")
	}
}

// lineEnds counts what YAML takes for ends of lines.
func lineEnds(text string) int {
	n := 0
	for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
		n += strings.Count(text, end)
	}
	return n
}

func FuzzConfig(f *testing.F) {
	text, err := os.ReadFile(documented)
	require.NoError(f, err)
	f.Add(string(text), "LOG__LEVEL=debug")
	f.Add(minimal, "PIPELINES__SENSORS__REMOTE_WRITE__URL=http://x")
	f.Add(minimal+"log: *a", "KAFKA__BROKERS=,")
	f.Add("&a [*a]", "PIPELINES__")
	f.Add("kafka: {<<: [&b {brokers: [x]}, *b]}", "__=x")
	f.Add("? [a]\n: b\n", "PIPELINES__sensors__samples__0=x")
	f.Add("pipelines: [{name: 1, samples: [~, {labels: {a: {}}}]}]", "X")
	f.Fuzz(func(t *testing.T, text, variable string) {
		checkLoad(t, text, variable)
	})
}

// TestAnyChangeOfTheFileIsTakenOrPlaced changes the documented configuration as
// people do: lines go, come twice, are indented differently, or are cut.
func TestAnyChangeOfTheFileIsTakenOrPlaced(t *testing.T) {
	text, err := os.ReadFile(documented)
	require.NoError(t, err)
	commented := strings.NewReplacer("\n    #", "\n    ", "\n      #", "\n      ").Replace(string(text))

	rapid.Check(t, func(t *rapid.T) {
		lines := strings.Split(rapid.SampledFrom([]string{string(text), commented, minimal}).Draw(t, "text"), "\n")
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
			switch rapid.SampledFrom([]string{"drop", "double", "indent", "outdent", "cut", "value"}).Draw(t, "change") {
			case "drop":
				lines[i] = ""
			case "double":
				lines[i] += "\n" + lines[i]
			case "indent":
				lines[i] = "  " + lines[i]
			case "outdent":
				lines[i] = strings.TrimPrefix(lines[i], "  ")
			case "cut":
				lines[i] = lines[i][:len(lines[i])/2]
			case "value":
				key, _, _ := strings.Cut(lines[i], ":")
				lines[i] = key + ": " + rapid.SampledFrom([]string{"", "~", "[]", "{}", "0", "-1", "1.5", "x", "[a]", "{a: b}", "true", "1h", "!t x", "*a", "&a b"}).Draw(t, "value")
			}
		}
		checkLoad(t, strings.Join(lines, "\n"), "X")
	})
}
