package writer

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// TestWhatPrometheusRefuses goes through what was measured with Prometheus 3.16:
// one request each, in which the series a is good in every row.
func TestWhatPrometheusRefuses(t *testing.T) {
	const hour = int64(time.Hour / time.Millisecond)
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() // When a bubble begins.
	rows := []struct {
		name string
		// before is in the receiver already; request is one request.
		before, request []row
		// none and stored0 list what is refused and what is stored in the end without an
		// out-of-order window; window and stored2 with one of two hours.
		none, stored0   string
		window, stored2 string
	}{
		{
			name:   "older than the newest of its series",
			before: []row{{"a", 0, 0}, {"b", 0, 0}}, request: []row{{"a", 1000, 1}, {"b", -5000, 1}},
			none: "b@-5000", stored0: "a@0 a@1000 b@0",
			stored2: "a@0 a@1000 b@-5000 b@0",
		},
		{
			name:   "another value for a time that has one",
			before: []row{{"a", 0, 0}, {"b", 0, 0}}, request: []row{{"a", 2000, 1}, {"b", 0, 9}},
			none: "b@0", stored0: "a@0 a@2000 b@0",
			window: "b@0", stored2: "a@0 a@2000 b@0",
		},
		{
			name:   "eleven minutes ahead",
			before: []row{{"a", 0, 0}, {"b", 0, 0}}, request: []row{{"a", 3000, 1}, {"b", 660000, 1}},
			none: "b@660000", stored0: "a@0 a@3000 b@0",
			window: "b@660000", stored2: "a@0 a@3000 b@0",
		},
		{
			name:   "an exact repetition",
			before: []row{{"a", 0, 1}, {"a", 1000, 1}, {"a", 2000, 1}, {"a", 3000, 1}}, request: []row{{"a", 0, 1}, {"a", 1000, 1}, {"a", 2000, 1}},
			none: "a@0 a@1000 a@2000", stored0: "a@0 a@1000 a@2000 a@3000",
			stored2: "a@0 a@1000 a@2000 a@3000",
		},
		{
			name:    "out of order in one request",
			request: []row{{"c", 2, 1}, {"c", 1, 1}, {"c", 3, 1}},
			stored0: "c@1 c@2 c@3", stored2: "c@1 c@2 c@3",
		},
		{
			name:    "two values for one time in one request",
			request: []row{{"d", 1, 1}, {"d", 1, 2}},
			none:    "d@1", stored0: "d@1",
			window: "d@1", stored2: "d@1",
		},
		{
			name:   "five hours old",
			before: []row{{"a", 0, 0}}, request: []row{{"e", 1000, 1}, {"f", -5 * hour, 1}},
			none: "f@-18000000", stored0: "a@0 e@1000",
			window: "f@-18000000", stored2: "a@0 e@1000",
		},
	}
	for _, x := range rows {
		for _, protocol := range []string{protocolV1, protocolV2} {
			f := func(window time.Duration, refused, stored string) {
				t.Run(x.name+" under "+protocol+" with a window of "+window.String(), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := clockwork(receiver.Modern, window)
						w := start(t, r.RoundTripper(), func(c *Config) { c.RemoteWrite.Protocol = protocol })
						c := catalogue{}
						deliver(w, c.rows(now, x.before)...)
						b := deliver(w, c.rows(now, x.request)...)
						require.Equal(t, refused, listRefused(b, now))
						require.Equal(t, stored, listStored(r, c, now))
						require.Empty(t, r.Violations())
						for _, refusal := range b.Refused() {
							require.True(t, refusal.Exact)
						}
					})
				})
			}
			f(0, x.none, x.stored0)
			f(2*time.Hour, x.window, x.stored2)
		}
	}
}

// row is a sample: series, milliseconds from the common start, value.
type row struct {
	series string
	offset int64
	value  float64
}

func (c catalogue) rows(now int64, rows []row) (samples []transform.Sample) {
	for _, x := range rows {
		samples = append(samples, sample(c.named(x.series), now+x.offset, x.value))
	}
	return samples
}

func entryOf(s *transform.Series, offset int64) string {
	for _, name := range labelsOf(s.Encoded) {
		return fmt.Sprintf("%s@%d", name, offset)
	}
	return ""
}

func listRefused(b *Batch, now int64) string {
	var list []string
	for _, r := range sorted(b.Refused()) {
		list = append(list, entryOf(r.Series, r.Timestamp-now))
	}
	return strings.Join(list, " ")
}

func listStored(r *receiver.Receiver, c catalogue, now int64) string {
	var list []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		for _, ts := range times(r, c.named(name)) {
			list = append(list, entryOf(c.named(name), ts-now))
		}
	}
	return strings.Join(list, " ")
}
