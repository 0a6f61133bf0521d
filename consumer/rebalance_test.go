package consumer

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

func TestALateAcknowledgementAfterARevocationCommitsNothing(t *testing.T) {
	b := newBed(t, 2, receiver.Config{OutOfOrderWindow: time.Hour})
	g := newGate()
	b.receiver.SetHook(g.hook)
	defer g.open()
	b.produceReadings(0, "a", 0, 10)
	b.produceReadings(1, "b", 0, 10)
	quick := func(s *settings) { s.consumer.RebalanceTimeout = 3 * time.Second }
	first := b.start(quick)
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "a request of the first is on the wire")

	// The second takes one partition over; the first waits for its request in vain.
	second := b.start(quick)
	b.eventually(func() bool { return first.assigned() == 1 && second.assigned() == 1 }, "each has one partition")
	require.Zero(t, b.committed(0))
	require.Zero(t, b.committed(1))
	moved := second.consumer.Status().Partitions[0].Partition

	// Its late acknowledgement must not commit what is not its own any more.
	before := first.consumer.ledger.snapshot().abandoned
	g.open()
	b.eventually(func() bool { return first.consumer.ledger.snapshot().abandoned > before }, "the records of the moved partition are abandoned")
	b.awaitCommitted(moved, 10)
	b.awaitCommitted(1-moved, 10)
	require.Equal(t, int64(10), first.consumer.ledger.snapshot().abandoned)
	b.requireStored("a", 0, 10)
	b.requireStored("b", 0, 10)
	first.requireBalanced()
	second.requireBalanced()
}

func TestARevocationWaitsForWhatIsOnTheWireAndCommitsIt(t *testing.T) {
	b := newBed(t, 2, receiver.Config{}) // No window: a repeated sample would be refused.
	b.receiver.SetHook(func(*receiver.Request) receiver.Answer { return receiver.Answer{Before: 20 * time.Millisecond} })
	first := b.start()
	stop := make(chan struct{})
	produced := make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				produced <- n
				return
			default:
				_ = b.client.ProduceSync(t.Context(), b.reading(0, "a", n), b.reading(1, "b", n)).FirstErr()
			}
		}
	}()
	b.eventually(func() bool { return len(b.stored("a")) > 20 }, "it is under way")
	second := b.start()
	b.eventually(func() bool { return second.assigned() == 1 && first.assigned() == 1 }, "each has one partition")
	close(stop)
	n := <-produced
	b.awaitCommitted(0, int64(n))
	b.awaitCommitted(1, int64(n))
	b.requireStored("a", 0, n)
	b.requireStored("b", 0, n)
	require.Zero(t, first.metric("kafka2prom_refusals_total")+second.metric("kafka2prom_refusals_total"))
	require.Zero(t, first.consumer.ledger.snapshot().abandoned)
	require.Empty(t, b.receiver.Violations())
}

func TestAStormOfRebalancesLosesNothing(t *testing.T) {
	kinds := map[string]func(*settings, int){
		"cooperative": func(*settings, int) {},
		"eager":       func(s *settings, _ int) { s.consumer.Balancer = balancerRange },
		"static":      func(s *settings, i int) { s.consumer.InstanceID = fmt.Sprintf("member-%d", i) },
		"consumer":    func(s *settings, _ int) { s.consumer.GroupProtocol = protocolConsumer },
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			const partitions, seconds = 4, 1500
			b := newBed(t, partitions, receiver.Config{OutOfOrderWindow: 2 * time.Hour})
			go func() {
				for i := 0; i < seconds && t.Context().Err() == nil; i += 10 {
					var records []*kgo.Record
					for p := range int32(partitions) {
						for s := range 10 {
							records = append(records, b.reading(p, fmt.Sprint("s", p), i+s))
						}
					}
					_ = b.client.ProduceSync(t.Context(), records...).FirstErr()
					time.Sleep(10 * time.Millisecond)
				}
			}()
			random := rand.New(rand.NewPCG(1, 2))
			join := func(slot int) *member {
				return b.start(func(s *settings) {
					s.consumer.SessionTimeout = 6 * time.Second
					kind(s, slot)
				})
			}
			members := []*member{join(0), join(1)}
			for range 6 {
				time.Sleep(time.Duration(100+random.IntN(200)) * time.Millisecond)
				i := random.IntN(2)
				require.NoError(t, members[i].stop())
				members[i].requireBalanced()
				members[i] = join(i)
			}
			for p := range int32(partitions) {
				b.awaitCommitted(p, seconds)
				b.requireStored(fmt.Sprint("s", p), 0, seconds)
			}
		})
	}
}

func TestPartitionsThatAreLostAreFencedAndNotCommitted(t *testing.T) {
	b := newBed(t, 1, receiver.Config{OutOfOrderWindow: time.Hour})
	g := newGate()
	b.receiver.SetHook(g.hook)
	defer g.open()
	b.produceReadings(0, "a", 0, 10)
	m := b.start()
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "a request is on the wire")
	m.consumer.lost(t.Context(), m.consumer.client, map[string][]int32{testTopic: {0}})
	g.open()
	b.eventually(func() bool { return m.consumer.ledger.snapshot().abandoned == 10 }, "the records are abandoned")
	require.Never(t, func() bool { return b.committed(0) > 0 }, 200*time.Millisecond, 10*time.Millisecond)
	m.requireBalanced()
}
