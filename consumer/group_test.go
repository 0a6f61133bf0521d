package consumer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

func quickRebalance(s *settings) { s.consumer.RebalanceTimeout = 3 * time.Second }

func TestTwoPipelinesOnOneTopicEachReadAllOfIt(t *testing.T) {
	b := newBed(t, 2, receiver.Config{})
	b.produceReadings(0, "a", 0, 50)
	b.produceReadings(1, "b", 0, 50)
	first := b.start()
	second := b.start(func(s *settings) {
		s.consumer.Group = "another"
		s.mapping.Samples[0].Name = "copy"
	})
	for _, m := range []*member{first, second} {
		b.eventually(func() bool { return m.metric("kafka2prom_records_total", "outcome", "written") == 100 }, "all is written")
		m.requireBalanced()
	}
	b.requireStored("a", 0, 50)
	require.Len(t, b.receiver.Samples()[`{__name__="copy", s="b"}`], 50)
	require.Equal(t, 2, first.assigned())
	require.Equal(t, 2, second.assigned())
}

func TestARevocationWithAnOpenBatchAndNothingInFlightCommitsIt(t *testing.T) {
	b := newBed(t, 2, receiver.Config{}) // No window: a repeated sample would be refused.
	b.produceReadings(0, "a", 0, 10)
	b.produceReadings(1, "b", 0, 10)
	first := b.start(func(s *settings) { s.consumer.Batch.MaxAge = time.Hour })
	b.eventually(func() bool { return first.metric("kafka2prom_records_in_flight") == 20 }, "the batch is open")
	require.Zero(t, first.metric("kafka2prom_batches_in_flight"))
	second := b.start()
	b.eventually(func() bool { return first.assigned() == 1 && second.assigned() == 1 }, "each has one partition")
	b.awaitCommitted(0, 10)
	b.awaitCommitted(1, 10)
	require.Zero(t, first.ledger().abandoned)
	require.Zero(t, second.metric("kafka2prom_records_consumed_total"), "nothing comes again")
	first.requireBalanced()
}

func (m *member) ledger() tally { return m.consumer.ledger.snapshot() }

func TestARevocationWhileTheLoopWaitsForASlotIsNotHeldUp(t *testing.T) {
	b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
	g := newGate()
	b.receiver.SetHook(g.hook)
	defer g.open()
	b.produceReadings(0, "a", 0, 50)
	b.produceReadings(1, "b", 0, 50)
	first := b.start(quickRebalance, func(s *settings) {
		s.consumer.Batch.InFlight = 1
		s.writer.MaxSamples, s.writer.Shards = 5, 1
	})
	b.eventually(func() bool { return b.receiver.InFlight() > 0 && first.metric("kafka2prom_batches_in_flight") == 1 }, "every slot is taken")
	second := b.start(quickRebalance)
	b.eventually(func() bool { return first.assigned() == 1 && second.assigned() == 1 }, "each has one partition")
	g.open()
	b.awaitCommitted(0, 50)
	b.awaitCommitted(1, 50)
	b.requireStored("a", 0, 50)
	b.requireStored("b", 0, 50)
	first.requireBalanced()
	second.requireBalanced()
}

func TestStoppingDuringARebalanceEndsInGoodOrder(t *testing.T) {
	b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
	g := newGate()
	b.receiver.SetHook(g.hook)
	defer g.open()
	b.produceReadings(0, "a", 0, 10)
	b.produceReadings(1, "b", 0, 10)
	first := b.start(quickRebalance, func(s *settings) { s.consumer.ShutdownTimeout = 500 * time.Millisecond })
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "a request is on the wire")
	second := b.start(quickRebalance)
	b.eventually(func() bool {
		return first.metric("kafka2prom_batches_total", "reason", "revoke") > 0 || first.halted() > 0
	}, "the revocation has begun")
	require.NoError(t, first.stop())
	first.requireBalanced()
	require.Zero(t, first.ledger().inFlight)
	g.open()
	b.eventually(func() bool { return second.assigned() == 2 }, "the other has everything")
	b.awaitCommitted(0, 10)
	b.awaitCommitted(1, 10)
	b.requireStored("a", 0, 10)
	b.requireStored("b", 0, 10)
}

// halted is the number of partitions of which nothing more is mapped.
func (m *member) halted() (n int) {
	m.consumer.mu.Lock()
	defer m.consumer.mu.Unlock()
	for _, l := range m.consumer.leases {
		if l.halted {
			n++
		}
	}
	return n
}

func TestErrorsOfOnePartitionLeaveTheOthersAlone(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.CorruptMessage, kerr.UnknownServerError, kerr.TopicAuthorizationFailed} {
		t.Run(e.Message, func(t *testing.T) {
			b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
			b.produceReadings(0, "a", 0, 20)
			b.produceReadings(1, "b", 0, 20)
			fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Partitions: []int32{0}, Err: e, Count: -1})
			m := b.start()
			b.awaitCommitted(1, 20)
			b.requireStored("b", 0, 20)
			require.Zero(t, b.committed(0))
			require.Positive(t, fault.Hits())
			fault.Remove()
			b.awaitCommitted(0, 20)
			b.requireStored("a", 0, 20)
			require.NoError(t, m.consumer.Ready(), "what gives records again has not failed")
			m.requireBalanced()
		})
	}
}
