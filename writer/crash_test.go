package writer

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// logged is what partitions hold: samples with a record each, in poll order.
type logged struct {
	samples []transform.Sample
	guilty  map[point]bool // What the receiver never takes.
}

// drawLog draws a log: series of all rates, each in one partition and in order of time, and a
// few samples at fault.
func drawLog(t *rapid.T) (l logged) {
	c := catalogue{}
	series := rapid.IntRange(1, 40).Draw(t, "series")
	partitions := rapid.IntRange(1, 3).Draw(t, "partitions")
	rates := rapid.SliceOfN(rapid.IntRange(1, 20), series, series).Draw(t, "rates")
	length := rapid.IntRange(1, 150).Draw(t, "length")
	guilt := rapid.SampledFrom([]int{0, 0, 1, 5}).Draw(t, "guilt")
	dice := rand.New(rand.NewPCG(0, rapid.Uint64().Draw(t, "seed")))
	bad := rapid.IntRange(-1, series-1).Draw(t, "bad series")
	burstAt := rapid.Int64Range(-3, int64(length)).Draw(t, "burst")
	l.guilty = map[point]bool{}
	for at := range int64(length) {
		for n := range series {
			if int(at)%rates[n] != n%rates[n] {
				continue
			}
			s := transform.Sample{
				Series: c.named(string(rune('A' + n))), Timestamp: at, Value: float64(at),
				Record: &kgo.Record{Topic: "t", Partition: int32(n % partitions), Offset: int64(len(l.samples))},
			}
			l.samples = append(l.samples, s)
			burst := at >= burstAt && at < burstAt+3 && n%3 == 0
			if guilt > 0 && (n == bad || burst || dice.IntN(1000) < guilt) {
				l.guilty[pointOf(s)] = true
			}
		}
	}
	return l
}

// crashes is a receiver that cannot be reached any more after a number of requests.
type crashes struct {
	*receiver.Receiver
	left int
}

func (c *crashes) answer(next receiver.Hook) receiver.Hook {
	return func(q *receiver.Request) receiver.Answer {
		if c.left == 0 {
			return receiver.Answer{Drop: true}
		}
		c.left--
		return next(q)
	}
}

// TestNothingIsLostByCrashesWithoutAWindow holds under remote write 1.0, where a receiver stores nothing of a
// request that repeats a sample: the writer is killed again and again, also while
// it takes requests apart, and starts at the front each time.
func TestNothingIsLostByCrashesWithoutAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(inBubble{t}, func(t *rapid.T) {
			l := drawLog(t)
			r := &crashes{Receiver: clockwork(receiver.Modern, 0)}
			r.SetHook(serial(r.answer(guilty(l.guilty))))
			size := rapid.IntRange(1, 500).Draw(t, "samples of a request")
			run := func(requests int) *Batch {
				r.left = requests
				w := start(t, r.RoundTripper(), func(c *Config) { c.MaxSamples, c.Shards = size, 2 })
				b := &Batch{Samples: l.samples, Replayed: func(*kgo.Record) bool { return true }}
				w.Submit(b)
				synctest.Wait()
				drained(w, 0)
				<-b.Landed()
				return b
			}
			for range rapid.IntRange(0, 6).Draw(t, "crashes") {
				run(rapid.IntRange(0, 60).Draw(t, "requests until the crash"))
			}
			b := run(math.MaxInt)
			require.Empty(t, b.Abandoned())
			require.Empty(t, r.Violations())
			require.Equal(t, len(l.samples)-len(l.guilty), stored(r.Receiver))
		})
	})
}
