package units

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func TestSizesAreReadWithTheirSuffix(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "1048576": 1 << 20, "512KiB": 512 << 10, "16MiB": 16 << 20, "1GiB": 1 << 30, "1.5GiB": 3 << 29,
		"1kB": 1000, "1KB": 1000, "2MB": 2e6, "1GB": 1e9, "7B": 7, "3 MiB": 3 << 20,
	} {
		got, err := ParseBytes(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "MiB", "-1", "1TiB", "one", "1 000", "1e30", "NaN"} {
		_, err := ParseBytes(text)
		require.ErrorContains(t, err, "is not a size", text)
	}
}

func TestASizeIsWrittenAsItIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Bytes(rapid.Int64Range(0, 1<<40).Draw(t, "size"))
		text, err := yaml.Marshal(map[string]Bytes{"size": want})
		require.NoError(t, err)
		var got map[string]Bytes
		require.NoError(t, yaml.Unmarshal(text, &got))
		require.Equal(t, want, got["size"], "%s", text)
	})
	require.Equal(t, "16MiB", Bytes(16<<20).String())
	require.Equal(t, "1025", Bytes(1025).String())
}

func TestDurationsHaveDaysAndWeeks(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"500ms": 500 * time.Millisecond, "1m30s": 90 * time.Second, "2d": 48 * time.Hour, "1.5d": 36 * time.Hour,
		"1w": 7 * 24 * time.Hour, "1w2d3h": (9*24 + 3) * time.Hour, "-1d": -24 * time.Hour, "0": 0,
	} {
		got, err := ParseDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "10", "d", "1y", "tomorrow", "1d ago", "999999999w"} {
		_, err := ParseDuration(text)
		require.ErrorContains(t, err, "is not a duration", text)
	}
}

func TestAListMayBeASingleString(t *testing.T) {
	for text, want := range map[string]StringList{
		"list: one": {"one"}, "list: [one, two]": {"one", "two"}, "list:": nil, "list: []": {},
	} {
		var got struct{ List StringList }
		require.NoError(t, yaml.Unmarshal([]byte(text), &got), text)
		require.Equal(t, want, got.List, text)
	}
	var got struct{ List StringList }
	require.Error(t, yaml.Unmarshal([]byte("list: {a: b}"), &got))
}
