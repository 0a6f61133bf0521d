package writer

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

func TestABatchLandsWhenItsSamplesAreStored(t *testing.T) {
	for _, protocol := range []string{protocolV1, protocolV2, protocolAuto} {
		t.Run(protocol, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := clockwork(receiver.Modern, 0)
				w := start(t, r.RoundTripper(), func(c *Config) { c.RemoteWrite.Protocol, c.Shards = protocol, 3 })
				c := catalogue{}
				up := c.series("__name__", "up", "job", "x")
				down := c.series("__name__", "down", "job", "x")
				b := deliver(w, sample(up, 1000, 1), sample(down, 1000, 2), sample(up, 2000, 3))

				require.Empty(t, b.Refused())
				require.Equal(t, map[string][]receiver.Point{
					`{__name__="up", job="x"}`:   {{Timestamp: 1000, Value: 1}, {Timestamp: 2000, Value: 3}},
					`{__name__="down", job="x"}`: {{Timestamp: 1000, Value: 2}},
				}, r.Samples())
				require.Empty(t, r.Violations())
				require.Equal(t, map[string]int64{"written": 3}, totals(w))
			})
		})
	}
}
