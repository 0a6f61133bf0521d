package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// readMargin is how far outside of what was produced phantoms are looked for.
const readMargin = 24 * time.Hour

// RequireStored reads back everything that the receiver has, and fails the test
// where that is not exactly what was produced: nothing missing, nothing wrong and
// nothing else.
func RequireStored(t *testing.T, r *servers.Receiver, produced *Ledger) {
	t.Helper()
	require.NotZero(t, produced.Len(), "a ledger without samples would prove nothing")
	stored := Stored(t, r, produced)
	require.Empty(t, Compare(produced, stored).String(), "%d samples produced, %d stored in %s", produced.Len(), stored.Len(), r.Kind)
}

// Stored reads back what the receiver has, from a day before the first sample that
// was produced to a day after the last.
func Stored(t *testing.T, r *servers.Receiver, produced *Ledger) *Ledger {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	stored, err := read(ctx, r, produced)
	require.NoError(t, err)
	return stored
}

func read(ctx context.Context, r *servers.Receiver, produced *Ledger) (*Ledger, error) {
	if r.Kind == servers.VictoriaMetrics {
		return readExport(ctx, r.URL)
	}
	return readQuery(ctx, r.URL, produced)
}

// readQuery asks for a range vector, which has the samples as they are stored:
// nothing is interpolated or aligned.
func readQuery(ctx context.Context, root string, produced *Ledger) (*Ledger, error) {
	first, last := produced.Bounds()
	end := last + readMargin.Milliseconds()
	span := end - first + readMargin.Milliseconds()
	body, err := get(ctx, root+"/api/v1/query?"+url.Values{
		"query": {fmt.Sprintf(`{__name__!=""}[%dms]`, span)},
		"time":  {strconv.FormatFloat(float64(end)/1000, 'f', 3, 64)},
	}.Encode())
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values []pair
			}
		}
	}
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("decoding the answer of a query: %w", err)
	}
	var stored Ledger
	for _, series := range answer.Data.Result {
		name := Name(series.Metric)
		for _, sample := range series.Values {
			stored.AddNamed(name, sample.timestamp, sample.value)
		}
	}
	return &stored, nil
}

// pair is a sample as the query API writes it: [1700000000.123,"1.5"], of which there
// may be millions.
type pair struct {
	timestamp int64 // Milliseconds since the epoch.
	value     float64
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *pair) UnmarshalJSON(text []byte) error {
	at, value, found := strings.Cut(strings.Trim(string(text), "[]"), ",")
	if !found {
		return fmt.Errorf("decoding a sample: %s is no pair", text)
	}
	seconds, err := strconv.ParseFloat(at, 64)
	if err != nil {
		return fmt.Errorf("decoding the timestamp of a sample: %w", err)
	}
	p.timestamp = int64(math.Round(seconds * 1000))
	if p.value, err = strconv.ParseFloat(strings.Trim(value, `"`), 64); err != nil {
		return fmt.Errorf("decoding the value of a sample: %w", err)
	}
	return nil
}

// readExport reads VictoriaMetrics' raw samples, after having it make visible what
// it has just taken.
func readExport(ctx context.Context, root string) (*Ledger, error) {
	flushed, err := get(ctx, root+"/internal/force_flush")
	if err != nil {
		return nil, err
	}
	_ = flushed.Close() // Nothing is read from it.
	body, err := get(ctx, root+"/api/v1/export?"+url.Values{"match[]": {`{__name__!=""}`}}.Encode())
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var stored Ledger
	for lines := json.NewDecoder(bufio.NewReader(body)); ; {
		var series struct {
			Metric     map[string]string
			Values     []float64
			Timestamps []int64
		}
		if err := lines.Decode(&series); err == io.EOF {
			return &stored, nil
		} else if err != nil {
			return nil, fmt.Errorf("decoding an export: %w", err)
		}
		name := Name(series.Metric)
		for i, timestamp := range series.Timestamps {
			stored.AddNamed(name, timestamp, series.Values[i])
		}
	}
}

// get returns the body of a good answer; the caller closes it.
func get(ctx context.Context, address string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", address, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", address, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", address, err)
	}
	return nil, fmt.Errorf("asking %s: %s: %s", address, resp.Status, text)
}
