package writer

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// inBubble is a test in a synctest bubble, which has no deadline to ask for.
type inBubble struct{ *testing.T }

// weather draws how a receiver answers: mostly well.
func weather(t *rapid.T) receiver.Hook {
	kinds := rapid.SliceOfN(rapid.IntRange(0, 15), 200, 200).Draw(t, "answers")
	next := 0
	return func(*receiver.Request) receiver.Answer {
		kind := 99
		if next < len(kinds) {
			kind = kinds[next]
			next++
		}
		switch kind {
		case 0:
			return status(503)
		case 1:
			return receiver.Answer{Status: 500, Store: true}
		case 2:
			return receiver.Answer{Drop: true}
		case 3:
			return receiver.Answer{Drop: true, Store: true}
		case 4:
			return receiver.Answer{Status: 429, Header: http.Header{"Retry-After": {"2"}}}
		case 5:
			return status(404)
		case 6:
			return status(413)
		case 7:
			return receiver.Answer{After: 40 * time.Second} // Longer than the sender waits.
		case 8:
			return receiver.Answer{Before: time.Second}
		}
		return receiver.Answer{}
	}
}

// TestNothingIsLostWhateverTheReceiverDoes sends batches through any weather. At
// every moment the equation of the samples holds; in the end each sample is stored,
// or its record is abandoned, or it is refused by name.
func TestNothingIsLostWhateverTheReceiverDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(inBubble{t}, func(t *rapid.T) {
			behaviour := rapid.SampledFrom([]receiver.Behaviour{
				receiver.Modern, receiver.Legacy, receiver.VictoriaLike, receiver.MimirLike, receiver.ThanosLike,
			}).Draw(t, "receiver")
			r := clockwork(behaviour, 24*time.Hour)
			r.SetHook(serial(weather(t)))
			shards := rapid.IntRange(1, 4).Draw(t, "shards")
			w := start(t, r.RoundTripper(), func(c *Config) {
				c.RemoteWrite.Protocol = rapid.SampledFrom([]string{protocolAuto, protocolV1}).Draw(t, "protocol")
				c.Shards, c.MaxSamples = shards, rapid.IntRange(1, 50).Draw(t, "samples of a request")
			})
			var gone atomic.Bool
			batches := storm(t, w, &gone)
			if rapid.Bool().Draw(t, "drain") {
				time.Sleep(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute}).Draw(t, "wait"))
				drained(w, 10*time.Second)
			}
			for _, b := range batches {
				<-b.Landed()
			}
			accounted(t, w, r, batches)
			require.Empty(t, r.Violations())
			require.LessOrEqual(t, r.MaxInFlight(), shards+1, "a request that timed out may still be with the receiver")
		})
	})
}

// serial makes a hook of one that is not safe for concurrent use.
func serial(h receiver.Hook) receiver.Hook {
	lock := make(chan struct{}, 1)
	return func(q *receiver.Request) receiver.Answer {
		lock <- struct{}{}
		defer func() { <-lock }()
		return h(q)
	}
}

// storm submits batches, and may take a partition away in between.
func storm(t *rapid.T, w *Writer, gone *atomic.Bool) (batches []*Batch) {
	c := catalogue{}
	at := int64(0)
	for range rapid.IntRange(1, 8).Draw(t, "batches") {
		b := &Batch{Held: func(r *kgo.Record) bool { return r.Partition == 0 || !gone.Load() }}
		for range rapid.IntRange(0, 60).Draw(t, "samples") {
			at++
			s := transform.Sample{
				Series: c.named(rapid.StringMatching(`[a-h]`).Draw(t, "series")), Timestamp: at, Value: float64(at),
				Record: &kgo.Record{Topic: "t", Offset: at, Partition: int32(at % 2)},
			}
			if gone.Load() {
				s.Record.Partition = 0 // Nothing is polled of a partition that was taken away.
			}
			b.Samples = append(b.Samples, s)
		}
		w.Submit(b)
		batches = append(batches, b)
		time.Sleep(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute}).Draw(t, "pause"))
		if rapid.IntRange(0, 9).Draw(t, "fence") == 0 {
			gone.Store(true)
			w.Fence()
		}
		e := w.metrics.read()
		require.GreaterOrEqual(t, e.inFlight, int64(0))
	}
	return batches
}

// accounted checks where each sample has ended.
func accounted(t *rapid.T, w *Writer, r *receiver.Receiver, batches []*Batch) {
	have := map[string]bool{}
	for name, points := range r.Samples() {
		for _, p := range points {
			have[fmt.Sprint(name, p.Timestamp)] = true
		}
	}
	samples, refused, abandoned := 0, 0, 0
	for _, b := range batches {
		elsewhere := map[*kgo.Record]bool{}
		for _, rec := range b.Abandoned() {
			elsewhere[rec] = true
			abandoned++
		}
		for _, x := range b.Refused() {
			elsewhere[x.Record] = true
			refused++
		}
		for _, s := range b.Samples {
			samples++
			if !have[fmt.Sprint(seriesText(s.Series.Encoded), s.Timestamp)] {
				require.True(t, elsewhere[s.Record], "%s@%d is lost", seriesText(s.Series.Encoded), s.Timestamp)
			}
		}
	}
	e := w.metrics.read()
	require.Zero(t, e.inFlight)
	require.Equal(t, int64(samples), e.mapped)
	require.Equal(t, int64(samples), e.settled[sampleWritten]+e.allRefused+e.settled[sampleAbandoned])
	require.Equal(t, int64(abandoned), e.settled[sampleAbandoned])
	require.LessOrEqual(t, e.allRefused, int64(refused))
}

// TestARetryHasTheBytesOfTheAttemptBeforeIt holds for every request that is
// repeated, as long as nothing is fenced.
func TestARetryHasTheBytesOfTheAttemptBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(inBubble{t}, func(t *rapid.T) {
			r := clockwork(receiver.Modern, 24*time.Hour)
			r.SetHook(serial(weather(t)))
			w := start(t, r.RoundTripper(), nil)
			var batches []*Batch
			for i := range int64(5) {
				batches = append(batches, submit(w, grid(20, 2*i+1, 2*i+2)...))
				time.Sleep(time.Duration(rapid.IntRange(0, 3).Draw(t, "pause")) * time.Second)
			}
			for _, b := range batches {
				<-b.Landed()
			}
			var before receiver.Request
			for _, q := range r.Requests() {
				if q.Attempt != "" {
					require.Equal(t, before.Hash, q.Hash)
				}
				before = q
			}
		})
	})
}
