package faults

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestOffsetsAreCountedOnOverATopicThatIsMadeAnew(t *testing.T) {
	s := NewStream("t", 2)
	old := s.Next(2)
	for i, r := range old {
		r.Offset = int64(i / 2)
	}
	s.Renew(map[int32]int64{0: 2, 1: 2}, map[int32]int64{0: 1, 1: 1})
	for _, r := range s.Next(1) {
		r.Offset = 0
	}
	require.Equal(t, map[int32]int64{0: 2, 1: 3}, s.Onward(map[int32]int64{0: 0, 1: 1}))
	var j Journal
	j.Note(identity(0, 0), second(1))
	for _, all := range s.settled(&j, nil) {
		require.Equal(t, []int64{0, 1, 2}, []int64{all[0].offset, all[1].offset, all[2].offset})
	}
	require.Equal(t, 2, s.ForgetOld(&j), "what was neither accepted nor committed of the old topic")
	require.Equal(t, 4, s.Produced().Len(), "what was, and the new ones")
	require.Equal(t, settled{0, never}, s.settled(&j, nil)[1][0], "what was committed must have been accepted")
}

func TestPartitionsThatAreAddedHaveSeriesOfTheirOwn(t *testing.T) {
	s := NewStream("t", 1)
	s.Next(1)
	s.Widen(3)
	s.Widen(2)
	require.Len(t, s.Next(1), 3)
	require.Equal(t, 4, s.Produced().Len())
}

func TestWhatCompactionHasTakenIsSparedUnlessItWasAccepted(t *testing.T) {
	s := NewStream("t", 1)
	s.keys = 2
	records := s.Next(4)
	for i, r := range records {
		r.Offset = int64(i)
	}
	require.Equal(t, []string{"0", "1", "0", "1"}, []string{string(records[0].Key), string(records[1].Key), string(records[2].Key), string(records[3].Key)})
	var j Journal
	j.Note(identity(0, 0), second(1))
	require.Equal(t, 1, s.ForgetAllBut([]*kgo.Record{records[2], records[3]}, &j))
	require.Equal(t, 3, s.Produced().Len())
}
