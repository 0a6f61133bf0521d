package receiver

import (
	"errors"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// Store takes the samples of accepted requests. It is safe for concurrent use.
type Store interface {
	// Appender begins the samples of one request.
	Appender() Appender
}

// Appender takes the samples of one request, all or none. It is used by one
// goroutine, and ends with Commit or Rollback.
type Appender interface {
	// Append takes one sample, or refuses it with one of the errors of Prometheus'
	// storage package; any other error is a failure of the store. A refusal leaves
	// the samples before it as they are. The labels are sorted and valid, and may be kept.
	Append(series labels.Labels, timestamp int64, value float64) error
	Commit() error
	Rollback() error
}

// refusal says whether an error is about the sample, as opposed to the store.
func refusal(err error) bool {
	return errors.Is(err, storage.ErrOutOfOrderSample) ||
		errors.Is(err, storage.ErrOutOfBounds) ||
		errors.Is(err, storage.ErrDuplicateSampleForTimestamp) ||
		errors.Is(err, storage.ErrTooOldSample)
}
