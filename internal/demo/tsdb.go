package demo

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// startMetric is a sample that the database gets before any other. A fresh TSDB
// takes its first sample for the newest, however old it is; with this one the
// limits are known from the start.
const startMetric = "demo_start_time_seconds"

// database is Prometheus' own TSDB. It stores what the remote-write receiver
// accepts, and is queried by the API and by the verification.
type database struct {
	db *tsdb.DB
	// latest is a tail of what has been committed, for the view.
	latest *tail
}

// openDatabase makes a database in an empty directory, with an out-of-order window
// or with none.
func openDatabase(dir string, window time.Duration, now time.Time) (*database, error) {
	options := tsdb.DefaultOptions()
	options.OutOfOrderTimeWindow = window.Milliseconds()
	db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, options, nil)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	d := &database{db: db, latest: newTail()}
	first := d.db.Appender(context.Background())
	_, err = first.Append(0, labels.FromStrings("__name__", startMetric), now.UnixMilli(), float64(now.Unix()))
	if err == nil {
		err = first.Commit()
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("writing the first sample: %w", err)
	}
	return d, nil
}

func (d *database) close() error {
	if err := d.db.Close(); err != nil {
		return fmt.Errorf("closing the database: %w", err)
	}
	return nil
}

// Appender begins a request of the receiver.
func (d *database) Appender() receiver.Appender {
	return &appender{database: d, app: d.db.Appender(context.Background())}
}

// appender is a transaction of the TSDB.
type appender struct {
	database *database
	app      storage.Appender
	// labels and ref are those of the last sample: the samples of a series come
	// one after the other.
	labels labels.Labels
	ref    storage.SeriesRef
	last   []sample // The newest of the request.
	count  int
}

func (a *appender) Append(series labels.Labels, timestamp int64, value float64) error {
	if a.ref == 0 || !labels.Equal(a.labels, series) {
		a.ref, a.labels = 0, series
	}
	ref, err := a.app.Append(a.ref, series, timestamp, value)
	if err != nil {
		return err
	}
	a.ref = ref
	a.count++
	if len(a.last) == tailLength {
		a.last = a.last[1:]
	}
	a.last = append(a.last, sample{labels: series, timestamp: timestamp, value: value})
	return nil
}

func (a *appender) Commit() error {
	if err := a.app.Commit(); err != nil {
		return err
	}
	a.database.latest.add(a.count, a.last)
	return nil
}

func (a *appender) Rollback() error { return a.app.Rollback() }

// sample is one sample of one series. The time is in milliseconds.
type sample struct {
	labels    labels.Labels
	timestamp int64
	value     float64
}

// tailLength is how many samples are kept for the view.
const tailLength = 16

// tail keeps the last samples that were committed, and counts all of them.
type tail struct {
	mu    sync.Mutex
	last  []sample
	total int
}

func newTail() *tail { return &tail{} }

func (t *tail) add(count int, newest []sample) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total += count
	t.last = append(t.last, newest...)
	t.last = t.last[max(0, len(t.last)-tailLength):]
}

// samples returns the newest samples, oldest first, and the count of all.
func (t *tail) samples() ([]sample, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]sample(nil), t.last...), t.total
}
