// Package compliance runs the official compliance suite for senders of remote write
// against the kafka2prom binary, and cases of our own in its form.
package compliance

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// record is what the topic holds for each sample: the shape that a producer of
// metrics would choose. The numbers stay the text that the page has, which knows
// NaN and infinities, and which nothing has rounded.
type record struct {
	Labels map[string]string `json:"labels"`
	Value  string            `json:"value"`
	// Timestamp in seconds since the Unix epoch.
	Timestamp string `json:"timestamp"`
}

// mapping reads records, as the samples of a pipeline.
const mapping = `
      - labels_from: labels
        value: value
        timestamp: {path: timestamp, format: s}
`

// labelPair is name="value" with the escapes of OpenMetrics.
var labelPair = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)

// unescape undoes the escapes of a label value.
var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")

// parsePage makes a record of each sample of an OpenMetrics page, as a scraper that
// knows nothing but floats does: comments and exemplars are passed over. The target's
// labels win over those of the page; a sample without a timestamp has that of the
// scrape.
func parsePage(page string, target map[string]string, scraped time.Time) ([][]byte, error) {
	var records [][]byte
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := parseSample(line, scraped)
		if err != nil {
			return nil, fmt.Errorf("reading the page: %w", err)
		}
		maps.Copy(r.Labels, target)
		encoded, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("encoding a record: %w", err)
		}
		records = append(records, encoded)
	}
	return records, nil
}

// parseSample reads a line such as
//
//	requests_total{code="200"} 7 1700000000.5 # {trace_id="x"} 1
func parseSample(line string, scraped time.Time) (record, error) {
	end := seriesEnd(line)
	series, rest := line[:end], strings.Fields(line[end:])
	if len(rest) == 0 {
		return record{}, fmt.Errorf("%q has no value", line)
	}
	name, labels, _ := strings.Cut(series, "{")
	r := record{Labels: map[string]string{"__name__": name}, Value: rest[0], Timestamp: seconds(scraped)}
	for _, pair := range labelPair.FindAllStringSubmatch(labels, -1) {
		r.Labels[pair[1]] = unescape.Replace(pair[2])
	}
	if len(rest) > 1 && rest[1] != "#" {
		r.Timestamp = rest[1]
	}
	return r, nil
}

// seriesEnd is the position of the first space that is not quoted.
func seriesEnd(line string) int {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ' ':
			if !quoted {
				return i
			}
		}
	}
	return len(line)
}

// seconds since the Unix epoch, to the millisecond.
func seconds(t time.Time) string {
	ms := t.UnixMilli()
	return strconv.FormatInt(ms/1000, 10) + fmt.Sprintf(".%03d", ms%1000)
}
