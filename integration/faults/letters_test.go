//go:build faults

package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
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
	time.Sleep(held / 2)
	before := tr.committed()
	time.Sleep(held / 2)
	require.Equal(t, before, tr.committed(), "commits while letters cannot be written")
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
