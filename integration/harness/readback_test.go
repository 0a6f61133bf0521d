package harness

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASampleOfTheQueryAPIIsRead(t *testing.T) {
	f := func(text string, timestamp int64, value float64) {
		t.Helper()
		var got pair
		require.NoError(t, json.Unmarshal([]byte(text), &got))
		require.Equal(t, timestamp, got.timestamp)
		require.True(t, same(value, got.value), "%s: %v", text, got.value)
	}
	f(`[1700000000.123,"1.5"]`, 1700000000123, 1.5)
	f(`[1700000000,"NaN"]`, 1700000000000, math.NaN())
	f(`[0.001,"-Inf"]`, 1, math.Inf(-1))
	f(`[-0.001,"-0"]`, -1, math.Copysign(0, -1))
	for _, text := range []string{`[]`, `[1]`, `["x","1"]`, `[1,"x"]`} {
		require.Error(t, json.Unmarshal([]byte(text), new(pair)), text)
	}
}
