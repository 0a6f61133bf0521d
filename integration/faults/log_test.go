//go:build faults

package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The log loses what has not been read yet; what is lost is counted exactly.
func TestRetentionOvertakes(t *testing.T) {
	f := func(name string, running bool) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{name: name, injured: "records are deleted before they are read", partitions: 2, outOfOrder: time.Hour})
			program := tr.start()
			lab.Produce(t, tr.stream.Next(2000)...)
			tr.awaitNoLag()
			tr.proxy.Set(func() Fault { return Fault{Status: 500} })
			if !running {
				program.Terminate(t)
			}
			lab.Produce(t, tr.stream.Next(40_000)...)
			time.Sleep(2 * time.Second)
			tr.deleteBefore(38_000)
			tr.proxy.Set(nil)
			if !running {
				require.NoError(t, program.Start())
			}
			tr.awaitNoLag()
			gone := tr.stream.Forget(0, 0, 38_000, &tr.proxy.Journal) + tr.stream.Forget(1, 0, 38_000, &tr.proxy.Journal)
			require.NotZero(t, gone)
			require.InDelta(t, gone, program.Metric(t, "kafka2prom_records_lost_total", nil), 0)
			tr.finish()
		})
	}
	f("retention, while it was down", false)
	f("retention, while it runs", true)
}

// deleteBefore removes the records in front of an offset from both partitions.
func (tr *trial) deleteBefore(offset int64) {
	tr.Helper()
	var offsets kadm.Offsets
	for p := range int32(2) {
		offsets.Add(kadm.Offset{Topic: tr.topic, Partition: p, At: offset})
	}
	deleted, err := lab.Admin().DeleteRecords(tr.Context(), offsets)
	require.NoError(tr, err)
	require.NoError(tr, deleted.Error())
}

// Transactions that are committed, aborted, and left open for a while. Nothing of an
// aborted one is stored, and the lag still becomes 0.
func TestTransactions(t *testing.T) {
	open := scaled(5*time.Second, 2*time.Second)
	tr := begin(t, plan{name: "transactions", injured: fmt.Sprintf("every other one aborted, two left open for %s", open), outOfOrder: time.Hour})
	producer, err := kgo.NewClient(kgo.SeedBrokers(lab.Kafka.Address), kgo.TransactionalID(tr.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer producer.Close()
	tr.start()
	transact := func(n int, end kgo.TransactionEndTry, open time.Duration) {
		t.Helper()
		require.NoError(t, producer.BeginTransaction())
		records := tr.stream.Next(n)
		require.NoError(t, producer.ProduceSync(t.Context(), records...).FirstErr())
		if open > 0 {
			lab.Produce(t, tr.stream.Next(100)...)
			time.Sleep(open)
		}
		require.NoError(t, producer.EndTransaction(t.Context(), end))
		if end == kgo.TryAbort {
			tr.stream.Decide(records, spared)
		}
	}
	for i := range scaled(30, 10) {
		transact(100, kgo.TransactionEndTry(i%2 == 0), 0)
	}
	transact(100, kgo.TryCommit, open)
	transact(100, kgo.TryAbort, open)
	tr.finish()
}
