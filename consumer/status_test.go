package consumer

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

func TestALagIsKnownBeforeAnythingHasLanded(t *testing.T) {
	l := newLoose(t)
	l.assign(0, 1)
	l.know(0, 100)
	l.poll(0, 40, 50)
	l.know(0, 100)
	require.Equal(t, int64(60), l.lease(0).lag(), "the group had no offset, and reading began at 40")
	l.noteCommitted(partition{testTopic, 1}, kgo.EpochOffset{Epoch: 1, Offset: 10})
	l.know(1, 25)
	require.Equal(t, int64(15), l.lease(1).lag())
	l.lease(1).logStart = 20
	require.Equal(t, int64(5), l.lease(1).lag(), "what retention has removed is no lag")
}

func TestStatusListsNoPartitionsAsAnEmptyList(t *testing.T) {
	l := newLoose(t)
	require.NotNil(t, l.Status().Partitions)
}

func TestAskingForProgressIsSafeFromTheStart(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produceReadings(0, "a", 0, 10)
	m := b.start(untilEnd)
	b.eventually(func() bool {
		done, total := m.consumer.Done()
		require.LessOrEqual(t, done, total)
		return done == 10
	}, "it is done")
	require.NoError(t, m.wait())
}
