package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	promapi "github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

// serveAPI serves a database with two series: one sample a minute in the last
// ten minutes, with the minute as value.
func serveAPI(t *testing.T) *httptest.Server {
	t.Helper()
	d := openForTest(t, 0)
	app := d.Appender()
	for _, site := range []string{"oslo", "bergen"} {
		for i := range 10 {
			at := now.Add(time.Duration(i-9) * time.Minute)
			require.NoError(t, app.Append(labels.FromStrings("__name__", "temperature", "site", site), at.UnixMilli(), float64(i)))
		}
	}
	require.NoError(t, app.Commit())
	server := httptest.NewServer(newAPI(d.db, func() time.Time { return now }, "3.15.0"))
	t.Cleanup(server.Close)
	return server
}

func client(t *testing.T, server *httptest.Server) promv1.API {
	t.Helper()
	c, err := promapi.NewClient(promapi.Config{Address: server.URL})
	require.NoError(t, err)
	return promv1.NewAPI(c)
}

// TestPrometheusOwnClientUnderstandsTheAnswers uses the client of promtool.
func TestPrometheusOwnClientUnderstandsTheAnswers(t *testing.T) {
	c := client(t, serveAPI(t))

	vector, warnings, infos, err := c.Query(t.Context(), `sum(temperature) + 0.5`, now)
	require.NoError(t, err)
	require.Empty(t, append(warnings, infos...))
	require.Equal(t, model.Vector{{Metric: model.Metric{}, Value: 18.5, Timestamp: model.TimeFromUnixNano(now.UnixNano())}}, vector)

	scalar, _, _, err := c.Query(t.Context(), "1/0", now)
	require.NoError(t, err)
	require.Equal(t, "scalar: +Inf @[1795348800]", scalar.String())

	matrix, _, _, err := c.QueryRange(t.Context(), `temperature{site="oslo"}`, promv1.Range{Start: now.Add(-2 * time.Minute), End: now, Step: time.Minute})
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("temperature{site=\"oslo\"} =>\n7 @[%d]\n8 @[%d]\n9 @[%d]", now.Unix()-120, now.Unix()-60, now.Unix()), matrix.String())

	raw, _, _, err := c.Query(t.Context(), `temperature{site="oslo"}[3m]`, now)
	require.NoError(t, err)
	require.Len(t, raw.(model.Matrix)[0].Values, 3)

	sets, _, _, err := c.Series(t.Context(), []string{`{site=~".+"}`, startMetric}, now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.ElementsMatch(t, []model.LabelSet{
		{"__name__": "temperature", "site": "oslo"}, {"__name__": "temperature", "site": "bergen"}, {"__name__": startMetric},
	}, sets)

	names, _, _, err := c.LabelNames(t.Context(), nil, now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Equal(t, model.LabelNames{"__name__", "site"}, names)

	values, _, _, err := c.LabelValues(t.Context(), "site", []string{"temperature"}, now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Equal(t, model.LabelValues{"bergen", "oslo"}, values)

	info, err := c.Buildinfo(t.Context())
	require.NoError(t, err)
	require.Equal(t, "3.15.0", info.Version)
}

func TestWhatGrafanaAsksForAnswersToGETAndPOST(t *testing.T) {
	server := serveAPI(t)
	for _, row := range []struct {
		path   string
		values url.Values
		status int
		want   string
	}{
		{"/-/healthy", nil, 200, "Healthy.\n"},
		{"/api/v1/metadata", nil, 200, `{"status":"success","data":{}}`},
		{"/api/v1/query", url.Values{"query": {"1+1"}, "time": {"1795348800.5"}}, 200, `{"status":"success","data":{"resultType":"scalar","result":[1795348800.5,"2"]}}`},
		{"/api/v1/query", url.Values{"query": {"1+1"}}, 200, `{"status":"success","data":{"resultType":"scalar","result":[1795348800,"2"]}}`},
		{"/api/v1/query", url.Values{"query": {`"x"`}, "time": {"2026-11-22T12:00:00Z"}}, 200, `{"status":"success","data":{"resultType":"string","result":[1795348800,"x"]}}`},
		{"/api/v1/query", url.Values{"query": {"nothing"}}, 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`},
		{"/api/v1/query", url.Values{"query": {"temperature"}, "lookback_delta": {"1s"}, "time": {"1795348830"}}, 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`},
		{"/api/v1/label/site/values", url.Values{"limit": {"1"}}, 200, `{"status":"success","data":["bergen"],"warnings":["results truncated due to limit"]}`},
		{"/api/v1/label/U__site/values", nil, 200, `{"status":"success","data":["bergen","oslo"]}`},
		{"/api/v1/labels", url.Values{"match[]": {"nothing"}}, 200, `{"status":"success","data":[]}`},
		{"/api/v1/series", url.Values{"match[]": {"temperature"}, "limit": {"1"}}, 200, `{"status":"success","data":[{"__name__":"temperature","site":"bergen"}],"warnings":["results truncated due to limit"]}`},
		{"/api/v1/series", url.Values{"match[]": {"nothing"}}, 200, `{"status":"success","data":[]}`},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if row.path == "/-/healthy" && method == http.MethodPost {
				continue
			}
			t.Run(method+" "+row.path+"?"+row.values.Encode(), func(t *testing.T) {
				status, body := ask(t, method, server.URL+row.path, row.values)
				require.Equal(t, row.status, status)
				require.Equal(t, row.want, body)
			})
		}
	}
}

func TestErrorsHavePrometheusNamesAndStatuses(t *testing.T) {
	server := serveAPI(t)
	spans := url.Values{"query": {"temperature"}, "start": {"0"}, "end": {"10"}, "step": {"1"}}
	with := func(key, value string) url.Values {
		v := url.Values{}
		maps.Copy(v, spans)
		v.Set(key, value)
		return v
	}
	for _, row := range []struct {
		path   string
		values url.Values
		status int
		kind   string
		text   string
	}{
		{"/api/v1/query", url.Values{"query": {"sum("}}, 400, "bad_data", `invalid parameter "query"`},
		{"/api/v1/query", url.Values{"query": {"1"}, "time": {"noon"}}, 400, "bad_data", `cannot parse "noon" to a valid timestamp`},
		{"/api/v1/query", url.Values{"query": {"1"}, "time": {"NaN"}}, 400, "bad_data", `cannot parse "NaN" to a valid timestamp`},
		{"/api/v1/query", url.Values{"query": {"1"}, "timeout": {"soon"}}, 400, "bad_data", `cannot parse "soon" to a valid duration`},
		{"/api/v1/query", url.Values{"query": {"1"}, "lookback_delta": {"1e30"}}, 400, "bad_data", `cannot parse "1e30" to a valid duration`},
		{"/api/v1/query", url.Values{"query": {"temperature + on() temperature"}}, 422, "execution", "found duplicate series"},
		{"/api/v1/query", url.Values{"query": {"temperature"}, "timeout": {"0.000000001"}}, 503, "timeout", "query timed out"},
		{"/api/v1/query_range", with("start", ""), 400, "bad_data", `invalid parameter "start"`},
		{"/api/v1/query_range", with("end", "x"), 400, "bad_data", `invalid parameter "end"`},
		{"/api/v1/query_range", with("end", "-1"), 400, "bad_data", "end timestamp must not be before start time"},
		{"/api/v1/query_range", with("step", ""), 400, "bad_data", `invalid parameter "step"`},
		{"/api/v1/query_range", with("step", "0"), 400, "bad_data", "zero or negative"},
		{"/api/v1/query_range", with("step", "1ms"), 200, "", ""},
		{"/api/v1/query_range", with("end", "11001"), 400, "bad_data", "exceeded maximum resolution of 11000 points"},
		{"/api/v1/series", nil, 400, "bad_data", "no match[] parameter provided"},
		{"/api/v1/series", url.Values{"match[]": {"{"}}, 400, "bad_data", `invalid parameter "match[]"`},
		{"/api/v1/labels", url.Values{"limit": {"-1"}}, 400, "bad_data", "limit must be non-negative"},
		{"/api/v1/labels", url.Values{"limit": {"x"}}, 400, "bad_data", `invalid parameter "limit"`},
		{"/api/v1/labels", url.Values{"start": {"x"}}, 400, "bad_data", `invalid parameter "start"`},
		{"/api/v1/label/%FF/values", nil, 400, "bad_data", "invalid label name"},
	} {
		t.Run(row.path+"?"+row.values.Encode(), func(t *testing.T) {
			status, body := ask(t, http.MethodGet, server.URL+row.path, row.values)
			require.Equal(t, row.status, status, body)
			var e envelope
			require.NoError(t, json.Unmarshal([]byte(body), &e))
			require.Equal(t, row.kind, e.ErrorType)
			require.Contains(t, e.Error, row.text)
		})
	}
}

func ask(t *testing.T, method, target string, values url.Values) (int, string) {
	t.Helper()
	body := ""
	if method == http.MethodGet {
		target += "?" + values.Encode()
	} else {
		body = values.Encode()
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(text)
}
