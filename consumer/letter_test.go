package consumer

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

func TestTheListOfRefusalsSaysWhatIsKnownOfEach(t *testing.T) {
	rec := looseRecord(0, 7)
	for name, c := range map[string]struct {
		refusal transform.Refusal
		want    string
	}{
		"a record as a whole": {
			transform.Refusal{Record: rec, Stage: transform.StageDecode, Reason: transform.ReasonNotDecodable, Text: "no JSON", Rule: -1, Exact: true},
			`[{"stage":"decode","reason":"not_decodable","error":"no JSON"}]`,
		},
		"the first rule": {
			transform.Refusal{Record: rec, Stage: transform.StageMap, Reason: transform.ReasonNotANumber, Text: "warm", Exact: true},
			`[{"stage":"map","reason":"not_a_number","error":"warm","rule":0}]`,
		},
		"a sample, exactly": {
			transform.Refusal{
				Record: rec, Stage: transform.StageWrite, Reason: transform.ReasonRefused, Text: "out of order sample", Rule: -1, Exact: true,
				Series: &transform.Series{}, Timestamp: 0, Value: math.Inf(1),
			},
			`[{"stage":"write","reason":"refused","error":"out of order sample","series":"{}","timestamp_ms":0,"value":"+Inf","isolated":true}]`,
		},
		"a candidate": {
			transform.Refusal{Record: rec, Stage: transform.StageWrite, Reason: transform.ReasonRefused, Text: "<one of them>", Rule: -1},
			`[{"stage":"write","reason":"refused","error":"<one of them>","isolated":false}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := letter{record: rec, refusals: []transform.Refusal{c.refusal}}
			require.JSONEq(t, c.want, l.refused())
		})
	}
}

func TestALongListOfRefusalsIsCut(t *testing.T) {
	l := letter{record: looseRecord(0, 7)}
	for i := range 3 * maxRefusedListed {
		r := refusal(l.record, transform.ReasonRefused)
		r.Text = fmt.Sprint(i)
		l.refusals = append(l.refusals, r)
	}
	var list []refusedSample
	require.NoError(t, json.Unmarshal([]byte(l.refused()), &list))
	require.Len(t, list, maxRefusedListed)
	require.Equal(t, "0", list[0].Error)
}

func TestATruncatedLetterKeepsItsCoordinatesAlone(t *testing.T) {
	rec := looseRecord(2, 7)
	rec.Key, rec.Value = []byte("key"), bytes.Repeat([]byte("x"), 1000)
	rec.Headers = []kgo.RecordHeader{{Key: "trace", Value: []byte("1")}}
	l := letter{record: rec, refusals: []transform.Refusal{refusal(rec, transform.ReasonTooLarge)}}
	short := truncate(l.dead(deadTopic, "test", "1.2.3"), rec)
	require.Equal(t, deadTopic, short.Topic)
	require.Nil(t, short.Key)
	require.Nil(t, short.Value)
	require.Empty(t, header(short, "trace"))
	require.Empty(t, header(short, headerRefused))
	for key, want := range map[string]string{
		headerReason: "too_large", headerPartition: "2", headerOffset: "7", headerTruncated: "true", headerLength: "1000",
		headerSHA256: "44f8354494a5ba03ba1792a8d3e9c534c47a9181980fde7a3f44b06ef2ae7c7f",
	} {
		require.Equal(t, want, header(short, key), key)
	}
}

func TestLettersOfFencedLeasesAreLeftToTheirNextOwner(t *testing.T) {
	mine, gone := looseRecord(0, 1), looseRecord(1, 1)
	kept := keepHeld([]letter{{record: gone}, {record: mine}}, func(r *kgo.Record) bool { return r != gone })
	require.Len(t, kept, 1)
	require.Same(t, mine, kept[0].record)
}

// The dead-letter topic has two partitions, and one of them takes nothing: only
// what it was given is written again.
func TestLettersThatAreAcknowledgedAreNotWrittenAgain(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	require.NoError(t, b.cluster.DeleteTopic(deadTopic))
	require.NoError(t, b.cluster.CreateTopic(deadTopic, 2, nil))
	fault := b.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: deadTopic, Partitions: []int32{1}, Err: kerr.InvalidRequiredAcks, Count: -1,
	})
	const letters = 20
	for i := range letters {
		b.produce(&kgo.Record{Topic: testTopic, Key: fmt.Append(nil, i), Value: []byte("nonsense")})
	}
	m := b.start()
	b.eventually(func() bool { return m.metric("kafka2prom_dead_letter_retries_total") > 1 }, "some letters are tried again")
	acknowledged := m.metric("kafka2prom_dead_letters_total")
	require.Positive(t, acknowledged)
	require.Less(t, acknowledged, float64(letters))
	require.Zero(t, b.committed(0))
	fault.Remove()
	b.awaitCommitted(0, letters)
	ends, err := b.admin.ListEndOffsets(t.Context(), deadTopic)
	require.NoError(t, err)
	total := int64(0)
	for id := range int32(2) {
		end, _ := ends.Lookup(deadTopic, id)
		total += end.Offset
	}
	require.Equal(t, int64(letters), total)
	require.InDelta(t, letters, m.metric("kafka2prom_dead_letters_total"), 0)
	m.requireBalanced()
}

// A letter that was cut down and fails all the same is not taken for written.
func TestATruncatedLetterThatFailsIsTriedAgain(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	require.NoError(t, b.cluster.DeleteTopic(deadTopic))
	require.NoError(t, b.cluster.CreateTopic(deadTopic, 1, map[string]string{"max.message.bytes": "2000"}))
	value := make([]byte, 5000)
	for i := range value {
		value[i] = byte(i * i >> 3)
	}
	fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: deadTopic, Err: kerr.InvalidRequiredAcks})
	b.produce(&kgo.Record{Topic: testTopic, Value: value})
	m := b.start()
	b.awaitCommitted(0, 1)
	require.Equal(t, 1, fault.Hits())
	require.Len(t, b.deadLetters(), 1)
	require.InDelta(t, 1, m.metric("kafka2prom_dead_letters_truncated_total"), 0)
}

// A producer keeps to the topic that it has known, unless it is told to forget it.
func TestADeadLetterTopicThatIsMadeAnewIsWrittenAgain(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	m := b.start()
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte("nonsense")})
	b.awaitCommitted(0, 1)
	require.NoError(t, b.cluster.DeleteTopic(deadTopic))
	require.NoError(t, b.cluster.CreateTopic(deadTopic, 1, nil))
	b.produce(&kgo.Record{Topic: testTopic, Value: []byte("more of it")})
	b.awaitCommitted(0, 2)
	letters := b.deadLetters()
	require.Len(t, letters, 1)
	require.Equal(t, "more of it", string(letters[0].Value))
	m.requireBalanced()
}

// The topic takes less than when the producer asked: no batch of letters, but each of
// them alone.
func TestLettersThatAreTooLargeTogetherAreWrittenAlone(t *testing.T) {
	b := newBed(t, 1, receiver.Config{})
	var batches atomic.Int32
	b.cluster.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		req, ok := kreq.(*kmsg.ProduceRequest)
		if !ok || len(req.Topics) != 1 || len(req.Topics[0].Partitions[0].Records) <= 2000 {
			return nil, nil, false
		}
		batches.Add(1)
		return refuseProduce(req, kerr.MessageTooLarge), nil, true
	})
	const letters = 10
	for range letters {
		noise := make([]byte, 300)
		_, err := rand.Read(noise)
		require.NoError(t, err)
		b.produce(&kgo.Record{Topic: testTopic, Value: fmt.Appendf(nil, "nonsense %x", noise)})
	}
	m := b.start()
	b.awaitCommitted(0, letters)
	require.Positive(t, batches.Load())
	for _, l := range b.deadLetters() {
		require.NotNil(t, l.Value)
	}
	require.InDelta(t, letters, m.metric("kafka2prom_dead_letters_total"), 0)
	m.requireBalanced()
}

// refuseProduce answers a request of one topic with an error.
func refuseProduce(req *kmsg.ProduceRequest, why *kerr.Error) kmsg.Response {
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = req.Version
	topic := kmsg.NewProduceResponseTopic()
	topic.Topic, topic.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
	for _, p := range req.Topics[0].Partitions {
		partition := kmsg.NewProduceResponseTopicPartition()
		partition.Partition, partition.ErrorCode = p.Partition, why.Code
		topic.Partitions = append(topic.Partitions, partition)
	}
	resp.Topics = append(resp.Topics, topic)
	return resp
}
