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

func TestTheWatchdogWantsPendingWorkAndNothingTried(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	after := start.Add
	const stall = 10 * time.Minute
	for name, c := range map[string]struct {
		change    func(*loose)
		now       time.Time
		attempted time.Time
		wedged    bool
	}{
		"nothing is pending":       {change: func(l *loose) { l.open = nil }, now: after(time.Hour)},
		"it has not begun":         {change: func(l *loose) { l.running.Store(false) }, now: after(time.Hour)},
		"just in time":             {now: after(stall)},
		"wedged":                   {now: after(stall + time.Second), wedged: true},
		"a batch in flight":        {change: func(l *loose) { l.submit(closedAge) }, now: after(stall + time.Second), wedged: true},
		"a record waits":           {change: func(l *loose) { l.open, l.pending = nil, []run{{}} }, now: after(stall + time.Second), wedged: true},
		"a poll came back":         {change: func(l *loose) { l.progress.polled(after(time.Minute)) }, now: after(stall + time.Second)},
		"a batch has landed":       {change: func(l *loose) { l.progress.landed(after(time.Minute)) }, now: after(stall + time.Second)},
		"the writer tries":         {now: after(time.Hour), attempted: after(time.Hour - time.Minute)},
		"dead letters are tried":   {change: func(l *loose) { l.progress.tried(after(time.Minute)) }, now: after(stall + time.Second)},
		"the last attempt is long": {now: after(time.Hour), attempted: after(time.Minute), wedged: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoose(t)
			l.assign(0)
			l.poll(0, 0, 1)
			l.progress.begin(start)
			l.running.Store(true)
			if c.change != nil {
				c.change(l)
			}
			err := l.Healthy(c.now, c.attempted)
			if c.wedged {
				require.ErrorContains(t, err, "work is pending")
				return
			}
			require.NoError(t, err)
		})
	}
}

func TestADeadLetterTopicThatCannotBeWrittenIsNoIllHealth(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: deadTopic, Err: kerr.InvalidRequiredAcks, Count: -1})
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte("nonsense")})
	m := b.start(func(s *settings) { s.consumer.Batch.InFlight = 1 })
	b.eventually(func() bool { return fault.Hits() > 0 }, "the letter is tried")
	before := time.Now()
	b.eventually(func() bool {
		return m.consumer.Healthy(before.Add(m.consumer.cfg.StallTimeout), time.Time{}) == nil
	}, "trying it again counts")
}

func TestReadyMeansThatThePipelineIsAtWork(t *testing.T) {
	l := newLoose(t)
	require.EqualError(t, l.Ready(), "not consuming")
	l.running.Store(true)
	require.NoError(t, l.Ready(), "a rebalance that leaves nothing is no reason to restart")
	l.assign(0)
	require.NoError(t, l.Ready())
}
