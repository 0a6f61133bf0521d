//go:build faults

package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// poisonShape sends two thousand samples in one request.
const poisonShape = "    batch: {max_samples: 2000, max_age: 1s, in_flight: 4}\n    shards: 1"

// One sample among two thousand is refused by the receiver: all the others are
// stored, and it alone becomes a dead letter with the receiver's words.
func TestPoisonAmongTwoThousand(t *testing.T) {
	f := func(protocol string, outOfOrder time.Duration, mostRequests int) {
		t.Helper()
		name := "poison, " + protocol
		if outOfOrder > 0 {
			name += ", window 1 h"
		}
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: name, injured: "one sample of each kind that Prometheus refuses among 2,000", partitions: 1,
				outOfOrder: outOfOrder, shape: poisonShape, remote: ", protocol: '" + protocol + "'",
			})
			poison(tr, outOfOrder, mostRequests)
			tr.finish()
		})
	}
	// 2·log2(2000) = 22.
	f("1.0", 0, 22+6)
	f("1.0", time.Hour, 22+6)
	f("2.0", 0, 2)
	f("2.0", time.Hour, 2)
}

func poison(tr *trial, outOfOrder time.Duration, mostRequests int) {
	tr.Helper()
	at := time.Now().Add(-time.Minute).UnixMilli()
	const late = "out of order sample|out of bounds|too old sample" // The window decides which.
	kinds := []struct {
		at    int64
		words string
	}{
		{at, "duplicate sample for timestamp"},
		{at - outOfOrder.Milliseconds() - 5*time.Minute.Milliseconds(), late},
		{at - 5*time.Hour.Milliseconds(), late},
		{at + 2*time.Hour.Milliseconds(), "too far in the future"},
	}
	tr.start()
	lab.Produce(tr.T, append(tr.stream.Next(100), tr.stream.Sample(0, "poisoned", at, stored))...)
	tr.awaitNoLag()
	for _, kind := range kinds {
		before, _ := tr.proxy.Requests()
		records := tr.stream.Next(1000)
		guilty := tr.stream.Sample(0, "poisoned", kind.at, buried)
		records = append(records, guilty)
		lab.Produce(tr.T, append(records, tr.stream.Next(999)...)...)
		tr.awaitNoLag()
		after, _ := tr.proxy.Requests()
		require.LessOrEqual(tr, after-before, mostRequests, "requests for a sample that is a %s", kind.words)
		tr.requireLetter(guilty, kind.words)
	}
}

// requireLetter fails the test where a record has not exactly one dead letter, with
// words of the receiver that match a pattern.
func (tr *trial) requireLetter(r *kgo.Record, words string) {
	tr.Helper()
	letters, err := ReadLetters(lab.Records(tr.T, tr.letters))
	require.NoError(tr, err)
	own := letters[place{r.Partition, r.Offset}]
	require.Len(tr, own, 1)
	require.Equal(tr, r.Value, own[0].Value)
	require.Regexp(tr, words, header(own[0], "kafka2prom.error"))
}
