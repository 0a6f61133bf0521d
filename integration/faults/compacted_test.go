//go:build faults

package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Compaction takes records out of the log, before they are read and while. Every record
// that it has left is stored, and the group gets to the end over the gaps.
func TestCompaction(t *testing.T) {
	broker := pretend(t)
	tr := begin(t, plan{
		name: "compaction", injured: "the log is compacted every 200 ms, at first before it is read", lab: broker.lab, outOfOrder: time.Hour,
		topic: map[string]string{"cleanup.policy": "compact"},
	})
	tr.stream.keys = 500
	tr.flow(500)
	for i := range 40 {
		if i == 10 {
			tr.start()
		}
		time.Sleep(200 * time.Millisecond)
		broker.Compact()
	}
	tr.calm()
	tr.awaitNoLag()
	gone := tr.stream.ForgetAllBut(tr.lab.Records(t, tr.topic), &tr.proxy.Journal)
	require.Greater(t, gone, 1000, "the log has gaps")
	tr.finish()
}

// A producer dies in the middle of a transaction. Nothing behind it is read until the
// broker has given it up; then everything is, but for the transaction.
func TestTransactionHangs(t *testing.T) {
	tr := begin(t, plan{
		name: "hanging transaction", injured: "its producer dies, and the broker aborts it after 8 s", lab: pretend(t).lab, outOfOrder: time.Hour,
	})
	tr.start()
	tr.lab.Produce(t, tr.stream.Next(1000)...)
	tr.awaitCommitted(3999)
	producer := tr.lab.Producer(t, kgo.TransactionalID(tr.topic), kgo.TransactionTimeout(8*time.Second))
	require.NoError(t, producer.BeginTransaction())
	hanging := tr.stream.Next(100)
	require.NoError(t, producer.ProduceSync(t.Context(), hanging...).FirstErr())
	producer.Close()
	tr.stream.Decide(hanging, spared)
	tr.lab.Produce(t, tr.stream.Next(1000)...)
	require.Never(t, func() bool { return tr.committed() > 4000 }, 3*time.Second, 50*time.Millisecond, "it reads behind an open transaction")
	tr.finish()
}
