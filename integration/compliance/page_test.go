package compliance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAPageBecomesOneRecordASample(t *testing.T) {
	f := func(page string, want ...string) {
		t.Helper()
		records, err := parsePage(page, map[string]string{"job": "test"}, time.UnixMilli(1_700_000_000_007))
		require.NoError(t, err)
		require.Len(t, records, len(want))
		for i := range want {
			require.JSONEq(t, want[i], string(records[i]))
		}
	}
	f("# TYPE a counter\n\n# EOF\n")
	f("a_total 1\n", `{"labels":{"__name__":"a_total","job":"test"},"value":"1","timestamp":"1700000000.007"}`)
	f("a -Inf 1.5e9", `{"labels":{"__name__":"a","job":"test"},"value":"-Inf","timestamp":"1.5e9"}`)
	f(`a{x="1",y="b c"} NaN 5 # {t="z"} 3 4`+"\nb 2 # {} 1\n",
		`{"labels":{"__name__":"a","x":"1","y":"b c","job":"test"},"value":"NaN","timestamp":"5"}`,
		`{"labels":{"__name__":"b","job":"test"},"value":"2","timestamp":"1700000000.007"}`)
	f(`a{x="\\\"}\n {y=",job="theirs"} 1`,
		`{"labels":{"__name__":"a","x":"\\\"}\n {y=","job":"test"},"value":"1","timestamp":"1700000000.007"}`)

	_, err := parsePage("a\n", nil, time.Now())
	require.EqualError(t, err, `reading the page: "a" has no value`)
}
