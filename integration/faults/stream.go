package faults

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/integration/harness"
)

// fate is where a record has to end.
type fate uint8

const (
	stored fate = iota // Its sample is in the receiver.
	buried             // It is a dead letter, and nothing of it is in the receiver.
	spared             // Neither: it was aborted, deleted before it was read, or needs nothing.
)

// entry is what the ledger knows of one record.
type entry struct {
	series string
	at     int64 // Milliseconds since the epoch.
	fate   fate
	record *kgo.Record // Has its offset once it was acknowledged. Nil: sealed.
	sealed int64       // The offset, once the record is let go of.
	base   int64       // What all offsets of its topic are counted on from.
}

// offset is the place of the record in its partition, counted on over topics that
// were made anew.
func (e *entry) offset() int64 {
	if e.record == nil {
		return e.base + e.sealed
	}
	return e.base + e.record.Offset
}

// Stream makes records with known series, timestamps and values, and keeps their
// ledger. It is safe for concurrent use.
type Stream struct {
	topic  string
	begin  int64      // Timestamp of the first sample of each partition.
	series [][]string // Names, by partition.

	mu         sync.Mutex
	partitions [][]entry
	sealed     []int // How many records of each partition are let go of.
	bases      []int64
	committed  []int64 // Of the topic that was deleted last.
	suffix     string  // Further fields of each record, with a comma in front.
	keys       int     // How many keys the records of each partition have in turn; 0: they have none.
}

// seriesPerPartition is small enough that each series has samples in every request.
const seriesPerPartition = 50

// NewStream starts the ledger of a topic, half an hour in the past, so that no
// sample is ever ahead of the receiver's clock.
func NewStream(topic string, partitions int32) *Stream {
	s := &Stream{
		topic: topic, begin: time.Now().Add(-30 * time.Minute).UnixMilli(),
	}
	s.Widen(partitions)
	return s
}

// Widen adds partitions, up to that many.
func (s *Stream) Widen(partitions int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := len(s.partitions); p < int(partitions); p++ {
		names := make([]string, seriesPerPartition)
		for i := range names {
			names[i] = fmt.Sprintf("%d-%d", p, i)
		}
		s.series, s.partitions = append(s.series, names), append(s.partitions, nil)
		s.sealed, s.bases, s.committed = append(s.sealed, 0), append(s.bases, 0), append(s.committed, 0)
	}
}

// Renew says that the topic was deleted, where each partition had that end and that
// committed offset, and made anew.
func (s *Stream) Renew(ends, committed map[int32]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, end := range ends {
		s.committed[p] = s.bases[p] + committed[p]
		s.bases[p] += end
	}
}

// ForgetAllBut spares the records that nobody has accepted and that are not among those
// that are left in the log. It returns how many there are.
func (s *Stream) ForgetAllBut(left []*kgo.Record, j *Journal) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := make(map[place]bool, len(left))
	for _, r := range left {
		known[place{r.Partition, r.Offset}] = true
	}
	for p, all := range s.partitions {
		for i := range all {
			if at := int32(p); !known[place{at, all[i].offset()}] && j.First(at, i).IsZero() {
				all[i].fate = spared
				n++
			}
		}
	}
	return n
}

// ForgetOld spares the records of the deleted topic that were not committed and that
// nobody has accepted: they are gone. It returns how many there are.
func (s *Stream) ForgetOld(j *Journal) (n int) {
	for p, base := range s.bases {
		n += s.Forget(int32(p), s.committed[p], base, j)
	}
	return n
}

// Onward counts offsets on over topics that were made anew.
func (s *Stream) Onward(offsets map[int32]int64) map[int32]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	onward := make(map[int32]int64, len(offsets))
	for p, offset := range offsets {
		onward[p] = s.bases[p] + offset
	}
	return onward
}

// Next makes n records for each partition. A series is always in one partition,
// and its timestamps rise.
func (s *Stream) Next(n int) (records []*kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		for p := range s.partitions {
			records = append(records, s.add(int32(p), stored))
		}
	}
	return records
}

// add makes the next record of a partition. Its timestamp is its place.
func (s *Stream) add(partition int32, f fate) *kgo.Record {
	place := len(s.partitions[partition])
	series := s.series[partition][place%seriesPerPartition]
	at := s.begin + int64(place)
	value := fmt.Appendf(nil, `{"s":%q,"t":%d,"v":%.0f%s}`, series, at, identity(partition, place), s.suffix)
	return s.enter(partition, entry{series: series, at: at, fate: f}, value)
}

// Sample makes a record whose series and timestamp are given.
func (s *Stream) Sample(partition int32, series string, at int64, f fate) *kgo.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	value := fmt.Appendf(nil, `{"s":%q,"t":%d,"v":%.0f%s}`, series, at, identity(partition, len(s.partitions[partition])), s.suffix)
	return s.enter(partition, entry{series: series, at: at, fate: f}, value)
}

// Odd enters a record that is no ordinary one: write gets its identity, and returns
// its bytes.
func (s *Stream) Odd(partition int32, f fate, write func(value float64) []byte) *kgo.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enter(partition, entry{fate: f}, write(identity(partition, len(s.partitions[partition]))))
}

func (s *Stream) enter(partition int32, e entry, value []byte) *kgo.Record {
	e.base = s.bases[partition]
	var key []byte
	if s.keys > 0 {
		key = strconv.AppendInt(nil, int64(len(s.partitions[partition])%s.keys), 10)
	}
	e.record = &kgo.Record{Topic: s.topic, Partition: partition, Key: key, Value: value}
	s.partitions[partition] = append(s.partitions[partition], e)
	return e.record
}

// Seal lets go of the records, which all have to be acknowledged: a ledger of millions
// keeps their offsets alone. Decide does not know them any more.
func (s *Stream) Seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, all := range s.partitions {
		for i := s.sealed[p]; i < len(all); i++ {
			all[i].sealed, all[i].record = all[i].record.Offset, nil
		}
		s.sealed[p] = len(all)
	}
}

// Decide gives another fate to records that have been made already.
func (s *Stream) Decide(records []*kgo.Record, f fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		all := s.partitions[r.Partition]
		if i := slices.IndexFunc(all, func(e entry) bool { return e.record == r }); i >= 0 {
			all[i].fate = f
		}
	}
}

// Forget spares the records of a partition between two offsets that nobody has
// accepted: the log does not have them any more. It returns how many there are.
func (s *Stream) Forget(partition int32, from, to int64, j *Journal) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for place := range s.partitions[partition] {
		e := &s.partitions[partition][place]
		if e.offset() >= from && e.offset() < to && j.First(partition, place).IsZero() {
			e.fate = spared
			n++
		}
	}
	return n
}

// Len is the number of records that were made.
func (s *Stream) Len() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, all := range s.partitions {
		n += len(all)
	}
	return n
}

// tick is how often a flow produces.
const tick = 50 * time.Millisecond

// Flow produces records for each partition, so many a second, until ctx ends. It
// returns when all of them are acknowledged.
func (s *Stream) Flow(ctx context.Context, lab *harness.Lab, perSecond int) error {
	pace := time.NewTicker(tick)
	defer pace.Stop()
	each := max(1, perSecond*int(tick)/int(time.Second))
	for {
		if err := lab.TryProduce(context.WithoutCancel(ctx), s.Next(each)...); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pace.C:
		}
	}
}

// Produced is the ledger of everything that has to be in the receiver.
func (s *Stream) Produced() *harness.Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ledger harness.Ledger
	for p, all := range s.partitions {
		for place, e := range all {
			if e.fate == stored && e.series != "" {
				ledger.AddNamed(harness.Name(map[string]string{"__name__": "ledger", "series": e.series}), e.at, identity(int32(p), place))
			}
		}
	}
	return &ledger
}

// settled says of each record when it had come to its end: it was accepted, or its
// dead letter was in the log. They are in the order of their offsets, which is that
// of their production.
func (s *Stream) settled(j *Journal, letters Letters) map[int32][]settled {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[int32][]settled, len(s.partitions))
	for p, entries := range s.partitions {
		for place, e := range entries {
			done := settled{offset: e.offset()}
			if e.fate != spared {
				done.at = earlier(j.First(int32(p), place), letters.First(int32(p), done.offset))
			}
			all[int32(p)] = append(all[int32(p)], done)
		}
		slices.SortFunc(all[int32(p)], func(a, b settled) int { return cmp.Compare(a.offset, b.offset) })
	}
	return all
}

// earlier of two times, of which either may not have come.
func earlier(a, b time.Time) time.Time {
	switch {
	case a.IsZero() && b.IsZero():
		return never
	case a.IsZero(), !b.IsZero() && b.Before(a):
		return b
	}
	return a
}
