package receiver

import (
	"maps"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// base is the common start of the samples, in milliseconds, and now is the
// receiver's clock.
const base = int64(1_800_000_000_000)

func clock() time.Time { return time.UnixMilli(base).Add(time.Minute) }

const (
	minute = float64(time.Minute / time.Millisecond)
	hour   = 60 * minute
)

// TestModernAnswersAsPrometheusDoes has the rows of the table of measurements.
// Each row says what the four columns answer: 1.0 and 2.0 without a window, then
// 1.0 and 2.0 with two hours.
func TestModernAnswersAsPrometheusDoes(t *testing.T) {
	type column struct {
		status  int
		written int // Under 2.0 only.
		body    string
		stored  map[string][]float64
	}
	// seed is what was sent before: b's newest sample is at 0 with the value 1.
	seed := []sent{series("a", 0, 1), series("b", 0, 1)}
	with := func(more map[string][]float64) map[string][]float64 {
		all := map[string][]float64{name("a"): {0, 1}, name("b"): {0, 1}}
		maps.Copy(all, more)
		return all
	}
	const ooo, old, bounds, future = "out of order sample", "too old sample", "out of bounds", "out of bounds: timestamp is too far in the future"
	duplicate := "duplicate sample for timestamp " + strconv.FormatInt(base, 10) + "; overrides not allowed: existing 1, new value 9"
	good := map[string][]float64{name("a"): {0, 1, 1000, 2}}
	goodE := map[string][]float64{name("e"): {0, 5}}

	for _, row := range []struct {
		name    string
		before  []sent
		request []sent
		columns [4]column
	}{
		{
			name:    "a sample older than the newest of its series",
			request: []sent{series("a", 1000, 2), series("b", -5000, 7)},
			columns: [4]column{
				{400, 0, ooo, with(nil)},
				{400, 1, ooo + " for series " + name("b"), with(good)},
				{204, 0, "", with(map[string][]float64{name("a"): {0, 1, 1000, 2}, name("b"): {-5000, 7, 0, 1}})},
				{204, 2, "", with(map[string][]float64{name("a"): {0, 1, 1000, 2}, name("b"): {-5000, 7, 0, 1}})},
			},
		},
		{
			name:    "the newest sample again with another value",
			request: []sent{series("a", 1000, 2), series("b", 0, 9)},
			columns: [4]column{
				{400, 0, duplicate, with(nil)},
				{400, 1, duplicate + " for series " + name("b"), with(good)},
				{400, 0, duplicate, with(nil)},
				{400, 1, duplicate + " for series " + name("b"), with(good)},
			},
		},
		{
			name:    "a sample too far in the future",
			request: []sent{series("a", 1000, 2), series("b", 12*minute, 7)},
			columns: [4]column{
				{400, 0, future, with(nil)},
				{400, 1, future + " for series " + name("b"), with(good)},
				{400, 0, future, with(nil)},
				{400, 1, future + " for series " + name("b"), with(good)},
			},
		},
		{
			name:    "an exact repetition",
			before:  []sent{series("a", 1000, 2, 2000, 3, 3000, 4)},
			request: []sent{series("a", 0, 1, 1000, 2, 2000, 3)},
			columns: [4]column{
				{400, 0, ooo, with(map[string][]float64{name("a"): {0, 1, 1000, 2, 2000, 3, 3000, 4}})},
				{
					400, 0, ooo + " for series " + name("a") + "\n" + ooo + " for series " + name("a") + "\n" + ooo + " for series " + name("a"),
					with(map[string][]float64{name("a"): {0, 1, 1000, 2, 2000, 3, 3000, 4}}),
				},
				{204, 0, "", with(map[string][]float64{name("a"): {0, 1, 1000, 2, 2000, 3, 3000, 4}})},
				{204, 3, "", with(map[string][]float64{name("a"): {0, 1, 1000, 2, 2000, 3, 3000, 4}})},
			},
		},
		{
			name:    "a series out of order within the request",
			request: []sent{series("c", 2000, 2, 1000, 1, 3000, 3)},
			columns: [4]column{
				{204, 0, "", with(map[string][]float64{name("c"): {2000, 2, 3000, 3}})},
				{204, 3, "", with(map[string][]float64{name("c"): {2000, 2, 3000, 3}})},
				{204, 0, "", with(map[string][]float64{name("c"): {1000, 1, 2000, 2, 3000, 3}})},
				{204, 3, "", with(map[string][]float64{name("c"): {1000, 1, 2000, 2, 3000, 3}})},
			},
		},
		{
			name:    "one time with two values within the request",
			request: []sent{series("d", 1000, 1, 1000, 2)},
			columns: [4]column{
				{204, 0, "", with(map[string][]float64{name("d"): {1000, 1}})},
				{204, 2, "", with(map[string][]float64{name("d"): {1000, 1}})},
				{204, 0, "", with(map[string][]float64{name("d"): {1000, 1}})},
				{204, 2, "", with(map[string][]float64{name("d"): {1000, 1}})},
			},
		},
		{
			name:    "a series without a name",
			request: []sent{{labels: []string{"job", "x"}, points: []Point{{base, 1}}}, series("e", 0, 5)},
			columns: [4]column{
				{204, 0, "", with(goodE)},
				{400, 1, `invalid metric name or labels, got {job="x"}`, with(goodE)},
				{204, 0, "", with(goodE)},
				{400, 1, `invalid metric name or labels, got {job="x"}`, with(goodE)},
			},
		},
		{
			name:    "a sample five hours old",
			request: []sent{series("e", 0, 5), series("f", -5*hour, 6)},
			columns: [4]column{
				{400, 0, bounds, with(nil)},
				{400, 1, bounds + " for series " + name("f"), with(goodE)},
				{400, 0, old, with(nil)},
				{400, 1, old + " for series " + name("f"), with(goodE)},
			},
		},
	} {
		for i, want := range row.columns {
			p, window := []Protocol{V1, V2}[i%2], time.Duration(i/2)*2*time.Hour
			t.Run(row.name+" by "+string(p)+" with "+window.String(), func(t *testing.T) {
				r := New(Config{OutOfOrderWindow: window, Now: clock})
				require.Equal(t, 204, send(t, r, p, seed...).status)
				if row.before != nil {
					require.Equal(t, 204, send(t, r, p, row.before...).status)
				}
				header := ""
				if p == V2 {
					header = strconv.Itoa(want.written)
				}
				require.Equal(t, reply{want.status, header, want.body}, send(t, r, p, row.request...))
				require.Equal(t, want.stored, stored(r))
			})
		}
	}
}

// TestOnlyTheAnswerToAnEmptyRequestTells is the table of receivers.
func TestOnlyTheAnswerToAnEmptyRequestTells(t *testing.T) {
	one := series("a", 0, 1)
	nameless := sent{labels: []string{"job", "x"}, points: []Point{{base, 1}}}
	for _, row := range []struct {
		behaviour            Behaviour
		v2, empty, v1, noNam reply
		storedV2, storedName bool
	}{
		{Modern, reply{204, "1", ""}, reply{204, "0", ""}, reply{204, "", ""}, reply{204, "", ""}, true, false},
		{Legacy, reply{204, "", ""}, reply{204, "", ""}, reply{204, "", ""}, reply{204, "", ""}, false, true},
		{VictoriaLike, reply{204, "", ""}, reply{204, "", ""}, reply{204, "", ""}, reply{204, "", ""}, false, true},
	} {
		r := New(Config{Behaviour: row.behaviour, Now: clock})
		require.Equal(t, row.empty, send(t, r, V2))
		require.Empty(t, r.Violations(), "an empty 2.0 request is a probe")
		require.Equal(t, row.v2, send(t, r, V2, one))
		require.Equal(t, row.storedV2, len(r.Samples()) == 1)
		require.Equal(t, row.v1, send(t, r, V1, series("b", 0, 1)))
		require.Contains(t, r.Samples(), name("b"))
		require.Equal(t, row.noNam, send(t, r, V1, nameless))
		require.Equal(t, row.storedName, len(r.Samples()[`{job="x"}`]) == 1)
	}
}

func TestVictoriaStoresEverySampleAsOftenAsItComes(t *testing.T) {
	r := New(Config{Behaviour: VictoriaLike, Now: clock})
	for range 2 {
		require.Equal(t, 204, send(t, r, V1, series("a", 0, 1, -100*24*hour, 2)).status)
	}
	require.Equal(t, []float64{-100 * 24 * hour, 2, -100 * 24 * hour, 2, 0, 1, 0, 1}, stored(r)[name("a")])
}

func TestMimirAndThanosTakeWhatIsGood(t *testing.T) {
	for _, row := range []struct {
		behaviour Behaviour
		want      reply
	}{
		{MimirLike, reply{400, "", "failed pushing to ingester: user=anonymous: the sample has been rejected: out of order sample (err-mimir-sample-rejected). " +
			"The affected sample has timestamp 2027-01-15T07:59:55.000Z and is from series b"}},
		{ThanosLike, reply{409, "", "store locally for endpoint 127.0.0.1:10907: add 2 samples: out of order sample; add 1 samples: out of bounds"}},
	} {
		r := New(Config{Behaviour: row.behaviour, Now: clock})
		require.Equal(t, 415, send(t, r, V2, series("a", 0, 1)).status)
		require.Equal(t, reply{200, "", ""}, send(t, r, V1, series("a", 0, 1), series("b", 0, 1)))
		got := send(t, r, V1, series("b", -5000, 7, -4000, 8), series("a", 1000, 2), series("f", -5*hour, 1), series("g", 0, 1))
		require.Equal(t, row.want.status, got.status)
		require.Equal(t, map[string][]float64{name("a"): {0, 1, 1000, 2}, name("b"): {0, 1}, name("g"): {0, 1}}, stored(r))
		require.Equal(t, []int{5, 2}, []int{r.Requests()[2].Samples, r.Requests()[2].Written})
		if row.behaviour == MimirLike {
			require.Equal(t, row.want.body, got.body, "the first error alone")
		} else {
			require.Contains(t, got.body, "add 2 samples: out of order sample")
			require.Contains(t, got.body, "add 1 samples: out of bounds")
		}
	}
}

func TestTheHandlerRefusesWhatPrometheusRefuses(t *testing.T) {
	body := encodeV1(t, []sent{series("a", 0, 1)})
	for _, row := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"another method", func(q *http.Request) { q.Method = http.MethodGet }, 405},
		{"another encoding", func(q *http.Request) { q.Header.Set("Content-Encoding", "gzip") }, 415},
		{"another media type", func(q *http.Request) { q.Header.Set("Content-Type", "application/json") }, 415},
		{"another message", func(q *http.Request) { q.Header.Set("Content-Type", "application/x-protobuf;proto=foo.Bar") }, 415},
		{"a body that is too large", func(q *http.Request) { q.Header.Set("Content-Type", "application/x-protobuf") }, 413},
		{"no snappy", func(q *http.Request) { q.Body = http.NoBody }, 400},
		{"nothing", func(q *http.Request) { q.Header.Set("Content-Type", "application/x-protobuf; charset=utf-8") }, 204},
		{"no content type", func(q *http.Request) { q.Header.Del("Content-Type") }, 204},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := Config{Now: clock}
			if row.status == 413 {
				cfg.MaxRequestBytes = 8
			}
			r := New(cfg)
			req := request(t, V1, body)
			row.change(req)
			require.Equal(t, row.status, roundTrip(t, r, req).status)
			require.Equal(t, row.status == 204, len(r.Samples()) == 1)
			require.Equal(t, row.status, r.Requests()[0].Status)
		})
	}
}
