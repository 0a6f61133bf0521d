package writer

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// catalogue makes each series once, as the mapper does.
type catalogue map[string]*transform.Series

// series returns the series with the labels that are given as name, value, name,
// value, and so on.
func (c catalogue) series(pairs ...string) *transform.Series {
	var labels []transform.Label
	for i := 0; i < len(pairs); i += 2 {
		labels = append(labels, transform.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	encoded := encodeLabels(labels)
	if s, ok := c[encoded]; ok {
		return s
	}
	s := &transform.Series{Encoded: encoded, Hash: xxhash.Sum64String(encoded)}
	c[encoded] = s
	return s
}

// named returns the series that has nothing but a name.
func (c catalogue) named(name string) *transform.Series { return c.series("__name__", name) }

// record stands at an offset of partition 0.
func record(offset int64) *kgo.Record { return &kgo.Record{Topic: "t", Offset: offset} }

// sample belongs to a record whose offset is its timestamp.
func sample(s *transform.Series, timestamp int64, value float64) transform.Sample {
	return transform.Sample{Series: s, Record: record(timestamp), Timestamp: timestamp, Value: value}
}

// configure makes the configuration of a test: one shard, protocol 1.0.
func configure(change func(*Config)) Config {
	cfg := Config{Shards: 1, RemoteWrite: RemoteWriteConfig{
		URL:      &commoncfg.URL{URL: &url.URL{Scheme: "http", Host: "receiver.test", Path: "/api/v1/write"}},
		Protocol: protocolV1,
	}}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

// tester is a test, or a single check of a property.
type tester interface {
	require.TestingT
	Helper()
	Cleanup(func())
}

// start makes a writer to a transport, and ends it with the test if the test has
// not.
func start(t tester, rt http.RoundTripper, change func(*Config)) *Writer {
	t.Helper()
	w, err := New(configure(change), Options{Registerer: prometheus.NewRegistry(), Version: "test", transport: rt})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.Drain(ctx)
	})
	return w
}

// submit hands samples over as one batch.
func submit(w *Writer, samples ...transform.Sample) *Batch {
	b := &Batch{Samples: samples}
	w.Submit(b)
	return b
}

// deliver hands samples over and waits until they have landed.
func deliver(w *Writer, samples ...transform.Sample) *Batch {
	b := submit(w, samples...)
	<-b.Landed()
	return b
}

// hasLanded says whether a batch has, without waiting.
func hasLanded(b *Batch) bool {
	select {
	case <-b.Landed():
		return true
	default:
		return false
	}
}

// reasons are those of the refusals, in the order of series and time.
func reasons(b *Batch) []string {
	var texts []string
	for _, r := range sorted(b.Refused()) {
		text := string(r.Reason)
		if !r.Exact {
			text += "?"
		}
		texts = append(texts, text)
	}
	return texts
}

func sorted(refusals []transform.Refusal) []transform.Refusal {
	refusals = slices.Clone(refusals)
	slices.SortStableFunc(refusals, func(a, b transform.Refusal) int {
		if c := strings.Compare(a.Series.Encoded, b.Series.Encoded); c != 0 {
			return c
		}
		return int(a.Timestamp - b.Timestamp)
	})
	return refusals
}

// clockwork is a receiver whose clock is that of the test, so that timestamps
// count from there.
func clockwork(b receiver.Behaviour, window time.Duration) *receiver.Receiver {
	return receiver.New(receiver.Config{Behaviour: b, OutOfOrderWindow: window})
}

// points of a series, as timestamps.
func times(r *receiver.Receiver, series *transform.Series) (ts []int64) {
	for _, p := range r.Samples()[seriesText(series.Encoded)] {
		ts = append(ts, p.Timestamp)
	}
	return ts
}

// scripted answers with what it is given, one after the other, and 204 from then
// on.
type scripted struct {
	mu      sync.Mutex
	answers []receiver.Answer
}

func script(answers ...receiver.Answer) receiver.Hook {
	s := &scripted{answers: answers}
	return func(*receiver.Request) receiver.Answer {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.answers) == 0 {
			return receiver.Answer{}
		}
		a := s.answers[0]
		s.answers = s.answers[1:]
		return a
	}
}

func status(code int) receiver.Answer { return receiver.Answer{Status: code} }

// totals are the samples of a writer by what became of them.
func totals(w *Writer) map[string]int64 {
	e := w.metrics.read()
	all := map[string]int64{"refused": e.allRefused, "in_flight": e.inFlight}
	for o, name := range [sampleOutcomes]string{"written", "merged", "dropped", "abandoned"} {
		all[name] = e.settled[o]
	}
	for name, n := range all {
		if n == 0 {
			delete(all, name)
		}
	}
	return all
}
