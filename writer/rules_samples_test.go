package writer

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/value"
	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// TestSenderMustNotSendStaleMarkersForOtherNaNs has a record that brings the bits of
// the marker along: a record of Avro can.
func TestSenderMustNotSendStaleMarkersForOtherNaNs(t *testing.T) {
	m, err := transform.NewMapper(transform.Config{
		Format:  "avro",
		Avro:    transform.AvroConfig{Framing: "none", Schema: `{"type":"record","name":"r","fields":[{"name":"v","type":"double"}]}`},
		Samples: []transform.Rule{{Name: "x", Value: "v"}},
	}, transform.Options{})
	require.NoError(t, err)
	underBoth(t, func(t underProtocol) {
		for _, bits := range []uint64{value.StaleNaN, value.NormalNaN, 0xfff0000000000002, math.MaxUint64} {
			r := clockwork(receiver.Modern, 0)
			record := string(binary.LittleEndian.AppendUint64(nil, bits))
			require.Empty(t, pass(t, m, start(t, overHTTP(t, r), speaking(t.protocol)), record))
			require.Equal(t, value.NormalNaN, math.Float64bits(r.Samples()[`{__name__="x"}`][0].Value))
			require.Empty(t, r.Violations())
		}
	})
}

// TestSenderMustSendSamplesOfASeriesInOrder has batches that are in no order by
// themselves, one request each.
func TestSenderMustSendSamplesOfASeriesInOrder(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		w := start(t, overHTTP(t, r), speaking(t.protocol))
		c := catalogue{}
		for batch := range int64(10) {
			var samples []transform.Sample
			for i := range 90 {
				samples = append(samples, sample(c.named(fmt.Sprintf("x%d", i%30)), 10*batch+int64(i/30)+1, 1))
			}
			rand.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
			require.Empty(t, deliver(w, samples...).Refused())
		}
		require.Empty(t, r.Violations())
		requireInOrder(t, r.Requests(), 30)
	})
}

// TestSenderMustKeepTheOrderWhereItSendsInParallel has several requests on the way at
// once, which take any time and fail now and then.
func TestSenderMustKeepTheOrderWhereItSendsInParallel(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := receiver.New(receiver.Config{Hook: func(*receiver.Request) receiver.Answer {
			a := receiver.Answer{Before: rand.N(5 * time.Second), After: rand.N(5 * time.Second)}
			if rand.N(4) == 0 {
				a.Status = 503
			}
			return a
		}})
		w := start(t, overHTTP(t, r), func(c *Config) { c.RemoteWrite.Protocol, c.Shards, c.MaxSamples = t.protocol, 8, 7 })
		c := catalogue{}
		var batches []*Batch
		for batch := range int64(20) {
			var samples []transform.Sample
			for i := range 90 {
				samples = append(samples, sample(c.named(fmt.Sprintf("x%d", i%30)), 10*batch+int64(i/30)+1, 1))
			}
			batches = append(batches, submit(w, samples...))
		}
		for _, b := range batches {
			<-b.Landed()
			require.Empty(t, b.Refused())
		}
		require.Greater(t, r.MaxInFlight(), 1)
		require.Empty(t, r.Violations())
		requireInOrder(t, r.Requests(), 30)
	})
}

// requireInOrder looks at the samples of all requests in the order in which they
// came, those of retries left out: they are the bytes of the attempt before them.
func requireInOrder(t tester, requests []receiver.Request, series int) {
	t.Helper()
	newest := map[string]int64{}
	for _, q := range requests {
		for _, s := range q.Series {
			for _, p := range s.Points {
				name := s.Labels.String()
				require.True(t, q.Attempt != "" || p.Timestamp > newest[name], "request %d: %s at %d after %d", q.Number, name, p.Timestamp, newest[name])
				newest[name] = p.Timestamp
			}
		}
	}
	require.Len(t, newest, series)
}
