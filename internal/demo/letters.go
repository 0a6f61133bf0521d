package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/transform"
)

// letter is a dead letter.
type letter struct {
	reason transform.Reason
	text   string
	// exact is false where the receiver did not say which samples it refused, and
	// the record is only a candidate.
	exact bool
}

// letterReader reads the dead-letter topics as anybody would: from outside. It is
// safe for concurrent use.
type letterReader struct {
	client *kgo.Client

	mu      sync.Mutex
	letters map[coordinates]letter // By the record that they are about.
	last    []string
	read    map[string]int64 // Records read by topic; each topic has one partition.
	err     error
}

func newLetterReader(client *kgo.Client) *letterReader {
	return &letterReader{client: client, letters: map[coordinates]letter{}, read: map[string]int64{}}
}

// run reads until ctx ends.
func (l *letterReader) run(ctx context.Context) {
	for {
		fetches := l.client.PollFetches(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		fetches.EachRecord(l.take)
	}
}

func (l *letterReader) take(rec *kgo.Record) {
	at, dead, err := parseLetter(rec)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read[rec.Topic] = rec.Offset + 1
	if err != nil {
		if l.err == nil {
			l.err = fmt.Errorf("reading dead letter %d of %s: %w", rec.Offset, rec.Topic, err)
		}
		return
	}
	l.letters[at] = dead
	l.last = append(l.last, fmt.Sprintf("%-14s %s: %s", at, dead.reason, dead.text))
	l.last = l.last[max(0, len(l.last)-tailLength):]
}

// caughtUp says whether a topic has been read to an offset.
func (l *letterReader) caughtUp(topic string, end int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read[topic] >= end
}

// snapshot copies what was read; the error is that of the first letter that makes no
// sense.
func (l *letterReader) snapshot() (map[coordinates]letter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.letters), l.err
}

// newest returns the newest letters as text, oldest first, and how many records are
// dead-lettered.
func (l *letterReader) newest() ([]string, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.last...), len(l.letters)
}

// parseLetter finds out which record a letter is about.
func parseLetter(rec *kgo.Record) (coordinates, letter, error) {
	headers := map[string]string{}
	for _, h := range rec.Headers {
		headers[h.Key] = string(h.Value)
	}
	partition, err := strconv.ParseInt(headers["kafka2prom.partition"], 10, 32)
	if err != nil {
		return coordinates{}, letter{}, fmt.Errorf("reading its partition: %w", err)
	}
	offset, err := strconv.ParseInt(headers["kafka2prom.offset"], 10, 64)
	if err != nil {
		return coordinates{}, letter{}, fmt.Errorf("reading its offset: %w", err)
	}
	var refused []struct {
		Isolated *bool `json:"isolated"`
	}
	if err := json.Unmarshal([]byte(headers["kafka2prom.refused"]), &refused); err != nil {
		return coordinates{}, letter{}, fmt.Errorf("reading what was refused: %w", err)
	}
	dead := letter{reason: transform.Reason(headers["kafka2prom.reason"]), text: headers["kafka2prom.error"]}
	for _, r := range refused {
		dead.exact = dead.exact || r.Isolated == nil || *r.Isolated
	}
	return coordinates{headers["kafka2prom.topic"], int32(partition), offset}, dead, nil
}
