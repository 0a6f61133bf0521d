package consumer

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// Records that give no sample have nothing to wait for, but what was read before them
// has.
func TestAFilteredRecordDoesNotPushTheOffsetPastAnUndeliveredOne(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	g := newGate()
	b.receiver.SetHook(g.hook)
	defer g.open()
	m := b.start()
	b.produceReadings(0, "a", 0, 1)
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "a request is on the wire")
	b.produce(&kgo.Record{Topic: testTopic, Key: []byte("k")}, &kgo.Record{Topic: testTopic, Value: []byte(`{"s":"a","v":null}`)})
	b.eventually(func() bool { return m.metric("kafka2prom_batches_in_flight") > 1 }, "a batch without samples is behind it")
	require.Never(t, func() bool { return b.committed(0) > 0 }, 300*time.Millisecond, 10*time.Millisecond)
	g.open()
	b.awaitCommitted(0, 3)
	require.Equal(t, int64(2), m.ledger().filteredTotal())
	m.requireBalanced()
}

// Of what is read in many fetches only the part without a hole is committed, whichever
// request is answered first.
func TestOnlyWhatHasLandedWithoutAHoleIsCommittedAcrossFetches(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	g := newGate()
	var held atomic.Int32
	b.receiver.SetHook(func(q *receiver.Request) receiver.Answer {
		for _, s := range q.Series {
			if s.Labels.Get("s") == "held" {
				held.Add(1)
				<-g.opened
			}
		}
		return receiver.Answer{}
	})
	defer g.open()
	m := b.start(func(s *settings) { s.writer.Shards = 8 })
	for i := range 5 {
		b.produceReadings(0, fmt.Sprint("early", i), 0, 1)
	}
	b.awaitCommitted(0, 5)
	b.produceReadings(0, "held", 0, 1)
	b.eventually(func() bool { return held.Load() == 1 }, "the sixth is on the wire")
	for _, series := range []string{"q", "r", "s", "t", "u", "v", "w"} {
		b.produceReadings(0, series, 0, 1)
	}
	b.eventually(func() bool { return len(b.receiver.Samples()) > 6 }, "later ones have landed")
	require.Never(t, func() bool { return b.committed(0) > 5 }, 300*time.Millisecond, 10*time.Millisecond)
	g.open()
	b.awaitCommitted(0, 13)
	m.requireBalanced()
}

// The acknowledgement of the leader alone does not outlive the leader.
func TestDeadLettersAskForTheAcknowledgementOfAllReplicas(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	var weak, all atomic.Int32
	b.cluster.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		if req := kreq.(*kmsg.ProduceRequest); req.Acks == -1 {
			all.Add(1)
		} else {
			weak.Add(1)
		}
		return nil, nil, false
	})
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte("nonsense")})
	before := all.Load()
	b.start()
	b.awaitCommitted(0, 1)
	require.Greater(t, all.Load(), before)
	require.Zero(t, weak.Load())
}
