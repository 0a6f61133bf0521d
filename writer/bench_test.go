package writer

import (
	"fmt"
	"io"
	"net/http"
	"testing"
)

// nowhere takes every request in full, and nothing else.
func nowhere(req *http.Request) (*http.Response, error) {
	_, err := io.Copy(io.Discard, req.Body)
	_ = req.Body.Close()
	return &http.Response{
		StatusCode: http.StatusNoContent,
		Header:     http.Header{"X-Prometheus-Remote-Write-Samples-Written": {"1000000"}},
		Body:       http.NoBody,
	}, err
}

func perSample(b *testing.B, samples int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*samples), "ns/sample")
}

// BenchmarkSplit is what the goroutine that polls pays.
func BenchmarkSplit(b *testing.B) {
	w := &Writer{shards: make([]*shard, 4), split: make([][]uint32, 4)}
	batch := &Batch{Samples: fleet(10000, 4)}
	b.ReportAllocs()
	for b.Loop() {
		w.divide(batch)
		for i := range w.split {
			w.split[i] = w.split[i][:0]
		}
	}
	perSample(b, len(batch.Samples))
}

// BenchmarkArrange is taking samples off the queue and putting them in wire order.
func BenchmarkArrange(b *testing.B) {
	for _, shape := range []struct{ series, each int }{{10000, 1}, {1000, 10}} {
		b.Run(fmt.Sprintf("series=%d/each=%d", shape.series, shape.each), func(b *testing.B) {
			batch := &Batch{Samples: fleet(shape.series, shape.each)}
			var r request
			b.ReportAllocs()
			for b.Loop() {
				for i := range batch.Samples {
					if r.fits(&batch.Samples[i], 8<<20) {
						r.add(&batch.Samples[i], batch)
					}
				}
				r.arrange()
				r.reset()
			}
			perSample(b, len(batch.Samples))
		})
	}
}

// BenchmarkShard is everything from Submit to Landed, with a transport that takes
// no time.
func BenchmarkShard(b *testing.B) {
	for _, protocol := range []string{protocolV1, protocolV2} {
		for _, shape := range []struct{ series, each int }{{10000, 1}, {1000, 10}} {
			b.Run(fmt.Sprintf("protocol=%s/series=%d/each=%d", protocol, shape.series, shape.each), func(b *testing.B) {
				w, err := New(configure(func(c *Config) { c.RemoteWrite.Protocol = protocol }), Options{transport: roundTripper(nowhere)})
				if err != nil {
					b.Fatal(err)
				}
				samples := fleet(shape.series, shape.each)
				b.ReportAllocs()
				for b.Loop() {
					batch := &Batch{Samples: samples}
					w.Submit(batch)
					<-batch.Landed()
				}
				perSample(b, len(samples))
				drained(w, 0)
			})
		}
	}
}
