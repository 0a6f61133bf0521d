package consumer

import (
	"sort"
	"time"

	"github.com/kafka2prom/kafka2prom/transform"
)

// Status is what a pipeline tells about itself, as JSON on the status page.
type Status struct {
	Group      string            `json:"group,omitempty"`
	Consuming  bool              `json:"consuming"`
	Partitions []PartitionStatus `json:"partitions"`
	Lag        int64             `json:"lag"`
	Batches    int               `json:"batches_in_flight"`
	Records    RecordStatus      `json:"records"`
	LastPoll   time.Time         `json:"last_poll,omitzero"`
	LastLand   time.Time         `json:"last_landing,omitzero"`
	// LastRecord is the timestamp of the newest record that was settled.
	LastRecord time.Time `json:"last_record_time,omitzero"`
}

// RecordStatus is the equation of the records.
type RecordStatus struct {
	Consumed     int64                      `json:"consumed"`
	Written      int64                      `json:"written"`
	DeadLettered int64                      `json:"dead_lettered"`
	Filtered     map[transform.Reason]int64 `json:"filtered,omitempty"`
	Abandoned    int64                      `json:"abandoned"`
	InFlight     int64                      `json:"in_flight"`
}

// PartitionStatus is one partition that the pipeline holds. Offsets are -1 where
// they are not known yet.
type PartitionStatus struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Read      int64  `json:"read_offset"`
	Settled   int64  `json:"settled_offset"`
	End       int64  `json:"end_offset"`
	Lag       int64  `json:"lag"`
	Stop      *int64 `json:"stop_offset,omitempty"`
	Paused    bool   `json:"paused,omitempty"`
	Error     string `json:"error,omitempty"`
}

// Status takes a snapshot.
func (c *Consumer) Status() Status {
	t := c.ledger.snapshot()
	s := Status{
		Group:     c.cfg.Group,
		Consuming: c.running.Load(),
		// An empty list, and not null.
		Partitions: []PartitionStatus{},
		Records: RecordStatus{
			Consumed: t.consumed, Written: t.written, DeadLettered: t.deadLettered,
			Filtered: t.filtered, Abandoned: t.abandoned, InFlight: t.inFlight,
		},
	}
	if c.opts.Span.Replay {
		s.Group = c.opts.Span.Group
	}
	s.LastPoll, s.LastLand, s.LastRecord = c.progress.snapshot()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Batches, s.Lag = len(c.inFlight), c.lag()
	for _, l := range c.leases {
		s.Partitions = append(s.Partitions, l.status())
	}
	sort.Slice(s.Partitions, func(i, j int) bool {
		a, b := s.Partitions[i], s.Partitions[j]
		return a.Topic < b.Topic || a.Topic == b.Topic && a.Partition < b.Partition
	})
	return s
}

func (l *lease) status() PartitionStatus {
	s := PartitionStatus{
		Topic: l.topic, Partition: l.id, Read: l.read, Settled: l.settled, End: l.end,
		Lag: l.lag(), Paused: l.paused,
	}
	if l.stop >= 0 {
		stop := l.stop
		s.Stop = &stop
	}
	if l.failed != nil {
		s.Error = l.failed.Error()
	}
	return s
}

// Done tells how far a bounded run has come, in offsets of the partitions that
// this instance has settled; total is 0 in a run without bounds.
func (c *Consumer) Done() (done, total int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.span == nil {
		return 0, 0
	}
	for p, stop := range c.span.stops {
		start := c.span.starts[p]
		if stop <= start {
			continue
		}
		total += stop - start
		done += min(max(c.span.settled[p], start), stop) - start
	}
	return done, total
}
