package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/annotations"
)

// answer is the data of a query.
type answer struct {
	ResultType parser.ValueType `json:"resultType"`
	Result     parser.Value     `json:"result"`
}

// query evaluates an expression at one time.
func (a *api) query(r *http.Request) (any, annotations.Annotations, error) {
	at, err := instantOr(r, "time", a.now())
	if err != nil {
		return nil, nil, err
	}
	return a.run(r, func(ctx context.Context, opts promql.QueryOpts) (promql.Query, error) {
		return a.engine.NewInstantQuery(ctx, a.queryable, opts, r.FormValue("query"), at)
	})
}

// queryRange evaluates an expression at each step of a span.
func (a *api) queryRange(r *http.Request) (any, annotations.Annotations, error) {
	start, err := instant(r.FormValue("start"))
	if err != nil {
		return nil, nil, invalid("start", err)
	}
	end, err := instant(r.FormValue("end"))
	if err != nil {
		return nil, nil, invalid("end", err)
	}
	if end.Before(start) {
		return nil, nil, invalid("end", errors.New("end timestamp must not be before start time"))
	}
	step, err := duration(r.FormValue("step"))
	if err != nil {
		return nil, nil, invalid("step", err)
	}
	if step <= 0 {
		return nil, nil, invalid("step", errors.New("zero or negative query resolution step widths are not accepted. Try a positive integer"))
	}
	if end.Sub(start)/step > queryMaxPoints {
		return nil, nil, badData{fmt.Errorf("exceeded maximum resolution of %d points per timeseries. Try decreasing the query resolution (?step=XX)", queryMaxPoints)}
	}
	return a.run(r, func(ctx context.Context, opts promql.QueryOpts) (promql.Query, error) {
		return a.engine.NewRangeQuery(ctx, a.queryable, opts, r.FormValue("query"), start, end, step)
	})
}

// run prepares and executes a query. The result is encoded before the query is
// closed, because its memory is used again after that.
func (a *api) run(r *http.Request, prepare func(context.Context, promql.QueryOpts) (promql.Query, error)) (any, annotations.Annotations, error) {
	ctx := r.Context()
	if text := r.FormValue("timeout"); text != "" {
		timeout, err := duration(text)
		if err != nil {
			return nil, nil, invalid("timeout", err)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	opts, err := options(r)
	if err != nil {
		return nil, nil, err
	}
	query, err := prepare(ctx, opts)
	if err != nil {
		return nil, nil, invalid("query", err)
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return nil, nil, result.Err
	}
	data, err := json.Marshal(answer{ResultType: result.Value.Type(), Result: result.Value})
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the result: %w", err)
	}
	return json.RawMessage(data), result.Warnings, nil
}

func options(r *http.Request) (promql.QueryOpts, error) {
	var delta time.Duration
	if text := r.FormValue("lookback_delta"); text != "" {
		var err error
		if delta, err = duration(text); err != nil {
			return nil, invalid("lookback_delta", err)
		}
	}
	return promql.NewPrometheusQueryOpts(false, delta), nil
}
