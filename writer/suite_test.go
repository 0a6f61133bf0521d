package writer

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// The cases of the older suites of prometheus/compliance, made anew for records in the
// place of a page. docs/compliance.md says which are left out.

// scraped makes records of samples as a page has them: name, labels, value.
func scraped(lines ...string) (records []string) {
	for _, line := range lines {
		series, value, _ := strings.Cut(line, " ")
		name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		all := `"__name__":"` + name + `","job":"test","instance":"host:80"`
		if labels != "" {
			all += "," + strings.NewReplacer(`="`, `":"`, `",`, `","`).Replace(`"`+labels)
		}
		records = append(records, fmt.Sprintf(`{"v":%q,"l":{%s}}`, value, all))
	}
	return records
}

// TestCasesOfTheSuiteAboutSamples go by the names that they have there.
func TestCasesOfTheSuiteAboutSamples(t *testing.T) {
	long := strings.Repeat("l", 200)
	for name, page := range map[string][]string{
		"Counter":                    {`c_total 1`},
		"Gauge":                      {`g 1.5`},
		"Histogram":                  {`h_bucket{le="1"} 1`, `h_bucket{le="+Inf"} 2`, `h_sum 3`, `h_count 2`},
		"Summary":                    {`s{quantile="0.5"} 1`, `s_sum 3`, `s_count 2`},
		"Up":                         {`up 1`, `up{down="yes"} 0`},
		"JobLabel, InstanceLabel":    {`x 1`},
		"Invalid (NaN)":              {`x NaN`},
		"float_value_encoding":       {`x 123.456`},
		"integer_value_encoding":     {`x 42`},
		"zero_value_encoding":        {`x 0`},
		"negative_value_encoding":    {`x -273.15`},
		"positive_infinity_encoding": {`x +Inf`},
		"negative_infinity_encoding": {`x -Inf`},
		"scientific_notation":        {`x 1.23e-5`},
		"large_float_values":         {`x 1.7976931348623157e308`},
		"small_float_values":         {`x 5e-324`},
		"metric_name_with_colons":    {`a:b:c 1`},
		"very_long_metric_name":      {long + ` 1`},
		"very_long_label_names":      {`x{` + long + `="1"} 1`},
		"huge_label_values":          {`x{a="` + strings.Repeat("v", 4096) + `"} 1`},
		"unicode_in_labels":          {`x{city="Zürich_東京"} 1`},
		"many_labels_per_series":     {`x{` + strings.Join(numbered(50), ",") + `} 1`},
		"real_world_scenario":        {`http_requests_total{code="200",method="get"} 1027`, `http_requests_total{code="400",method="get"} 3`, `process_cpu_seconds_total 12.5`},
	} {
		t.Run(name, func(t *testing.T) {
			underBoth(t, func(t underProtocol) {
				r := clockwork(receiver.Modern, 0)
				refused := pass(t, mapper(t, "sanitize"), start(t, overHTTP(t, r), speaking(t.protocol)), scraped(page...)...)
				require.Empty(t, refused)
				require.Empty(t, r.Violations())
				require.Len(t, r.Requests(), 1)
				require.Len(t, r.Requests()[0].Series, len(page))
				require.Len(t, r.Samples(), len(page))
				for _, s := range r.Requests()[0].Series {
					require.Equal(t, "test", s.Labels.Get("job"))
					require.Equal(t, "host:80", s.Labels.Get("instance"))
				}
			})
		})
	}
}

// numbered are as many labels.
func numbered(n int) (labels []string) {
	for i := range n {
		labels = append(labels, fmt.Sprintf(`l%d="%d"`, i, i))
	}
	return labels
}

// TestCasesOfTheSuiteAboutRefusedLabels are those in which nothing may arrive, and
// EmptyLabels, where the label alone does not.
func TestCasesOfTheSuiteAboutRefusedLabels(t *testing.T) {
	for name, x := range map[string]struct {
		record string
		stored []string
	}{
		"RepeatedLabels": {`{"v":1,"l":{"__name__":"x","a":"1","a":"1"}}`, nil},
		"NameLabel":      {`{"v":1,"l":{"label":"value"}}`, nil},
		"EmptyLabels":    {`{"v":1,"l":{"__name__":"x","a":""}}`, []string{`{__name__="x"}`}},
		"SortedLabels":   {`{"v":1,"l":{"b":"2","a":"1","__name__":"x"}}`, []string{`{__name__="x", a="1", b="2"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			underBoth(t, func(t underProtocol) {
				r := clockwork(receiver.Modern, 0)
				refused := pass(t, mapper(t, "sanitize"), start(t, overHTTP(t, r), speaking(t.protocol)), x.record)
				require.Equal(t, x.stored == nil, len(refused) == 1)
				requireSeries(t, r, x.stored...)
			})
		})
	}
}

// TestCasesOfTheSuiteAboutAnswers count how often a sample is sent for an answer, and
// require that the next one arrives all the same.
func TestCasesOfTheSuiteAboutAnswers(t *testing.T) {
	large := receiver.Answer{Status: 400, Body: strings.Repeat("error ", 100_000)}
	for name, x := range map[string]struct {
		answer receiver.Answer
		sent   int
	}{
		"Retries500":                  {status(500), 2},
		"Retries400, no_retry_on_400": {status(400), 1},
		"retry_on_502":                {status(502), 2},
		"retry_on_503":                {status(503), 2},
		"retry_on_504":                {status(504), 2},
		"may_retry_on_429":            {status(429), 2},
		"no_retry_on_413":             {status(413), 1},
		"handle_200_ok":               {counting(200, "Samples", "1"), 1},
		"handle_204_no_content":       {counting(204, "Samples", "1"), 1},
		"handle_timeout":              {receiver.Answer{Before: time.Minute}, 2},
		"handle_connection_refused":   {receiver.Answer{Drop: true}, 2},
		"handle_invalid_status_code":  {status(999), 2},
		"handle_large_error_body":     {large, 1},
	} {
		t.Run(name, func(t *testing.T) {
			underBoth(t, func(t underProtocol) {
				r := clockwork(receiver.Modern, 0)
				r.SetHook(script(x.answer))
				w := start(t, overHTTP(t, r), speaking(t.protocol))
				c := catalogue{}
				deliver(w, sample(c.named("x"), 1, 1))
				require.Len(t, r.Requests(), x.sent)
				deliver(w, sample(c.named("x"), 2, 1))
				require.Contains(t, times(r, c.named("x")), int64(2))
				require.Equal(t, x.sent == 2, len(times(r, c.named("x"))) == 2)
				require.Empty(t, r.Violations())
			})
		})
	}
}

// TestCasesOfTheSuiteAboutOrdering has a receiver that takes up to five seconds, and
// a thousand series that go on and on.
func TestCasesOfTheSuiteAboutOrdering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := clockwork(receiver.Modern, 0)
		n := 0
		r.SetHook(serial(func(*receiver.Request) receiver.Answer {
			n++
			return receiver.Answer{Before: time.Duration(n*n%50) * 100 * time.Millisecond}
		}))
		w := start(t, overHTTP(t, r), func(c *Config) { c.Shards, c.MaxSamples = 4, 500 })
		var batches []*Batch
		c := catalogue{}
		for scrape := range int64(3) {
			var samples []transform.Sample
			for i := range 1000 {
				samples = append(samples, sample(c.named(fmt.Sprintf("test%d", i)), scrape+1, 1))
			}
			batches = append(batches, submit(w, samples...))
		}
		for _, b := range batches {
			<-b.Landed()
			require.Empty(t, b.Refused())
		}
		require.Empty(t, r.Violations())
		requireInOrder(t, r.Requests(), 1000)
	})
}
