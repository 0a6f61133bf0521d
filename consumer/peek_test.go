package consumer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

func TestPeekReadsTheNewestRecordsAndCommitsNothing(t *testing.T) {
	b := newBed(t, 2, receiver.Config{})
	b.produceReadings(0, "a", 0, 30)
	b.produceReadings(1, "b", 20, 30)
	s := b.defaults()
	records, err := Peek(t.Context(), s.options.Kafka, s.consumer, Excerpt{Records: 25})
	require.NoError(t, err)
	require.Len(t, records, 25)
	require.Equal(t, b.reading(1, "b", 49).Value, records[24].Value)
	require.Equal(t, b.reading(0, "a", 29).Timestamp.UnixMilli(), records[4].Timestamp.UnixMilli())

	records, err = Peek(t.Context(), s.options.Kafka, s.consumer, Excerpt{Records: 3, From: b.base.Add(10 * time.Second)})
	require.NoError(t, err)
	require.Len(t, records, 3)
	require.Equal(t, b.reading(0, "a", 10).Value, records[0].Value)
	require.Equal(t, int64(-1), b.committed(0))
}

func TestPeekLeavesOutWhatIsOlderThanItsTime(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produce(b.reading(0, "a", 5), b.reading(0, "a", 20), b.reading(0, "late", 3), b.reading(0, "a", 21))
	s := b.defaults()
	records, err := Peek(t.Context(), s.options.Kafka, s.consumer, Excerpt{Records: 10, From: b.base.Add(10 * time.Second)})
	require.NoError(t, err)
	require.Len(t, records, 2)
	require.Equal(t, b.reading(0, "a", 20).Value, records[0].Value)
}

func TestSurveyTellsTopicsPartitionsAndLag(t *testing.T) {
	b := newBed(t, 2, receiver.Config{})
	b.produceReadings(0, "a", 0, 30)
	s := b.defaults()
	text, err := Survey(t.Context(), s.options.Kafka, s.consumer)
	require.NoError(t, err)
	require.Equal(t, "group kafka2prom-test reads readings (2 partitions, 30 offsets in the log, no committed offset yet); dead letters go to readings.dead", text)
	s.consumer.Topics = []string{"missing"}
	_, err = Survey(t.Context(), s.options.Kafka, s.consumer)
	require.ErrorContains(t, err, "topic missing does not exist")
}
