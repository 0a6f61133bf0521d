package consumer

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

func TestADeadLetterKeepsTheRecordAndSaysWhereItWasAndWhy(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	at := b.base.UTC()
	b.produceReadings(0, "a", 0, 1)
	b.produce(&kgo.Record{
		Topic: testTopic, Key: []byte("key"), Value: []byte(`{"s":`), Timestamp: at,
		Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("1")}, {Key: "trace", Value: []byte("2")}},
	})
	b.produceReadings(0, "a", 1, 1)
	m := b.start()
	b.awaitCommitted(0, 3)
	b.requireStored("a", 0, 2)

	letters := b.deadLetters()
	require.Len(t, letters, 1)
	l := letters[0]
	require.Equal(t, "key", string(l.Key))
	require.Equal(t, `{"s":`, string(l.Value))
	require.Equal(t, []kgo.RecordHeader{{Key: "trace", Value: []byte("1")}, {Key: "trace", Value: []byte("2")}}, l.Headers[:2])
	require.Equal(t, "not_decodable", header(l, headerReason))
	require.Equal(t, "decode", header(l, headerStage))
	require.NotEmpty(t, header(l, headerError))
	require.Equal(t, testTopic, header(l, headerTopic))
	require.Equal(t, "0", header(l, headerPartition))
	require.Equal(t, "1", header(l, headerOffset))
	require.Equal(t, at.Format(time.RFC3339Nano), header(l, headerTimestamp))
	require.Equal(t, "test", header(l, headerPipeline))
	require.Equal(t, "1.2.3", header(l, headerVersion))
	require.InDelta(t, 1, m.metric("kafka2prom_records_total", "outcome", "dead_lettered"), 0)
	require.InDelta(t, 1, m.metric("kafka2prom_dead_letters_total", "reason", "not_decodable"), 0)
	m.requireBalanced()
}

func TestAnOffsetIsCommittedOnlyAfterItsDeadLetterIsAcknowledged(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: deadTopic, Err: kerr.InvalidRequiredAcks, Count: -1})
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte(`nonsense`)})
	b.produceReadings(0, "a", 0, 1)
	m := b.start()
	b.eventually(func() bool { return fault.Hits() > 1 }, "writing the dead letter is tried again")
	b.requireStored("a", 0, 1)
	require.Zero(t, b.committed(0))
	fault.Remove()
	b.awaitCommitted(0, 2)
	require.Len(t, b.deadLetters(), 1)
	require.Positive(t, m.metric("kafka2prom_dead_letter_retries_total"))
}

func TestStoppingWhileDeadLettersCannotBeWrittenCommitsNothingBehindThem(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: deadTopic, Err: kerr.InvalidRequiredAcks, Count: -1})
	b.produceReadings(0, "a", 0, 3)
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte(`nonsense`)})
	b.produceReadings(0, "a", 3, 3)
	m := b.start(func(s *settings) { s.consumer.ShutdownTimeout = 200 * time.Millisecond })
	b.eventually(func() bool { return fault.Hits() > 0 }, "the dead letter fails")
	require.NoError(t, m.stop())
	require.Equal(t, int64(3), b.committed(0), "what stands before the letter is committed, and nothing behind it")
	m.requireBalanced()
}

func TestOneRefusedSampleCostsItsBatchMatesNothing(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produceReadings(0, "a", 10, 1)
	m := b.start()
	b.awaitCommitted(0, 1)
	// Older than the newest of its series, which a receiver without a window refuses.
	b.produce(append([]*kgo.Record{b.reading(0, "a", 5)}, b.reading(0, "b", 6), b.reading(0, "c", 7))...)
	b.awaitCommitted(0, 4)
	b.requireStored("a", 10, 1)
	b.requireStored("b", 6, 1)
	b.requireStored("c", 7, 1)
	letters := b.deadLetters()
	require.Len(t, letters, 1)
	require.Equal(t, "write", header(letters[0], headerStage))
	require.Contains(t, header(letters[0], headerError), "out of order sample")
	var refused []refusedSample
	require.NoError(t, json.Unmarshal([]byte(header(letters[0], headerRefused)), &refused))
	require.Len(t, refused, 1)
	require.Equal(t, "5", refused[0].Value)
	require.Contains(t, refused[0].Series, "reading")
	require.True(t, *refused[0].Isolated)
	m.requireBalanced()
}

func TestOnErrorStopCommitsEverythingBeforeTheRecordAndNamesIt(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produceReadings(0, "a", 0, 7)
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte(`nonsense`)})
	b.produceReadings(0, "a", 7, 7)
	m := b.start(func(s *settings) { s.consumer.OnError, s.consumer.DeadLetter = onErrorStop, nil })
	err := m.wait()
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, int64(7), refused.Offset)
	require.ErrorContains(t, err, "topic readings partition 0 offset 7")
	require.Equal(t, int64(7), b.committed(0))
	b.requireStored("a", 0, 7)
	m.requireBalanced()
}

func TestOnErrorStopHoldsForWhatTheReceiverRefuses(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produceReadings(0, "a", 10, 1)
	m := b.start(func(s *settings) { s.consumer.OnError, s.consumer.DeadLetter = onErrorStop, nil })
	b.awaitCommitted(0, 1)
	b.produceReadings(0, "a", 5, 1)
	err := m.wait()
	require.ErrorContains(t, err, "offset 1")
	require.ErrorContains(t, err, "out of order sample")
	require.Equal(t, int64(1), b.committed(0))
	m.requireBalanced()
}

func TestOnErrorSkipCountsAndGoesOn(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte(`nonsense`)})
	b.produceReadings(0, "a", 0, 2)
	m := b.start(func(s *settings) { s.consumer.OnError, s.consumer.DeadLetter = onErrorSkip, nil })
	b.awaitCommitted(0, 3)
	b.requireStored("a", 0, 2)
	require.InDelta(t, 1, m.metric("kafka2prom_records_filtered_total", "reason", "skipped"), 0)
	require.InDelta(t, 1, m.metric("kafka2prom_refusals_total", "reason", "not_decodable"), 0)
	require.Len(t, m.logs.FilterMessageSnippet("skipped a record").All(), 1)
	m.requireBalanced()
}

func TestADeadLetterThatIsTooLargeKeepsItsCoordinates(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	_, err := b.admin.AlterTopicConfigs(t.Context(), nil, deadTopic)
	require.NoError(t, err)
	require.NoError(t, b.cluster.DeleteTopic(deadTopic))
	require.NoError(t, b.cluster.CreateTopic(deadTopic, 1, map[string]string{"max.message.bytes": "20000"}))
	noise := strings.Repeat("0123456789abcdefghij", 5000) // Lz4 does not make this smaller than the limit for long: see below.
	var incompressible strings.Builder
	for i := range len(noise) {
		incompressible.WriteByte(byte('!' + (i*i*7919+i>>3)%90))
	}
	value := []byte(incompressible.String())
	b.produce(&kgo.Record{Topic: testTopic, Value: value})
	m := b.start()
	b.awaitCommitted(0, 1)
	letters := b.deadLetters()
	require.Len(t, letters, 1)
	require.Nil(t, letters[0].Value)
	require.Equal(t, "true", header(letters[0], headerTruncated))
	require.Equal(t, strconv.Itoa(len(value)), header(letters[0], headerLength))
	require.Len(t, header(letters[0], headerSHA256), 64)
	require.Equal(t, "0", header(letters[0], headerOffset))
	require.InDelta(t, 1, m.metric("kafka2prom_dead_letters_truncated_total"), 0)
}

// Brokers hear of a topic a moment after the controller that has made it.
func TestADeadLetterTopicThatABrokerHasNotHeardOfYetIsLookedForAgain(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	var denied atomic.Int32
	b.cluster.ControlKey(int16(kmsg.Metadata), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		req, ok := kreq.(*kmsg.MetadataRequest)
		if !ok || len(req.Topics) != 1 || req.Topics[0].Topic == nil || *req.Topics[0].Topic != deadTopic || denied.Add(1) > 1 {
			return nil, nil, false
		}
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.ErrorCode = req.Topics[0].Topic, kerr.UnknownTopicOrPartition.Code
		resp := kmsg.NewPtrMetadataResponse()
		resp.Version, resp.Topics = req.Version, []kmsg.MetadataResponseTopic{topic}
		return resp, nil, true
	})
	b.produceReadings(0, "a", 0, 1)
	b.start()
	b.awaitCommitted(0, 1)
	require.Greater(t, denied.Load(), int32(1))
}

func TestTheDeadLetterTopicMustExistUnlessItMayBeMade(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	m := b.start(func(s *settings) { s.consumer.DeadLetter = &DeadLetterConfig{Topic: "missing"} })
	require.ErrorContains(t, m.wait(), "the dead-letter topic missing does not exist")

	b.produceReadings(0, "a", 0, 1)
	b.start(func(s *settings) {
		s.consumer.DeadLetter = &DeadLetterConfig{Topic: "made", Create: true, Partitions: -1, Replication: -1}
	})
	b.awaitCommitted(0, 1)
	require.NotNil(t, b.cluster.TopicInfo("made"))
}

// flaky is a mapper whose schema registry is out of reach for a while.
type flaky struct {
	mapper
	failures atomic.Int64
}

func (f *flaky) Apply(rec *kgo.Record, batch uint64, out *transform.Output) (transform.Verdict, error) {
	if f.failures.Add(-1) >= 0 {
		return 0, &transform.RetryError{Err: errors.New("the registry does not answer"), After: time.Millisecond}
	}
	return f.mapper.Apply(rec, batch, out)
}

func TestARecordThatCannotBeJudgedYetIsMappedLater(t *testing.T) {
	b := newBed(t, 2, receiver.Config{})
	b.produceReadings(0, "a", 0, 20)
	b.produceReadings(1, "b", 0, 20)
	mapping := b.defaults().mapping
	inner, err := transform.NewMapper(mapping, transform.Options{})
	require.NoError(t, err)
	f := &flaky{mapper: inner}
	f.failures.Store(5)
	m := b.start(func(s *settings) { s.mapper = f })
	b.awaitCommitted(0, 20)
	b.awaitCommitted(1, 20)
	b.requireStored("a", 0, 20)
	b.requireStored("b", 0, 20)
	require.InDelta(t, 5, m.metric("kafka2prom_map_retries_total"), 0)
	require.Empty(t, b.deadLetters())
}
