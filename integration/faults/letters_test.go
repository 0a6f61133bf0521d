//go:build faults

package faults

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The dead-letter topic takes nothing for a while: nothing is committed beyond a
// record that needs it.
func TestDeadLetterTopicDown(t *testing.T) {
	held := scaled(10*time.Second, 4*time.Second)
	tr := begin(t, plan{name: "dead letters held up", injured: fmt.Sprintf("the dead-letter topic takes nothing for %s", held), partitions: 2, outOfOrder: time.Hour})
	tr.start()
	produce := func() {
		t.Helper()
		for range 10 {
			bad := tr.stream.Odd(0, buried, func(float64) []byte { return []byte(`{"s":"cut off`) })
			lab.Produce(t, append(tr.stream.Next(100), bad)...)
		}
	}
	produce()
	tr.awaitNoLag()
	tr.replicas("2")
	produce()
	tr.requireHeldUp(held)
	tr.replicas("1")
	produce()
	tr.finish()
}

// requireHeldUp fails the test where anything is committed in the latter half of a
// while.
func (tr *trial) requireHeldUp(held time.Duration) {
	tr.Helper()
	time.Sleep(held / 2)
	before := tr.committed()
	time.Sleep(held / 2)
	require.Equal(tr, before, tr.committed(), "commits while letters cannot be written")
}

// The dead-letter topic takes less from some time on: at first no letter at all, then
// each that is small, but no batch of them.
func TestDeadLetterTopicShrinks(t *testing.T) {
	held := scaled(10*time.Second, 4*time.Second)
	tr := begin(t, plan{
		name: "dead letters too large", injured: fmt.Sprintf("the dead-letter topic takes 100 bytes for %s, then 2 KiB", held),
		partitions: 2, outOfOrder: time.Hour,
	})
	program := tr.start()
	lab.Produce(t, tr.stream.Next(1000)...)
	tr.awaitNoLag()
	tr.setLetters("max.message.bytes", "100")
	small, large := tr.spoilt(50, 10), tr.spoilt(5, 200)
	lab.Produce(t, slices.Concat(small, large, tr.stream.Next(1000))...)
	tr.requireHeldUp(held)
	tr.setLetters("max.message.bytes", "2048")
	tr.awaitNoLag()
	letters, err := ReadLetters(lab.Records(t, tr.letters))
	require.NoError(t, err)
	for _, r := range small {
		require.Equal(t, r.Value, letters[place{r.Partition, r.Offset}][0].Value)
	}
	for _, r := range large {
		require.Equal(t, "true", header(letters[place{r.Partition, r.Offset}][0], "kafka2prom.truncated"))
	}
	require.InDelta(t, len(large), program.Metric(t, "kafka2prom_dead_letters_truncated_total", nil), 0)
	tr.finish()
}

// spoilt makes n records that cannot be read, and cannot be compressed either. They
// have so many words of 26 bytes.
func (tr *trial) spoilt(n, words int) (records []*kgo.Record) {
	for range n {
		records = append(records, tr.stream.Odd(0, buried, func(float64) []byte {
			value := []byte(`{"s":"`)
			for range words {
				value = append(value, rand.Text()...)
			}
			return value
		}))
	}
	return records
}

// The dead-letter topic is deleted, and made anew later.
func TestDeadLetterTopicDeleted(t *testing.T) {
	held := scaled(10*time.Second, 4*time.Second)
	tr := begin(t, plan{
		name: "dead letters without a topic", injured: fmt.Sprintf("the dead-letter topic is deleted, and made anew %s later", held),
		partitions: 2, outOfOrder: time.Hour, catchUp: time.Minute,
	})
	tr.start()
	gone := tr.spoilt(10, 1)
	lab.Produce(t, append(tr.stream.Next(1000), gone...)...)
	tr.awaitNoLag()
	letters, err := ReadLetters(lab.Records(t, tr.letters))
	require.NoError(t, err)
	require.Len(t, letters, len(gone))
	tr.stream.Decide(gone, spared) // Their letters go with the topic.
	deleted, err := lab.Admin().DeleteTopic(t.Context(), tr.letters)
	require.NoError(t, err)
	require.NoError(t, deleted.Err)
	lab.Produce(t, append(tr.spoilt(10, 1), tr.stream.Next(1000)...)...)
	tr.requireHeldUp(held)
	made, err := lab.Admin().CreateTopic(t.Context(), 1, 1, map[string]*string{"message.timestamp.type": new("LogAppendTime")}, tr.letters)
	require.NoError(t, err)
	require.NoError(t, made.Err)
	lab.Produce(t, append(tr.stream.Next(1000), tr.spoilt(10, 1)...)...)
	tr.finish()
}

// replicas says how many replicas the dead-letter topic must have in sync to take
// anything. It has one.
func (tr *trial) replicas(n string) { tr.setLetters("min.insync.replicas", n) }

// setLetters changes a setting of the dead-letter topic.
func (tr *trial) setLetters(name, value string) {
	tr.Helper()
	changes := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}
	altered, err := lab.Admin().AlterTopicConfigs(tr.Context(), changes, tr.letters)
	require.NoError(tr, err)
	require.NoError(tr, altered[0].Err)
}
