package consumer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// A request that is cut off may have been stored or not: it is worth waiting for.
func TestStoppingWaitsForWhatIsOnTheWire(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	g := newGate()
	b.receiver.SetHook(g.hook)
	defer g.open()
	b.produceReadings(0, "a", 0, 10)
	m := b.start(seldom, func(s *settings) { s.consumer.ShutdownTimeout = patience })
	b.eventually(func() bool { return b.receiver.InFlight() > 0 }, "a request is on the wire")
	m.cancel()
	require.Never(t, func() bool {
		select {
		case <-m.done:
			return true
		default:
			return false
		}
	}, 200*time.Millisecond, 10*time.Millisecond)
	g.open()
	require.NoError(t, m.wait())
	require.Equal(t, int64(10), b.committed(0))
	require.Zero(t, m.ledger().abandoned)
	m.requireBalanced()
}

func TestStoppingWaitsForDeadLettersThatAreBeingWritten(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: deadTopic, Err: kerr.InvalidRequiredAcks, Count: -1})
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte("nonsense")})
	b.produceReadings(0, "a", 0, 1)
	m := b.start(func(s *settings) { s.consumer.ShutdownTimeout = patience })
	b.eventually(m.consumer.letters.backingOff.Load, "the letter waits for its next attempt")
	m.cancel()
	b.eventually(func() bool { return m.ledger().consumed == 2 }, "both were read")
	time.AfterFunc(100*time.Millisecond, fault.Remove)
	require.NoError(t, m.wait())
	require.Equal(t, int64(2), b.committed(0))
	require.Len(t, b.deadLetters(), 1)
	m.requireBalanced()
}

// Everything before the record at which the pipeline stops is landed first, however
// long that takes; only a request to stop cuts it short.
func TestOnErrorStopWaitsForTheReceiverLongerThanAShutdownMayTake(t *testing.T) {
	for name, landed := range map[string]bool{"the receiver comes back": true, "it is asked to stop": false} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, 1, receiver.Config{})
			g := newGate()
			b.receiver.SetHook(g.hook)
			defer g.open()
			b.produceReadings(0, "a", 0, 7)
			b.produce(&kgo.Record{Topic: testTopic, Value: []byte("nonsense")})
			m := b.start(func(s *settings) {
				s.consumer.OnError, s.consumer.DeadLetter = onErrorStop, nil
				s.consumer.ShutdownTimeout = 20 * time.Millisecond
			})
			b.eventually(func() bool { return m.halted() == 1 && b.receiver.InFlight() > 0 }, "it stops at the record")
			require.Never(t, func() bool {
				select {
				case <-m.done:
					return true
				default:
					return false
				}
			}, 200*time.Millisecond, 10*time.Millisecond)
			want := int64(0)
			if landed {
				g.open()
				want = 7
				require.ErrorContains(t, m.wait(), "offset 7")
			} else {
				require.ErrorContains(t, m.stop(), "offset 7")
			}
			require.Equal(t, want, b.committed(0))
			m.requireBalanced()
		})
	}
}
