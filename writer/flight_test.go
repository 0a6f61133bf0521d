package writer

import (
	"net/http"
	"strconv"
	"sync"
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

// tower counts the attempts that are under way, as the sender sees them: one that has
// timed out has ended, although the receiver may still be at it.
type tower struct {
	next      http.RoundTripper
	mu        sync.Mutex
	now, most int
}

// RoundTrip implements http.RoundTripper.
func (w *tower) RoundTrip(req *http.Request) (*http.Response, error) {
	w.count(1)
	defer w.count(-1)
	return w.next.RoundTrip(req)
}

func (w *tower) count(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now += n
	w.most = max(w.most, w.now)
}

// journey is one run through bad weather.
type journey struct {
	w        *Writer
	r        *receiver.Receiver
	tower    *tower
	maximum  int // Samples of a request.
	catalog  catalogue
	batches  []*Batch
	gone     atomic.Bool // Partition 1 has been taken away.
	at       int64
	mu       sync.Mutex
	unheard  map[int]bool // Requests whose answer does not reach the sender.
	judgment receiver.Behaviour
}

// depart draws a receiver, a writer and the weather between them.
func depart(t *rapid.T) *journey {
	j := &journey{catalog: catalogue{}, unheard: map[int]bool{}}
	j.judgment = rapid.SampledFrom([]receiver.Behaviour{
		receiver.Modern, receiver.Modern, receiver.Legacy, receiver.VictoriaLike, receiver.MimirLike, receiver.ThanosLike,
	}).Draw(t, "receiver")
	j.r = clockwork(j.judgment, 24*time.Hour)
	answers := serial(weather(t))
	j.r.SetHook(func(q *receiver.Request) receiver.Answer {
		a := answers(q)
		j.mu.Lock()
		defer j.mu.Unlock()
		j.unheard[q.Number] = a.Drop || a.After > 30*time.Second
		return a
	})
	j.tower = &tower{next: j.r.RoundTripper()}
	j.w = start(t, j.tower, func(c *Config) {
		c.RemoteWrite.Protocol = rapid.SampledFrom([]string{protocolAuto, protocolV1}).Draw(t, "protocol")
		c.Shards = rapid.IntRange(1, 4).Draw(t, "shards")
		c.MaxSamples = rapid.IntRange(1, 50).Draw(t, "samples of a request")
		j.maximum = c.MaxSamples
	})
	return j
}

// batch submits one more. The samples of the series far are an hour ahead: most
// receivers refuse them.
func (j *journey) batch(t *rapid.T) {
	b := &Batch{Held: func(r *kgo.Record) bool { return r.Partition == 0 || !j.gone.Load() }}
	for range rapid.IntRange(0, 40).Draw(t, "samples") {
		j.at++
		name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "far"}).Draw(t, "series")
		s := transform.Sample{
			Series: j.catalog.named(name), Timestamp: j.at, Value: float64(j.at),
			Record: &kgo.Record{Topic: "t", Offset: j.at, Partition: int32(j.at % 2)},
		}
		if name == "far" {
			s.Timestamp += time.Now().Add(time.Hour).UnixMilli()
		}
		if j.gone.Load() {
			s.Record.Partition = 0 // Nothing is polled of a partition that was taken away.
		}
		b.Samples = append(b.Samples, s)
	}
	j.w.Submit(b)
	j.batches = append(j.batches, b)
}

// event is what may happen between two batches.
func (j *journey) event(t *rapid.T) {
	time.Sleep(rapid.SampledFrom([]time.Duration{0, 0, time.Second, time.Minute}).Draw(t, "pause"))
	switch rapid.IntRange(0, 9).Draw(t, "event") {
	case 0:
		j.gone.Store(true)
		j.w.Fence()
	case 1:
		// All has landed, the mapper has forgotten its series, and makes them again.
		for _, b := range j.batches {
			<-b.Landed()
		}
		j.catalog = catalogue{}
	}
	e := j.w.metrics.read()
	require.GreaterOrEqual(t, e.inFlight, int64(0))
}

// TestShardsKeepTheirSeriesToThemselves whatever happens: attempts that time out,
// requests that are halved and taken apart, fences, the end, and series that come
// back as another pointer.
func TestShardsKeepTheirSeriesToThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(inBubble{t}, func(t *rapid.T) {
			j := depart(t)
			for range rapid.IntRange(1, 6).Draw(t, "batches") {
				j.batch(t)
				j.event(t)
			}
			if rapid.Bool().Draw(t, "drain") {
				drained(j.w, 10*time.Second)
			}
			for _, b := range j.batches {
				<-b.Landed()
			}
			require.Empty(t, j.r.Violations())
			require.LessOrEqual(t, j.tower.most, j.w.cfg.Shards)
			accounted(t, j.w, j.r, j.batches)
			j.inOrder(t)
		})
	})
}

// inOrder requires that nothing of a series is sent that is not after what has landed
// of it, and that a request is no larger than it may be.
func (j *journey) inOrder(t *rapid.T) {
	landed := map[string]int64{}
	for _, q := range j.r.Requests() {
		require.LessOrEqual(t, q.Samples, j.maximum)
		for _, s := range q.Series {
			name := s.Labels.String()
			for _, p := range s.Points {
				require.Greater(t, p.Timestamp, landed[name], "request %d: %s after it has landed", q.Number, name)
			}
		}
		swallowed := q.Protocol == receiver.V2 && j.judgment != receiver.Modern
		if q.Status/100 != 2 || j.unheard[q.Number] || swallowed {
			continue
		}
		for _, s := range q.Series {
			landed[s.Labels.String()] = s.Points[len(s.Points)-1].Timestamp
		}
	}
}

// TestAttemptsKeepTheirDistance draws answers, and requires the wait after each: what
// the receiver asks for, but five minutes at most; else one within the bounds of the
// back-off. The bytes are the same each time.
func TestAttemptsKeepTheirDistance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(inBubble{t}, func(t *rapid.T) {
			least := time.Duration(rapid.IntRange(1, 5000).Draw(t, "min_backoff")) * time.Millisecond
			most := least * time.Duration(rapid.IntRange(1, 50).Draw(t, "max_backoff"))
			kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"503", "429", "500", "404", "drop", "seconds", "date"}), 1, 12).Draw(t, "answers")
			asked := make([]time.Duration, len(kinds))
			r := clockwork(receiver.Modern, 0)
			r.SetHook(func(q *receiver.Request) receiver.Answer {
				if q.Number > len(kinds) {
					return receiver.Answer{}
				}
				kind := kinds[q.Number-1]
				if code, err := strconv.Atoi(kind); err == nil {
					return status(code)
				}
				if kind == "drop" {
					return receiver.Answer{Drop: true}
				}
				seconds := 1 + 37*q.Number
				text := strconv.Itoa(seconds)
				asked[q.Number-1] = min(time.Duration(seconds)*time.Second, 5*time.Minute)
				if kind == "date" {
					date := time.Now().Add(time.Duration(seconds) * time.Second).Truncate(time.Second)
					text = date.UTC().Format(http.TimeFormat)
					asked[q.Number-1] = min(time.Until(date), 5*time.Minute)
				}
				return receiver.Answer{Status: 503, Header: http.Header{"Retry-After": {text}}}
			})
			w := start(t, r.RoundTripper(), func(c *Config) { c.Retry = RetryConfig{MinBackoff: least, MaxBackoff: most} })
			require.Empty(t, deliver(w, grid(3, 1, 2)...).Refused())

			log := r.Requests()
			require.Len(t, log, len(kinds)+1)
			for i, kind := range kinds {
				require.Equal(t, log[0].Hash, log[i+1].Hash)
				wait := log[i+1].Time.Sub(log[i].Time)
				shortest, longest := time.Duration(0), min(least<<i, most)
				switch {
				case asked[i] > 0:
					shortest, longest = asked[i], asked[i]
				case kind == "404":
					longest = max(most, 5*time.Second)
					shortest = longest / 2
				}
				require.True(t, shortest <= wait && wait <= longest, "attempt %d, %s: %s is not in %s to %s", i+1, kind, wait, shortest, longest)
			}
		})
	})
}
