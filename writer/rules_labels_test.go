package writer

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

func TestSenderMustSortLabels(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		refused := pass(t, mapper(t, "sanitize"), start(t, overHTTP(t, r), speaking(t.protocol)),
			`{"v":1,"l":{"b":"2","_":"0","a":"1","B":"3","__name__":"x","aa":"4"}}`,
			`{"v":2,"l":{"aa":"4","__name__":"x","B":"3","a":"1","_":"0","b":"2"}}`)
		require.Empty(t, refused)
		requireSeries(t, r, `{B="3", _="0", __name__="x", a="1", aa="4", b="2"}`)
	})
}

func TestSenderMustNotRepeatLabelNames(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		refused := pass(t, mapper(t, "sanitize"), start(t, overHTTP(t, r), speaking(t.protocol)),
			`{"v":1,"l":{"__name__":"x","a.b":"1","a_b":"2"}}`,
			`{"v":1,"l":{"__name__":"x","a":"1","a":"2"}}`,
			`{"v":1,"l":{"__name__":"x","a.b":"1"}}`)
		require.Equal(t, []transform.Reason{transform.ReasonDuplicateLabel, transform.ReasonDuplicateLabel}, refused)
		requireSeries(t, r, `{__name__="x", a_b="1"}`)
	})
}

func TestSenderMustNotSendEmptyLabels(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		refused := pass(t, mapper(t, "sanitize"), start(t, overHTTP(t, r), speaking(t.protocol)),
			`{"v":1,"l":{"__name__":"x","a":"","b":null,"c":"1"}}`,
			`{"v":1,"l":{"__name__":"x","":"1"}}`)
		require.Equal(t, []transform.Reason{transform.ReasonBadName}, refused)
		requireSeries(t, r, `{__name__="x", c="1"}`)
	})
}

// anyLabels takes any labels there may be through the mapper, the writer and HTTP,
// and returns the series that have come out.
func anyLabels(t underProtocol, naming string) []receiver.Series {
	t.Helper()
	r := clockwork(receiver.Modern, 0)
	m, w := mapper(t, naming), start(t, overHTTP(t, r), speaking(t.protocol))
	word := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z.:/ -]{0,4}`))
	rapid.Check(inBubble{t.T}, func(t *rapid.T) {
		labels := rapid.MapOfN(word, word, 0, 8).Draw(t, "labels")
		labels["__name__"] = word.Draw(t, "name")
		record, err := json.Marshal(map[string]any{"v": 1, "l": labels})
		require.NoError(t, err)
		pass(t, m, w, string(record))
	})
	require.Empty(t, r.Violations())
	var all []receiver.Series
	for _, q := range r.Requests() {
		all = append(all, q.Series...)
	}
	require.NotEmpty(t, all)
	return all
}

func TestSenderMustSendValidMetricNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range anyLabels(underProtocol{T: t, protocol: protocolV1}, "sanitize") {
			require.Regexp(t, `^[a-zA-Z_:][a-zA-Z0-9_:]*$`, s.Labels.Get("__name__"))
		}
	})
}

func TestSenderMustSendValidLabelNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range anyLabels(underProtocol{T: t, protocol: protocolV1}, "sanitize") {
			for name := range s.Labels.Map() {
				require.Regexp(t, `^[a-zA-Z_][a-zA-Z0-9_]*$`, name)
			}
		}
	})
}

// TestSenderMustSendUTF8 has anything that JSON can hold, and bytes that no text
// has.
func TestSenderMustSendUTF8(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range anyLabels(underProtocol{T: t, protocol: protocolV2}, "utf8") {
			for name, value := range s.Labels.Map() {
				require.True(t, utf8.ValidString(name) && utf8.ValidString(value), "%q=%q", name, value)
			}
		}
		r := clockwork(receiver.Modern, 0)
		pass(t, mapper(t, "utf8"), start(t, overHTTP(t, r), speaking(protocolV2)), "{\"v\":1,\"l\":{\"__name__\":\"x\",\"a\xff\":\"b\xc3\"}}")
		require.Empty(t, r.Violations())
	})
}

func TestSenderShouldSendPlainNamesUnder2_0(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range anyLabels(underProtocol{T: t, protocol: protocolV2}, "sanitize") {
			for name, value := range s.Labels.Map() {
				require.Regexp(t, `^[a-zA-Z_][a-zA-Z0-9_]*$`, name)
				require.True(t, name != "__name__" || regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`).MatchString(value), "%q", value)
			}
		}
	})
}

func TestSenderMaySendAnyUTF8InLabelValues(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		want := "Ålesund 東京 🚀 \"quoted\" back\\slash\nline\ttab\x00nul"
		record, err := json.Marshal(map[string]any{"v": 1, "l": map[string]string{"__name__": "x", "a": want}})
		require.NoError(t, err)
		require.Empty(t, pass(t, mapper(t, "sanitize"), start(t, overHTTP(t, r), speaking(t.protocol)), string(record)))
		require.Equal(t, want, r.Requests()[0].Series[0].Labels.Get("a"))
		require.Empty(t, r.Violations())
	})
}

// TestSenderMustSendTheCompleteSetOfLabels with every sample: with each of a series,
// in each request that has it, whatever was sent of it before.
func TestSenderMustSendTheCompleteSetOfLabels(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		m, w := mapper(t, "sanitize"), start(t, overHTTP(t, r), speaking(t.protocol))
		x, y := `{"v":1,"l":{"__name__":"x","a":"1","b":"2"}}`, `{"v":1,"l":{"__name__":"y","b":"1","c":"x"}}`
		for _, records := range [][]string{{x, y, x}, {y}, {`{"v":2,"l":{"__name__":"x"}}`}, {x, x, y}} {
			time.Sleep(time.Second)
			require.Empty(t, pass(t, m, w, records...))
		}
		var got [][]string
		for _, q := range r.Requests() {
			var names []string
			for _, s := range q.Series {
				names = append(names, fmt.Sprintf("%s %d", s.Labels.String(), len(s.Points)))
			}
			got = append(got, names)
		}
		wantX, wantY := `{__name__="x", a="1", b="2"}`, `{__name__="y", b="1", c="x"}`
		require.Equal(t, [][]string{
			{wantX + " 2", wantY + " 1"}, {wantY + " 1"}, {`{__name__="x"} 1`}, {wantX + " 2", wantY + " 1"},
		}, got)
		require.Empty(t, r.Violations())
	})
}

func TestSenderShouldSendAMetricName(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		refused := pass(t, mapper(t, "sanitize"), start(t, overHTTP(t, r), speaking(t.protocol)),
			`{"v":1,"l":{"a":"1"}}`, `{"v":1,"l":{"__name__":"","a":"1"}}`, `{"v":1,"l":{"__name__":"x"}}`)
		require.Equal(t, []transform.Reason{transform.ReasonNoName, transform.ReasonNoName}, refused)
		requireSeries(t, r, `{__name__="x"}`)
	})
}

func TestSenderShouldNotSendReservedLabels(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		refused := pass(t, mapper(t, "sanitize"), start(t, overHTTP(t, r), speaking(t.protocol)),
			`{"v":1,"l":{"__name__":"x","__tenant__":"1"}}`, `{"v":1,"l":{"__name__":"x","_tenant":"1"}}`)
		require.Equal(t, []transform.Reason{transform.ReasonReservedLabel}, refused)
		requireSeries(t, r, `{__name__="x", _tenant="1"}`)
	})
}
