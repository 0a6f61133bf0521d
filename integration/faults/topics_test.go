//go:build faults

package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A topic is deleted while it is read, and made anew. What nobody had read of the old
// one is gone with it; the new one is read from its first record.
func TestTopicMadeAnew(t *testing.T) {
	f := func(name string, after time.Duration, lines ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: name, injured: "the topic is deleted right behind the last record, and made anew " + after.String() + " later", lab: pretend(t).lab,
				outOfOrder: time.Hour, pipeline: lines,
			})
			tr.flow(1000)
			program := tr.start()
			tr.awaitCommitted(4000)
			tr.calm()
			tr.recreate(after)
			tr.flow(1000)
			tr.awaitCommitted(4000)
			tr.calm()
			tr.awaitNoLag()
			require.Positive(t, tr.metric(program, "kafka2prom_topics_recreated_total"))
			tr.Log(tr.stream.ForgetOld(&tr.proxy.Journal), "records of the old topic were not read")
			tr.finish()
		})
	}
	f("topic made anew", 0)
	f("topic made anew, KIP-848", 0, "group_protocol: consumer")
	f("topic made anew later", 5*time.Second)
}

// recreate deletes the topic, and makes it anew. Nobody looks at its commits meanwhile.
func (tr *trial) recreate(after time.Duration) {
	tr.Helper()
	tr.renewal.Lock()
	defer tr.renewal.Unlock()
	committed, err := tr.lab.Committed(tr.Context(), tr.group, tr.topic)
	require.NoError(tr, err)
	ends, err := tr.lab.Ends(tr.Context(), tr.topic)
	require.NoError(tr, err)
	tr.lab.Recreate(tr.T, tr.topic, tr.plan.partitions, after)
	tr.stream.Renew(ends, committed)
}

// Partitions that are added while the topic is read are read from their first record.
func TestPartitionsAdded(t *testing.T) {
	f := func(name string, lines ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: name, injured: "from 4 partitions to 8 and 12", lab: pretend(t).lab, outOfOrder: time.Hour,
				pipeline: append(lines, "start: latest"),
			})
			tr.start()
			time.Sleep(2 * time.Second) // From here on the program reads.
			for _, partitions := range []int32{8, 12} {
				tr.flow(500)
				tr.awaitCommitted(tr.committed() + 4000)
				tr.calm()
				tr.lab.Widen(t, tr.topic, partitions)
				tr.stream.Widen(partitions)
				tr.lab.Produce(t, tr.stream.Next(1000)...) // Before anybody knows of them.
			}
			tr.finish()
		})
	}
	f("partitions added")
	f("partitions added, KIP-848", "group_protocol: consumer")
}
