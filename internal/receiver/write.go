package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// maxAhead is how far in the future of the receiver's clock a sample may be.
const maxAhead = 10 * time.Minute

// writing is one request on its way into the store.
type writing struct {
	appender Appender
	latest   int64 // In milliseconds; samples after it are refused.
	written  int
}

func (w *writing) append(s Series, p Point) error {
	if p.Timestamp > w.latest {
		return fmt.Errorf("%w: timestamp is too far in the future", storage.ErrOutOfBounds)
	}
	if err := w.appender.Append(s.Labels, p.Timestamp, p.Value); err != nil {
		return err
	}
	w.written++
	return nil
}

// whole takes everything or nothing: remote write 1.0 in Prometheus. Series whose
// labels it does not like are left out without a word.
func (w *writing) whole(all []Series, valid func(labels.Labels) error) Answer {
	for _, s := range all {
		if valid(s.Labels) != nil {
			continue
		}
		for _, p := range s.Points {
			if err := w.append(s, p); err != nil {
				return w.rollback(err)
			}
		}
	}
	return w.commit(Answer{Status: http.StatusNoContent})
}

// partial takes what is good and lists the rest: remote write 2.0 in Prometheus.
func (w *writing) partial(all []Series) Answer {
	var bad []error
	for _, s := range all {
		if err := sound(s); err != nil {
			bad = append(bad, err)
			continue
		}
		for _, p := range s.Points {
			err := w.append(s, p)
			if err != nil && !refusal(err) {
				return w.rollback(err)
			}
			if err != nil {
				bad = append(bad, fmt.Errorf("%w for series %s", err, s.Labels))
			}
		}
	}
	if len(bad) > 0 {
		return w.commit(Answer{Status: http.StatusBadRequest, Body: errors.Join(bad...).Error()})
	}
	return w.commit(Answer{Status: http.StatusNoContent})
}

// mimir takes what is good and answers with the first error alone.
func (w *writing) mimir(all []Series) Answer {
	answer := Answer{Status: http.StatusOK}
	refuse := func(format string, args ...any) {
		if answer.Status == http.StatusOK {
			answer = Answer{Status: http.StatusBadRequest, Body: fmt.Sprintf(format, args...)}
		}
	}
	for _, s := range all {
		if err := named(s.Labels); err != nil {
			refuse("received a series with invalid labels (err-mimir-label-invalid): %v, series: '%s'", err, metric(s.Labels))
			continue
		}
		for _, p := range s.Points {
			err := w.append(s, p)
			if err != nil && !refusal(err) {
				return w.rollback(err)
			}
			if err != nil {
				refuse("failed pushing to ingester: user=anonymous: the sample has been rejected: %v (err-mimir-sample-rejected). "+
					"The affected sample has timestamp %s and is from series %s",
					err, time.UnixMilli(p.Timestamp).UTC().Format("2006-01-02T15:04:05.000Z"), metric(s.Labels))
			}
		}
	}
	return w.commit(answer)
}

// thanos takes what is good and counts the rest by cause.
func (w *writing) thanos(all []Series) Answer {
	causes := map[string]int{}
	for _, s := range all {
		if err := named(s.Labels); err != nil {
			causes[err.Error()] += len(s.Points)
			continue
		}
		for _, p := range s.Points {
			err := w.append(s, p)
			if err != nil && !refusal(err) {
				return w.rollback(err)
			}
			if err != nil {
				causes[cause(err).Error()]++
			}
		}
	}
	if len(causes) == 0 {
		return w.commit(Answer{Status: http.StatusOK})
	}
	var lines []string
	for text, n := range causes {
		lines = append(lines, fmt.Sprintf("add %d samples: %s", n, text))
	}
	slices.Sort(lines)
	return w.commit(Answer{Status: http.StatusConflict, Body: "store locally for endpoint 127.0.0.1:10907: " + strings.Join(lines, "; ")})
}

func (w *writing) commit(a Answer) Answer {
	if err := w.appender.Commit(); err != nil {
		w.written = 0
		return Answer{Status: http.StatusInternalServerError, Body: err.Error()}
	}
	return a
}

func (w *writing) rollback(err error) Answer {
	w.written = 0
	status := http.StatusInternalServerError
	if refusal(err) {
		status = http.StatusBadRequest
	}
	if rollbackErr := w.appender.Rollback(); rollbackErr != nil {
		status, err = http.StatusInternalServerError, rollbackErr
	}
	return Answer{Status: status, Body: err.Error()}
}

// cause is the kind of a refusal, without the words about the one sample.
func cause(err error) error {
	for _, kind := range []error{storage.ErrOutOfOrderSample, storage.ErrOutOfBounds, storage.ErrDuplicateSampleForTimestamp} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return storage.ErrTooOldSample
}

// sound says in Prometheus' words what a 2.0 series is refused for as a whole.
func sound(s Series) error {
	if s.err != nil {
		return s.err
	}
	if err := named(s.Labels); err != nil {
		return err
	}
	if len(s.Points) == 0 {
		return fmt.Errorf("TimeSeries must contain at least one sample or histogram for series %s", s.Labels)
	}
	return nil
}

// named wants a metric name and labels that are valid as UTF-8.
func named(ls labels.Labels) error {
	if !ls.Has(model.MetricNameLabel) || !ls.IsValid(model.UTF8Validation) {
		return fmt.Errorf("invalid metric name or labels, got %s", ls)
	}
	if name, double := ls.HasDuplicateLabelNames(); double {
		return fmt.Errorf("invalid labels for series, labels %s, duplicated label %s", ls, name)
	}
	return nil
}

// nameless wants what named does, but for the name.
func nameless(ls labels.Labels) error {
	if ls.Has(model.MetricNameLabel) {
		return named(ls)
	}
	b := labels.NewBuilder(ls)
	return named(b.Set(model.MetricNameLabel, "unnamed").Labels())
}

func anyLabels(labels.Labels) error { return nil }

// metric is the notation with the name in front.
func metric(ls labels.Labels) string {
	name := ls.Get(model.MetricNameLabel)
	rest := labels.NewBuilder(ls).Del(model.MetricNameLabel).Labels()
	if name != "" && rest.IsEmpty() {
		return name
	}
	return name + rest.String()
}

// writtenHeader is how a 2.0 receiver shows that it is one.
func writtenHeader(samples int) http.Header {
	h := http.Header{}
	h.Set("X-Prometheus-Remote-Write-Samples-Written", strconv.Itoa(samples))
	h.Set("X-Prometheus-Remote-Write-Histograms-Written", "0")
	h.Set("X-Prometheus-Remote-Write-Exemplars-Written", "0")
	return h
}
