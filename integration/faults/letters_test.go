//go:build faults

package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
)

// The dead-letter topic takes nothing for a while: nothing is committed beyond a
// record that needs it.
func TestDeadLetterTopicDown(t *testing.T) {
	tr := begin(t, plan{name: "dead letters held up", injured: "the dead-letter topic takes nothing for 10 s", partitions: 2, outOfOrder: time.Hour})
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
	time.Sleep(5 * time.Second)
	held := tr.committed()
	time.Sleep(5 * time.Second)
	require.Equal(t, held, tr.committed(), "commits while letters cannot be written")
	tr.replicas("1")
	produce()
	tr.finish()
}

// replicas says how many replicas the dead-letter topic must have in sync to take
// anything. It has one.
func (tr *trial) replicas(n string) {
	tr.Helper()
	changes := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "min.insync.replicas", Value: &n}}
	altered, err := lab.Admin().AlterTopicConfigs(tr.Context(), changes, tr.letters)
	require.NoError(tr, err)
	require.NoError(tr, altered[0].Err)
}
