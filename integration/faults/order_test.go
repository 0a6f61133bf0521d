//go:build faults

package faults

import (
	"bufio"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// orderShape holds everything that is there at the start in one batch.
const orderShape = "    batch: {max_samples: 20000, max_age: 3s, in_flight: 4}\n    shards: 8"

// Within a batch the order of a series does not matter: it leaves in order, so that
// the receiver takes all of it, window or not. Of several values at one time the
// first is stored. Between batches it is the window that decides.
func TestOrder(t *testing.T) {
	f := func(name string, window time.Duration, protocol string, late fate) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: name, injured: "samples unsorted, twice at one time, late; 8 shards", outOfOrder: window,
				shape: orderShape, remote: ", protocol: '" + protocol + "'",
			})
			begin := time.Now().Add(-20 * time.Minute).UnixMilli()
			lab.Produce(t, unsorted(tr, begin)...)
			if window > 0 {
				lab.Produce(t, shared(tr, begin)...)
			}
			tr.start()
			tr.awaitNoLag()
			require.Zero(t, outOfOrder(tr), "the receiver has seen nothing out of order")
			for i := range 20 { // Each series has its newest sample by now.
				lab.Produce(t, tr.stream.Sample(int32(i%4), orderSeries(i%4, i), begin+500, late))
			}
			tr.finish()
		})
	}
	f("order, no window, 1.0", 0, "1.0", buried)
	f("order, no window, 2.0", 0, "2.0", buried)
	f("order, window 1 h, 1.0", time.Hour, "1.0", stored)
	f("order, window 1 h, 2.0", time.Hour, "2.0", stored)
}

func orderSeries(partition, i int) string {
	return "order-" + strconv.Itoa(partition) + "-" + strconv.Itoa(i)
}

// unsorted are samples of twenty series for each partition in any order, with the
// first of each series twice at one time: the value that stands first in the log
// wins.
func unsorted(tr *trial, begin int64) (records []*kgo.Record) {
	for p := range 4 {
		for i := range 20 {
			records = append(records, tr.stream.Sample(int32(p), orderSeries(p, i), begin+2000, stored))
		}
		for _, at := range rand.Perm(20 * 100) {
			series, second := orderSeries(p, at%20), int64(at/20)
			records = append(records, tr.stream.Sample(int32(p), series, begin+second*1000, map[bool]fate{true: buried, false: stored}[second == 2]))
		}
	}
	return records
}

// shared are series that two partitions have in turn, the newest first.
func shared(tr *trial, begin int64) (records []*kgo.Record) {
	for at := 200; at > 0; at-- {
		records = append(records, tr.stream.Sample(int32(at%2), "shared", begin+int64(at), stored))
	}
	return records
}

// outOfOrder is what the receiver says of samples that it refused as out of order.
func outOfOrder(tr *trial) (total float64) {
	req, err := http.NewRequestWithContext(tr.Context(), http.MethodGet, tr.prometheus.URL+"/metrics", http.NoBody)
	require.NoError(tr, err)
	answer, err := http.DefaultClient.Do(req)
	require.NoError(tr, err)
	defer answer.Body.Close()
	found := false
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "prometheus_tsdb_out_of_order_samples_total"); ok {
			n, err := strconv.ParseFloat(rest[strings.LastIndex(rest, " ")+1:], 64)
			require.NoError(tr, err)
			total, found = total+n, true
		}
	}
	require.True(tr, found, "the receiver has such a metric")
	return total
}
