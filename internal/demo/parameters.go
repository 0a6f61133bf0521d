package demo

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// The whole of time, in milliseconds, for requests that name no bounds.
const (
	beginningOfTime = -1 << 62
	endOfTime       = 1 << 62
)

// invalid says which parameter is at fault, as Prometheus does.
func invalid(name string, err error) error {
	return badData{fmt.Errorf("invalid parameter %q: %w", name, err)}
}

// instant reads a time: seconds since the Unix epoch, or RFC 3339.
func instant(text string) (time.Time, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(seconds) || math.Abs(seconds) > math.MaxInt64/1e9 {
			return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", text)
		}
		whole, fraction := math.Modf(seconds)
		return time.Unix(int64(whole), int64(math.Round(fraction*1e3))*int64(time.Millisecond)).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", text)
	}
	return t, nil
}

// duration reads a number of seconds, or Prometheus' notation such as 5m.
func duration(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(seconds) || math.Abs(seconds) > math.MaxInt64/1e9 {
			return 0, fmt.Errorf("cannot parse %q to a valid duration", text)
		}
		return time.Duration(seconds * float64(time.Second)), nil
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("cannot parse %q to a valid duration", text)
	}
	return time.Duration(d), nil
}

// instantOr reads a time that may be left out.
func instantOr(r *http.Request, name string, otherwise time.Time) (time.Time, error) {
	text := r.FormValue(name)
	if text == "" {
		return otherwise, nil
	}
	t, err := instant(text)
	if err != nil {
		return t, invalid(name, err)
	}
	return t, nil
}

// limit reads the greatest number of results; 0: all.
func limit(r *http.Request) (int, error) {
	text := r.FormValue("limit")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err == nil && n < 0 {
		err = errors.New("limit must be non-negative")
	}
	if err != nil {
		return 0, invalid("limit", err)
	}
	return n, nil
}

// selection is what the requests for series and labels have in common.
type selection struct {
	mint, maxt int64 // In milliseconds.
	matchers   [][]*labels.Matcher
	limit      int
}

func (a *api) selection(r *http.Request) (selection, error) {
	s := selection{mint: beginningOfTime, maxt: endOfTime}
	for name, bound := range map[string]*int64{"start": &s.mint, "end": &s.maxt} {
		t, err := instantOr(r, name, time.UnixMilli(*bound))
		if err != nil {
			return s, err
		}
		*bound = t.UnixMilli()
	}
	var err error
	if s.limit, err = limit(r); err != nil {
		return s, err
	}
	s.matchers, err = a.parser.ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		return s, invalid("match[]", err)
	}
	return s, nil
}
