package consumer

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/transform"
)

// The wall clock of a machine may jump by hours. The times that decide anything (the
// age of a batch, how long a partition has been quiet, when mapping goes on, when
// anything last happened) are compared by the monotonic clock, as long as nobody
// takes its reading out of them.
func TestTimesThatDecideDoNotFollowTheWallClock(t *testing.T) {
	l := newLoose(t)
	before := time.Now()
	l.assign(0)
	assigned := l.lease(0).lastFetch
	l.poll(0, 0, 5)
	l.cannotMap(l.lease(0), looseRecord(0, 5), &transform.RetryError{Err: errors.New("the registry is down")})
	held := l.notBefore
	l.progress.begin(time.Now())
	l.submit(closedAge)
	l.settleNext(landing())
	_, landed, _ := l.progress.snapshot()
	l.notBefore = time.Time{}
	l.poll(0, 5, 6)
	for name, at := range map[string]time.Time{
		"the assignment of a partition": assigned,
		"its last records":              l.lease(0).lastFetch,
		"the age of a batch":            l.open.opened,
		"when mapping goes on":          held,
		"the last landing":              landed,
		"when anything last happened":   l.progress.last(),
	} {
		require.Contains(t, at.String(), " m=", name)
		require.False(t, at.Before(before), name)
	}
}

// What records say about the time decides nothing: the newest one is shown to people.
func TestRecordsFromTheFutureStallNothing(t *testing.T) {
	l := newLoose(t)
	l.assign(0)
	l.running.Store(true)
	l.progress.begin(time.Now())
	future := looseRecord(0, 0)
	future.Timestamp = time.Now().AddDate(100, 0, 0)
	l.feed(kgo.FetchPartition{Partition: 0, Records: []*kgo.Record{future}, HighWatermark: 2, LastStableOffset: 2})
	l.submit(closedAge)
	l.settleNext(landing())
	l.poll(0, 1, 2)
	require.NotNil(t, l.open)
	wait, poll := l.nextStep(l.open.opened)
	require.True(t, poll)
	require.LessOrEqual(t, wait, l.cfg.Batch.MaxAge)
	require.ErrorContains(t, l.Healthy(time.Now().Add(l.cfg.StallTimeout+time.Second), time.Time{}), "work is pending", "the watchdog is not put off")
	require.NoError(t, testutil.CollectAndCompare(assignment{l.Consumer}, strings.NewReader(`
# HELP kafka2prom_time_behind_seconds Age of the newest settled record while there is lag; 0 without lag.
# TYPE kafka2prom_time_behind_seconds gauge
kafka2prom_time_behind_seconds 0
`), "kafka2prom_time_behind_seconds"))
}
