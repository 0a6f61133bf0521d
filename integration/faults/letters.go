package faults

import (
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// place is where a record was in its topic.
type place struct {
	partition int32
	offset    int64
}

// Letters are the dead letters of one topic, by the record that each is of.
type Letters map[place][]*kgo.Record

// ReadLetters sorts the records of a dead-letter topic.
func ReadLetters(records []*kgo.Record) (Letters, error) {
	letters := Letters{}
	for _, r := range records {
		partition, err := strconv.ParseInt(header(r, "kafka2prom.partition"), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("reading a dead letter: %w", err)
		}
		offset, err := strconv.ParseInt(header(r, "kafka2prom.offset"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading a dead letter: %w", err)
		}
		at := place{int32(partition), offset}
		letters[at] = append(letters[at], r)
	}
	return letters, nil
}

// First is when the record had a dead letter in the log, by the clock of the
// broker; the zero time where it has none.
func (l Letters) First(partition int32, offset int64) time.Time {
	all := l[place{partition, offset}]
	if len(all) == 0 {
		return time.Time{}
	}
	return all[0].Timestamp
}

// Misplaced lists the records that should have a dead letter and have none, and
// those that should not and have one.
func (l Letters) Misplaced(s *Stream) (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, entries := range s.partitions {
		for _, e := range entries {
			at := place{int32(p), e.offset()}
			switch n := len(l[at]); {
			case e.fate == buried && n == 0:
				found = append(found, fmt.Sprintf("%v has no dead letter", at))
			case e.fate == stored && n > 0:
				found = append(found, fmt.Sprintf("%v has a dead letter: %s: %s", at, header(l[at][0], "kafka2prom.reason"), header(l[at][0], "kafka2prom.error")))
			}
		}
	}
	return found
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
