package writer

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// messages2 are those of 2.0 requests with series that share texts with each other,
// and with the requests before them, in every place that a text can have.
func messages2(t *testing.T) (all []*writev2.Request) {
	t.Helper()
	p := &tap{next: clockwork(receiver.Modern, 0)}
	w := start(t, overHTTP(t, p), speaking(protocolV2))
	c := catalogue{}
	for round := range 8 {
		at := int64(round + 1)
		for i := range 5 {
			n, next := fmt.Sprint(round*i), fmt.Sprint(round*i+1)
			deliver(w, sample(c.series("__name__", "x", "a", n, "b", next), at, 1),
				sample(c.series("__name__", n+"x", "b", "x", "x", "a"), at, 1), sample(c.series("__name__", "x"), at*100+int64(i), 1))
		}
	}
	for _, q := range p.requests {
		all = append(all, q.message2(t))
	}
	require.Len(t, all, 40)
	return all
}

// inEachMessage2 runs a check on each of the messages.
func inEachMessage2(t *testing.T, check func(t *testing.T, m *writev2.Request)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		for _, m := range messages2(t) {
			require.Len(t, m.Timeseries, 3)
			check(t, m)
		}
	})
}

func TestSenderMustBeginSymbolsWithTheEmptyString(t *testing.T) {
	inEachMessage2(t, func(t *testing.T, m *writev2.Request) {
		t.Helper()
		require.Empty(t, m.Symbols[0])
	})
}

func TestSenderMustSendEachSymbolOnce(t *testing.T) {
	inEachMessage2(t, func(t *testing.T, m *writev2.Request) {
		t.Helper()
		once := slices.Compact(slices.Sorted(slices.Values(m.Symbols)))
		require.Len(t, once, len(m.Symbols))
	})
}

func TestSenderMustReferToSymbolsThatExist(t *testing.T) {
	inEachMessage2(t, func(t *testing.T, m *writev2.Request) {
		t.Helper()
		for _, ts := range m.Timeseries {
			for _, ref := range ts.LabelsRefs {
				require.Less(t, int(ref), len(m.Symbols))
			}
		}
	})
}

// TestSenderMustSendLabelRefsWithEverySeries in pairs: a name, and its value.
func TestSenderMustSendLabelRefsWithEverySeries(t *testing.T) {
	inEachMessage2(t, func(t *testing.T, m *writev2.Request) {
		t.Helper()
		for _, ts := range m.Timeseries {
			require.NotEmpty(t, ts.LabelsRefs)
			require.Zero(t, len(ts.LabelsRefs)%2)
			require.Equal(t, "__name__", m.Symbols[ts.LabelsRefs[0]])
		}
	})
}

// TestSenderMustSendASampleInEverySeries also where samples of a series were merged,
// refused or taken back while they waited.
func TestSenderMustSendASampleInEverySeries(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		r.SetHook(script(status(503)))
		p := &tap{next: r}
		w := start(t, overHTTP(t, p), speaking(t.protocol))
		c := catalogue{}
		var l lease
		b := l.batch(sample(c.named("x"), 1, 1), sample(c.named("y"), 2, 1), sample(c.named("y"), 2, 1), sample(c.named("y"), 2, 3), sample(c.named("z"), 3, 1))
		w.Submit(b)
		synctest.Wait()
		l.gone.Store(true)
		w.Fence()
		<-b.Landed()
		require.Len(t, p.requests, 2)
		require.Len(t, r.Requests()[0].Series, 3)
		require.Len(t, r.Requests()[1].Series, 1)
		for _, q := range r.Requests() {
			for _, s := range q.Series {
				require.Len(t, s.Points, 1)
			}
		}
		require.Empty(t, r.Violations())
	})
}

// TestSenderMustNotMixSamplesAndHistograms is kept by sending no histograms at all.
func TestSenderMustNotMixSamplesAndHistograms(t *testing.T) {
	inEachMessage2(t, func(t *testing.T, m *writev2.Request) {
		t.Helper()
		for _, ts := range m.Timeseries {
			require.Empty(t, ts.Histograms)
			require.Empty(t, ts.Exemplars)
			require.NotEmpty(t, ts.Samples)
		}
	})
}
