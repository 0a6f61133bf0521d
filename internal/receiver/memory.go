package receiver

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// inOrderSpan is how far behind the newest sample of all series a sample may be
// without an out-of-order window: half of the range of the newest block.
const inOrderSpan = int64(time.Hour / time.Millisecond)

// Memory is a Store that judges samples as Prometheus' TSDB does.
type Memory struct {
	window int64 // Out-of-order window, in milliseconds.
	// keepAll stores every sample, however old and however often.
	keepAll bool

	mu     sync.Mutex
	series map[string]*memorySeries
	max    int64 // Newest timestamp of all series; known once there was a sample.
	known  bool
}

type memorySeries struct {
	name    string
	inOrder []Point // Ascending, one a timestamp.
	late    []Point // Accepted out of order, in order of arrival.
}

// NewMemory makes an empty memory with an out-of-order window, or with none.
func NewMemory(window time.Duration) *Memory {
	return &Memory{window: window.Milliseconds(), series: map[string]*memorySeries{}}
}

// Samples returns what a query would: by series, in order of time. Of two samples
// at one time the one that came in order wins, then the one that came first; a real
// TSDB serves either where it has accepted both.
func (m *Memory) Samples() map[string][]Point {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string][]Point, len(m.series))
	for _, s := range m.series {
		points := append(slices.Clone(s.inOrder), s.late...)
		slices.SortStableFunc(points, func(a, b Point) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
		if !m.keepAll {
			points = slices.CompactFunc(points, func(a, b Point) bool { return a.Timestamp == b.Timestamp })
		}
		if len(points) > 0 {
			all[s.name] = points
		}
	}
	return all
}

// Appender begins a request.
func (m *Memory) Appender() Appender { return &memoryAppender{memory: m} }

type memoryAppender struct {
	memory *Memory
	// bounds are those of the moment of the first sample, as in the TSDB.
	bounds *bounds
	series *memorySeries
	labels labels.Labels
	key    []byte
	queue  []queued
}

type queued struct {
	series *memorySeries
	point  Point
}

// bounds are the limits that hold for all series of one request.
type bounds struct{ max, minValid, window int64 }

// Append judges a sample by what had been committed before: samples of the same
// request do not see each other. Prometheus does the same, and so loses some at
// Commit without a word.
func (a *memoryAppender) Append(series labels.Labels, timestamp int64, value float64) error {
	m := a.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	a.begin(timestamp)
	if a.bounds.window == 0 && timestamp < a.bounds.minValid && !m.keepAll {
		return storage.ErrOutOfBounds
	}
	a.find(series)
	p := Point{Timestamp: timestamp, Value: value}
	if _, err := a.series.appendable(p, *a.bounds); err != nil && !m.keepAll {
		return err
	}
	a.queue = append(a.queue, queued{series: a.series, point: p})
	return nil
}

// begin fixes the bounds. The first sample ever counts as the newest one even
// when its request is rolled back.
func (a *memoryAppender) begin(timestamp int64) {
	m := a.memory
	if !m.known {
		m.max, m.known = timestamp, true
	}
	if a.bounds == nil {
		a.bounds = &bounds{max: m.max, minValid: m.max - inOrderSpan, window: m.window}
	}
}

// find looks a series up, and makes it where it is new.
func (a *memoryAppender) find(series labels.Labels) {
	series = series.WithoutEmpty()
	if a.series != nil && labels.Equal(series, a.labels) {
		return
	}
	a.key = series.Bytes(a.key)
	s := a.memory.series[string(a.key)]
	if s == nil {
		s = &memorySeries{name: series.String()}
		a.memory.series[string(a.key)] = s
	}
	a.series, a.labels = s, series
}

// Commit stores what was appended. A sample that has meanwhile become unacceptable
// is lost.
func (a *memoryAppender) Commit() error {
	m := a.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range a.queue {
		m.commit(q, *a.bounds)
	}
	a.queue = nil
	return nil
}

func (m *Memory) commit(q queued, b bounds) {
	if m.keepAll {
		q.series.late = append(q.series.late, q.point)
		return
	}
	late, err := q.series.appendable(q.point, b)
	switch {
	case err != nil:
	case late:
		q.series.late = append(q.series.late, q.point)
	case q.series.newest() < q.point.Timestamp || len(q.series.inOrder) == 0:
		q.series.inOrder = append(q.series.inOrder, q.point)
		m.max = max(m.max, q.point.Timestamp)
	}
}

// Rollback forgets what was appended.
func (a *memoryAppender) Rollback() error {
	a.queue = nil
	return nil
}

func (s *memorySeries) newest() int64 {
	if len(s.inOrder) == 0 {
		return math.MinInt64
	}
	return s.inOrder[len(s.inOrder)-1].Timestamp
}

// appendable says whether a sample is acceptable, and whether it is out of order.
func (s *memorySeries) appendable(p Point, b bounds) (late bool, err error) {
	if p.Timestamp >= b.minValid {
		if len(s.inOrder) == 0 || p.Timestamp > s.newest() {
			return false, nil
		}
		last := s.inOrder[len(s.inOrder)-1]
		if p.Timestamp == last.Timestamp {
			if math.Float64bits(p.Value) != math.Float64bits(last.Value) {
				return false, storage.NewDuplicateFloatErr(p.Timestamp, last.Value, p.Value)
			}
			return false, nil
		}
	}
	switch {
	case b.window > 0 && p.Timestamp >= b.max-b.window:
		return true, nil
	case b.window > 0:
		return true, storage.ErrTooOldSample
	case p.Timestamp < b.minValid:
		return false, storage.ErrOutOfBounds
	default:
		return false, storage.ErrOutOfOrderSample
	}
}
