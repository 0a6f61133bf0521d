package demo

import (
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// coordinates say where a record is in the log.
type coordinates struct {
	topic     string
	partition int32
	offset    int64
}

func (c coordinates) String() string { return fmt.Sprintf("%s/%d@%d", c.topic, c.partition, c.offset) }

// entry is a record that the broker has taken, and what must become of it.
type entry struct {
	at      coordinates
	fault   fault
	samples []point
}

// ledger has an entry for each record that was produced. It is safe for concurrent
// use.
type ledger struct {
	mu      sync.Mutex
	entries []entry
	last    []string // Of the newest records, for the view.
	err     error    // The first record that could not be produced.
}

// add enters a record when the broker has taken it.
func (l *ledger) add(r reading, rec *kgo.Record, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if l.err == nil {
			l.err = fmt.Errorf("producing to topic %s: %w", rec.Topic, err)
		}
		return
	}
	at := coordinates{topic: rec.Topic, partition: rec.Partition, offset: rec.Offset}
	l.entries = append(l.entries, entry{at: at, fault: r.fault, samples: r.samples})
	l.last = append(l.last, fmt.Sprintf("%-14s %s", at, r.text))
	l.last = l.last[max(0, len(l.last)-tailLength):]
}

// snapshot returns the entries, which must not be changed, and the first error.
func (l *ledger) snapshot() ([]entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clip(l.entries), l.err
}

// newest returns the newest records as text, oldest first, and how many there are.
func (l *ledger) newest() ([]string, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.last...), len(l.entries)
}
