//go:build faults

package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/integration/harness"
)

// Without a dead-letter topic a bad record stops the program under load, however often
// it is started. Once somebody has dealt with the record everything else is stored.
func TestStoppedAtABadRecord(t *testing.T) {
	f := func(name string, bad func(*Stream) *kgo.Record, mend func(*trial, *harness.Program, *kgo.Record)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			tr := begin(t, plan{
				name: name, injured: "a bad record, on_error stop, started twice, then mended", noLetters: true, duplicates: 2 * inFlight,
			})
			tr.flow(500)
			program := tr.start()
			tr.awaitCommitted(4000)
			record := bad(tr.stream)
			tr.lab.Produce(t, record)
			tr.requireStop(program, record)
			time.Sleep(time.Second) // There is more behind the record then.
			require.NoError(t, program.Start())
			tr.requireStop(program, record)
			mend(tr, program, record)
			tr.awaitCommitted(tr.committed() + 4000)
			tr.calm()
			tr.finish()
		})
	}
	cutOff := func(s *Stream) *kgo.Record {
		return s.Odd(0, spared, func(float64) []byte { return []byte(`{"s":"cut off`) })
	}
	ahead := func(s *Stream) *kgo.Record {
		return s.Sample(0, "ahead", time.Now().Add(2*time.Hour).UnixMilli(), spared)
	}
	f("stopped by a record, then skipped", cutOff, skipRecord)
	f("stopped by a record, then moved on", cutOff, moveOn)
	f("stopped by the receiver, then skipped", ahead, skipRecord)
	f("stopped by the receiver, then moved on", ahead, moveOn)
}

// requireStop waits until the program has ended because of a record: it says which one
// it is, and has committed everything in front of it, and nothing else.
func (tr *trial) requireStop(program *harness.Program, r *kgo.Record) {
	tr.Helper()
	program.RequireExit(tr.T, 1, 30*time.Second)
	require.Contains(tr, program.Log(), fmt.Sprintf("stopping at topic %s partition %d offset %d", r.Topic, r.Partition, r.Offset))
	committed, err := tr.lab.Committed(tr.Context(), tr.group, tr.topic)
	require.NoError(tr, err)
	require.Equal(tr, r.Offset, committed[r.Partition], "committed offset of the partition with the record")
}

// skipRecord goes on with another configuration.
func skipRecord(tr *trial, _ *harness.Program, _ *kgo.Record) { tr.start("on_error: skip") }

// moveOn goes on behind the record.
func moveOn(tr *trial, program *harness.Program, r *kgo.Record) {
	tr.Helper()
	behind := kadm.Offsets{}
	behind.AddOffset(r.Topic, r.Partition, r.Offset+1, -1)
	// The broker may not have noticed yet that the member has left.
	require.Eventually(tr, func() bool {
		committed, err := tr.lab.Admin().CommitOffsets(tr.Context(), tr.group, behind)
		return err == nil && committed.Error() == nil
	}, tr.plan.catchUp, 100*time.Millisecond, "moving the offset")
	require.NoError(tr, program.Start())
}
