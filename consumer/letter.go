package consumer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/transform"
)

// letter is one record that could not be delivered, with everything that was
// refused of it.
type letter struct {
	record   *kgo.Record
	refusals []transform.Refusal
}

// The headers of a dead letter. The original headers stand before them, as they
// were.
const (
	headerReason    = "kafka2prom.reason"
	headerStage     = "kafka2prom.stage"
	headerError     = "kafka2prom.error"
	headerRefused   = "kafka2prom.refused"
	headerTopic     = "kafka2prom.topic"
	headerPartition = "kafka2prom.partition"
	headerOffset    = "kafka2prom.offset"
	headerTimestamp = "kafka2prom.timestamp"
	headerPipeline  = "kafka2prom.pipeline"
	headerVersion   = "kafka2prom.version"
	headerTruncated = "kafka2prom.truncated"
	headerLength    = "kafka2prom.value_length"
	headerSHA256    = "kafka2prom.value_sha256"
)

// maxRefusedListed bounds the list of refused samples in one letter.
const maxRefusedListed = 100

// refusedSample is one entry of the header kafka2prom.refused.
type refusedSample struct {
	Stage     transform.Stage  `json:"stage"`
	Reason    transform.Reason `json:"reason"`
	Error     string           `json:"error"`
	Rule      *int             `json:"rule,omitempty"`
	Series    string           `json:"series,omitempty"`
	Timestamp *int64           `json:"timestamp_ms,omitempty"`
	Value     string           `json:"value,omitempty"`
	// Isolated is false where the receiver did not say which samples it refused, and
	// this one is only a candidate.
	Isolated *bool `json:"isolated,omitempty"`
}

// dead makes the record for the dead-letter topic. It shares key, value and
// headers with the original.
func (l *letter) dead(topic, pipeline, version string) *kgo.Record {
	first, rec := l.refusals[0], l.record
	headers := append(make([]kgo.RecordHeader, 0, len(rec.Headers)+10), rec.Headers...)
	add := func(key, value string) {
		headers = append(headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	add(headerReason, string(first.Reason))
	add(headerStage, string(first.Stage))
	add(headerError, first.Text)
	add(headerRefused, l.refused())
	add(headerTopic, rec.Topic)
	add(headerPartition, strconv.Itoa(int(rec.Partition)))
	add(headerOffset, strconv.FormatInt(rec.Offset, 10))
	add(headerTimestamp, rec.Timestamp.UTC().Format(time.RFC3339Nano))
	add(headerPipeline, pipeline)
	add(headerVersion, version)
	return &kgo.Record{Topic: topic, Key: rec.Key, Value: rec.Value, Headers: headers}
}

// refused lists what was refused of the record, as JSON.
func (l *letter) refused() string {
	list := make([]refusedSample, 0, min(len(l.refusals), maxRefusedListed))
	for _, r := range l.refusals[:min(len(l.refusals), maxRefusedListed)] {
		s := refusedSample{Stage: r.Stage, Reason: r.Reason, Error: r.Text}
		if r.Rule >= 0 {
			s.Rule = &r.Rule
		}
		if r.Series != nil {
			s.Series = r.Series.String()
			s.Timestamp = &r.Timestamp
			s.Value = strconv.FormatFloat(r.Value, 'g', -1, 64)
		}
		if r.Stage == transform.StageWrite {
			s.Isolated = &r.Exact
		}
		list = append(list, s)
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "[]" // Strings, integers and booleans: it cannot fail.
	}
	return string(text)
}

// truncate drops what is too large for the dead-letter topic, and keeps what tells
// where it was: the coordinates are in the headers already.
func truncate(rec *kgo.Record, original *kgo.Record) *kgo.Record {
	sum := sha256.Sum256(original.Value)
	short := &kgo.Record{Topic: rec.Topic}
	for _, h := range rec.Headers[len(original.Headers):] {
		if h.Key == headerRefused {
			continue
		}
		short.Headers = append(short.Headers, h)
	}
	short.Headers = append(short.Headers,
		kgo.RecordHeader{Key: headerTruncated, Value: []byte("true")},
		kgo.RecordHeader{Key: headerLength, Value: []byte(strconv.Itoa(len(original.Value)))},
		kgo.RecordHeader{Key: headerSHA256, Value: []byte(hex.EncodeToString(sum[:]))},
	)
	return short
}
