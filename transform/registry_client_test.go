package transform

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

func TestRegistryResolvesReferences(t *testing.T) {
	const (
		unit  = `{"type": "enum", "name": "com.plant.Unit", "symbols": ["C", "F"]}`
		value = `{"type": "record", "name": "com.plant.Value", "fields": [{"name": "unit", "type": "com.plant.Unit"}, {"name": "v", "type": "double"}]}`
		place = `{"type": "record", "name": "com.plant.Place", "fields": [{"name": "unit", "type": "Unit"}]}`
		all   = `{"type": "record", "name": "com.plant.Reading", "fields": [{"name": "value", "type": "com.plant.Value"}, {"name": "place", "type": "Place"}]}`
		whole = `{"type": "record", "name": "R", "fields": [
			{"name": "value", "type": {"type": "record", "name": "V", "fields": [{"name": "unit", "type": ` + unit + `}, {"name": "v", "type": "double"}]}},
			{"name": "place", "type": {"type": "record", "name": "P", "fields": [{"name": "unit", "type": "com.plant.Unit"}]}}]}`
	)
	reg := newFakeRegistry(t)
	reg.seed(1, unit)
	reg.seed(2, value, seeded(1))
	reg.seed(3, place, seeded(1))
	reg.seed(4, all, seeded(2), seeded(3))
	reading := map[string]any{"value": map[string]any{"unit": "F", "v": 2.5}, "place": map[string]any{"unit": "C"}}

	d := registryDecoder(t, RegistryConfig{URL: []string{reg.URL()}})
	tree, err := d.decodeTree(&kgo.Record{Value: framed(4, encode(t, whole, reading))})
	require.NoError(t, err)
	require.Equal(t, reading, tree)
	require.EqualValues(t, 4, reg.asked.Load(), "what two schemas refer to is asked for once")
}

func TestRegistryReferencesThatCannotBeUsed(t *testing.T) {
	// Any version of any subject refers to the two next ones.
	chain := func(w http.ResponseWriter, r *http.Request) bool {
		var subject string
		var version int
		if n, _ := fmt.Sscanf(r.URL.Path, "/subjects/%1s/versions/%d", &subject, &version); n != 2 {
			return false
		}
		_, _ = fmt.Fprintf(w, `{"schema": "{\"type\": \"fixed\", \"name\": \"F%d\", \"size\": 1}", "references": [{"subject": %q, "version": %d}]}`, version, subject, version+1)
		return true
	}
	reg := newFakeRegistry(t)
	reg.Intercept(chain)
	reg.answer("/schemas/ids/1", 200, `{"schema": "\"int\"", "references": [{"name": "x", "subject": "gone", "version": 3}]}`)
	reg.answer("/schemas/ids/2", 200, `{"schema": "\"int\"", "references": [{"name": "x", "subject": "c", "version": 1}]}`)
	var many []string
	for i := range maxReferences + 1 {
		many = append(many, fmt.Sprintf(`{"subject": "leaf", "version": %d}`, i+1))
	}
	reg.answer("/schemas/ids/3", 200, `{"schema": "\"int\"", "references": [`+strings.Join(many, ",")+`]}`)
	reg.answer("/subjects/leaf/", 200, `{"schema": "\"int\""}`)
	reg.answer("/schemas/ids/4", 200, `{"schema": "\"int\"", "references": [{"subject": "self", "version": 1}]}`)
	reg.answer("/subjects/self/", 200, `{"schema": "\"int\"", "references": [{"subject": "self", "version": 1}]}`)
	reg.answer("/schemas/ids/5", 200, `{"schema": "\"int\"", "references": [{"subject": "proto", "version": 1}]}`)
	reg.answer("/subjects/proto/", 200, `{"schema": "", "schemaType": "PROTOBUF"}`)
	reg.answer("/schemas/ids/6", 200, `{"schema": "\"int\"", "references": [{"subject": "down", "version": 1}]}`)
	reg.answer("/subjects/down/", 503, ``)

	d := registryDecoder(t, RegistryConfig{URL: []string{reg.URL()}})
	f := func(id uint32, reason Reason, want string) {
		t.Helper()
		require.Equal(t, want, requireRefused(t, d, framed(id, []byte{2}), reason))
	}
	f(1, ReasonUnknownSchema, `schema 1: the schema registry does not have version 3 of subject "gone", which it needs: version 3 not found for "gone"`)
	f(2, ReasonTooLarge, "schema 2: its references are nested deeper than 20")
	f(3, ReasonTooLarge, "schema 3: it refers to more than 100 others")
	f(5, ReasonNotDecodable, "schema 5: it is of type PROTOBUF, not AVRO")
	tree, err := d.decodeTree(&kgo.Record{Value: framed(4, []byte{2})})
	require.NoError(t, err, "a reference to itself is no harm")
	require.Equal(t, int32(1), tree)
	_, err = d.decodeTree(&kgo.Record{Value: framed(6, []byte{2})})
	requireRetry(t, err, "answers 503")
}

func TestRegistryReferencesToDeletedVersionsAreFound(t *testing.T) {
	reg := newFakeRegistry(t)
	reg.answer("/schemas/ids/1", 200, `{"schema": "\"Deleted\"", "references": [{"subject": "old", "version": 1}]}`)
	reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/subjects/old/versions/1" || r.URL.Query().Get("deleted") != "true" {
			return false
		}
		_, _ = w.Write([]byte(`{"schema": "{\"type\": \"enum\", \"name\": \"Deleted\", \"symbols\": [\"A\"]}"}`))
		return true
	})
	d := registryDecoder(t, RegistryConfig{URL: []string{reg.URL()}})
	tree, err := d.decodeTree(&kgo.Record{Value: framed(1, []byte{0})})
	require.NoError(t, err)
	require.Equal(t, "A", tree)
}

func TestRegistryFailsOverToTheNextURL(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	down, behind, up := newFakeRegistry(t), newFakeRegistry(t), newFakeRegistry(t)
	down.answer("/", 503, "")
	up.seed(1, sampleSchema)
	up.seed(2, `"int"`)
	d := registryDecoder(t, RegistryConfig{URL: []string{gone.URL, down.URL(), behind.URL(), up.URL()}})

	tree, err := d.decodeTree(&kgo.Record{Value: framed(1, encodeSample(t, 3))})
	require.NoError(t, err)
	require.Equal(t, wantSample(3), tree)
	require.EqualValues(t, 1, down.asked.Load())
	require.EqualValues(t, 1, behind.asked.Load(), "one that does not know the id may be behind")

	_, err = d.decodeTree(&kgo.Record{Value: framed(2, []byte{2})})
	require.NoError(t, err)
	require.EqualValues(t, 1, down.asked.Load(), "the one that answered last is asked first")

	requireRefused(t, d, framed(3, nil), ReasonUnknownSchema)
}

func TestRegistryOutageNamesEveryURL(t *testing.T) {
	first, second := newFakeRegistry(t), newFakeRegistry(t)
	first.answer("/", 503, "")
	second.answer("/", 401, "")
	s := newTestSchemas(t, RegistryConfig{URL: []string{first.URL(), second.URL()}})
	_, err := s.find(context.Background(), 1)
	requireRetry(t, err, first.URL()+" answers 503 Service Unavailable")
	require.ErrorContains(t, err, second.URL()+" answers 401")
}

func TestRegistryURLsMayHaveAPath(t *testing.T) {
	reg := newFakeRegistry(t)
	reg.seed(1, `"int"`)
	front := httptest.NewServer(http.StripPrefix("/registry", reg.Handler()))
	defer front.Close()
	s := newTestSchemas(t, RegistryConfig{URL: []string{front.URL + "/registry/"}})
	_, err := s.find(context.Background(), 1)
	require.NoError(t, err)
}

func TestRegistryFollowsRedirectsToItselfAlone(t *testing.T) {
	other := newFakeRegistry(t)
	other.seed(1, `"int"`)
	reg := newFakeRegistry(t)
	reg.seed(2, `"int"`)
	reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/schemas/ids/1":
			http.Redirect(w, r, other.URL()+r.URL.Path, http.StatusTemporaryRedirect)
		case "/schemas/ids/3":
			http.Redirect(w, r, "/schemas/ids/2", http.StatusTemporaryRedirect)
		case "/schemas/ids/4":
			http.Redirect(w, r, "/schemas/ids/4", http.StatusTemporaryRedirect)
		default:
			return false
		}
		return true
	})
	find := func(follow bool, id uint32) error {
		s := newTestSchemas(t, RegistryConfig{
			URL:              []string{reg.URL()},
			HTTPClientConfig: commoncfg.HTTPClientConfig{FollowRedirects: follow},
		})
		_, err := s.find(context.Background(), id)
		return err
	}
	requireRetry(t, find(true, 1), "answers 307 Temporary Redirect")
	require.Zero(t, other.asked.Load())
	requireRetry(t, find(false, 3), "answers 307 Temporary Redirect")
	require.NoError(t, find(true, 3))
	reg.asked.Store(0)
	requireRetry(t, find(true, 4), "answers 307 Temporary Redirect")
	require.EqualValues(t, maxRedirects+1, reg.asked.Load())
}

func TestRegistryPingTellsWhatIsWrong(t *testing.T) {
	ping := func(urls ...string) error {
		s := newTestSchemas(t, RegistryConfig{URL: urls, Timeout: 5 * time.Second})
		return s.Ping(context.Background())
	}
	empty, full, down, none := newFakeRegistry(t), newFakeRegistry(t), newFakeRegistry(t), newFakeRegistry(t)
	full.SeedSchema("s", 1, 1, sr.Schema{Schema: `"int"`})
	down.answer("/", 503, "")
	none.answer("/", 404, "<html>nothing here</html>")
	require.NoError(t, ping(empty.URL()))
	require.NoError(t, ping(full.URL()))
	err := ping(empty.URL(), down.URL(), none.URL())
	require.ErrorContains(t, err, down.URL()+" answers 503 Service Unavailable")
	require.ErrorContains(t, err, none.URL()+" answers 404 Not Found: <html>nothing here</html>")
	require.NotContains(t, err.Error(), empty.URL())
}
