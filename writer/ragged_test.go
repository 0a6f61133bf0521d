package writer

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// A crash while a request was being taken apart leaves some series further than
// others. What was not stored then, and cannot be told apart now, is not taken for
// stored: the refusal says that it is a guess.
func TestAReplayOfSeriesThatHaveGoneDifferentlyFarDropsNothingSilently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const series, points = 50, 10
		r := clockwork(receiver.Modern, 0)
		w := start(t, r.RoundTripper(), func(c *Config) { c.RemoteWrite.Protocol = protocolV1 })
		all := grid(series, upTo(1, points)...)
		var earlier []transform.Sample
		for n, s := range all {
			if s.Timestamp <= int64(n%series%7) {
				earlier = append(earlier, s)
			}
		}
		require.Empty(t, deliver(w, earlier...).Refused())
		again := &Batch{Samples: all, Replayed: func(*kgo.Record) bool { return true }}
		w.Submit(again)
		<-again.Landed()
		guessed := map[*transform.Series][]int64{}
		for _, refusal := range again.Refused() {
			if refusal.Untried {
				guessed[refusal.Series] = append(guessed[refusal.Series], refusal.Timestamp)
			}
		}
		for _, s := range all {
			known := slices.Contains(times(r, s.Series), s.Timestamp) || slices.Contains(guessed[s.Series], s.Timestamp)
			require.True(t, known, "%s at %d is neither stored nor named", seriesText(s.Series.Encoded), s.Timestamp)
		}
	})
}
