package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// errTruncated is the warning of an answer that a limit has cut.
var errTruncated = errors.New("results truncated due to limit")

// series lists the label sets that match.
func (a *api) series(r *http.Request) (any, annotations.Annotations, error) {
	s, err := a.selection(r)
	if err != nil {
		return nil, nil, err
	}
	if len(s.matchers) == 0 {
		return nil, nil, badData{errors.New("no match[] parameter provided")}
	}
	q, err := a.queryable.Querier(s.mint, s.maxt)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = q.Close() }()

	hints := &storage.SelectHints{Start: s.mint, End: s.maxt, Func: "series"}
	var sets []storage.SeriesSet
	for _, matchers := range s.matchers {
		sets = append(sets, q.Select(r.Context(), true, hints, matchers...))
	}
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	found, notes := []labels.Labels{}, annotations.Annotations(nil)
	for set.Next() {
		if s.limit > 0 && len(found) == s.limit {
			return found, notes.Add(errTruncated), nil
		}
		found = append(found, set.At().Labels())
	}
	return found, set.Warnings(), set.Err()
}

// labelNames lists the names of labels.
func (a *api) labelNames(r *http.Request) (any, annotations.Annotations, error) {
	return a.list(r, func(ctx context.Context, q storage.Querier, matchers []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelNames(ctx, nil, matchers...)
	})
}

// labelValues lists the values of one label.
func (a *api) labelValues(r *http.Request) (any, annotations.Annotations, error) {
	name := r.PathValue("name")
	if len(name) > 3 && name[:3] == "U__" {
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return nil, nil, badData{fmt.Errorf("invalid label name: %q", name)}
	}
	return a.list(r, func(ctx context.Context, q storage.Querier, matchers []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelValues(ctx, name, nil, matchers...)
	})
}

// list collects texts over all selectors of a request, sorted.
func (a *api) list(r *http.Request, one func(context.Context, storage.Querier, []*labels.Matcher) ([]string, annotations.Annotations, error)) (any, annotations.Annotations, error) {
	s, err := a.selection(r)
	if err != nil {
		return nil, nil, err
	}
	q, err := a.queryable.Querier(s.mint, s.maxt)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = q.Close() }()

	if len(s.matchers) == 0 {
		s.matchers = [][]*labels.Matcher{nil}
	}
	all, notes := map[string]bool{}, annotations.Annotations{}
	for _, matchers := range s.matchers {
		texts, warnings, err := one(r.Context(), q, matchers)
		if err != nil {
			return nil, nil, err
		}
		notes.Merge(warnings)
		for _, text := range texts {
			all[text] = true
		}
	}
	sorted := slices.AppendSeq([]string{}, maps.Keys(all))
	slices.Sort(sorted)
	if s.limit > 0 && len(sorted) > s.limit {
		return sorted[:s.limit], notes.Add(errTruncated), nil
	}
	return sorted, notes, nil
}

// metadata is empty: what is written here brings none.
func (a *api) metadata(*http.Request) (any, annotations.Annotations, error) {
	return map[string]any{}, nil, nil
}

// buildInfo lets Grafana find out which API it speaks to.
func (a *api) buildInfo(*http.Request) (any, annotations.Annotations, error) {
	return map[string]string{
		"version": a.version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": runtime.Version(),
	}, nil, nil
}
