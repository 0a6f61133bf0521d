package transform

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"go.uber.org/zap"
)

// fakeRegistry is a schema registry that counts requests.
type fakeRegistry struct {
	*srfake.Registry
	asked atomic.Int32
}

func newFakeRegistry(tb testing.TB, opts ...srfake.Option) *fakeRegistry {
	tb.Helper()
	f := &fakeRegistry{Registry: srfake.New(opts...)}
	tb.Cleanup(f.Close)
	f.Intercept(func(http.ResponseWriter, *http.Request) bool {
		f.asked.Add(1)
		return false
	})
	return f
}

// seed stores a schema under an id, as version id of one subject for all.
func (f *fakeRegistry) seed(id int, schema string, refs ...sr.SchemaReference) {
	f.SeedSchema("sensors-value", id, id, sr.Schema{Schema: schema, Type: sr.TypeAvro, References: refs})
}

// seeded refers to what was stored under an id.
func seeded(id int) sr.SchemaReference {
	return sr.SchemaReference{Name: "any", Subject: "sensors-value", Version: id}
}

// answer makes the registry give one answer to requests whose path starts so.
func (f *fakeRegistry) answer(path string, status int, body string) {
	f.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, path) {
			return false
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
		return true
	})
}

func newTestSchemas(tb testing.TB, cfg RegistryConfig) *Schemas {
	tb.Helper()
	s, err := NewSchemas(cfg, zap.NewNop())
	require.NoError(tb, err)
	tb.Cleanup(s.Close)
	return s
}

func registryDecoder(tb testing.TB, cfg RegistryConfig) *oracle {
	tb.Helper()
	d, err := newOracle(AvroConfig{}, avroLimits(), newTestSchemas(tb, cfg))
	require.NoError(tb, err)
	return d
}

// framed puts a schema id in front of a datum.
func framed(id uint32, datum []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), datum...)
}

func requireRetry(tb testing.TB, err error, want string) time.Duration {
	tb.Helper()
	var retry *RetryError
	require.ErrorAs(tb, err, &retry)
	require.ErrorContains(tb, err, want)
	require.Positive(tb, retry.After)
	return retry.After
}

func TestRegistryDecodesASchemaThatChangesInTheMiddleOfATopic(t *testing.T) {
	const wider = `{"type": "record", "name": "Sample", "fields": [
		{"name": "site", "type": ["null", "string"], "default": null}, {"name": "value", "type": "float"}]}`
	reg := newFakeRegistry(t)
	reg.seed(1, sampleSchema)
	reg.seed(2, wider)
	d := registryDecoder(t, RegistryConfig{URL: []string{reg.URL()}})
	for range 3 {
		tree, err := d.decodeTree(&kgo.Record{Value: framed(1, encodeSample(t, 1.5))})
		require.NoError(t, err)
		require.Equal(t, wantSample(1.5), tree)
		tree, err = d.decodeTree(&kgo.Record{Value: framed(2, encode(t, wider, map[string]any{"site": "oslo", "value": float32(2)}))})
		require.NoError(t, err)
		require.Equal(t, map[string]any{"site": "oslo", "value": float32(2)}, tree)
	}
	require.EqualValues(t, 2, reg.asked.Load(), "each schema is asked for once")
}

func TestRegistryRefusesIdsThatItDoesNotKnowWithoutAskingAgain(t *testing.T) {
	reg := newFakeRegistry(t)
	d := registryDecoder(t, RegistryConfig{URL: []string{reg.URL()}})
	for range 3 {
		text := requireRefused(t, d, framed(41, nil), ReasonUnknownSchema)
		require.Equal(t, "the schema registry does not have schema 41: schema not found", text)
	}
	require.EqualValues(t, 1, reg.asked.Load())
}

func TestRegistryIsNotAskedForWhatCannotBeAnId(t *testing.T) {
	reg := newFakeRegistry(t)
	d := registryDecoder(t, RegistryConfig{URL: []string{reg.URL()}})
	text := requireRefused(t, d, framed(1<<31, nil), ReasonUnknownSchema)
	require.Equal(t, "2147483648 cannot be a schema id: they are positive and have 31 bits", text)
	require.Zero(t, reg.asked.Load())
}

func TestRegistryRefusesSchemasThatCannotBeUsed(t *testing.T) {
	reg := newFakeRegistry(t)
	reg.SeedSchema("other", 1, 1, sr.Schema{Schema: `syntax = "proto3"; message M {}`, Type: sr.TypeProtobuf})
	reg.answer("/schemas/ids/2", 200, `{"schema": "{\"type\": \"no-such-type\"}"}`)
	reg.answer("/schemas/ids/3", 200, fmt.Sprintf(`{"schema": %q}`, strings.Repeat(" ", maxSchemaBytes)+`"int"`))
	reg.answer("/schemas/ids/4", 200, fmt.Sprintf(`{"schema": %q}`, strings.Repeat(" ", maxAnswerBytes)+`"int"`))
	reg.answer("/schemas/ids/5", 200, `{"schema": "{\"type\": \"array\", \"items\": \"null\"}"}`)
	reg.answer("/schemas/ids/6", 422, `{"error_code": 42202, "message": "no id"}`)
	d := registryDecoder(t, RegistryConfig{URL: []string{reg.URL()}})
	f := func(id uint32, reason Reason, want string) {
		t.Helper()
		require.Contains(t, requireRefused(t, d, framed(id, nil), reason), want)
	}
	f(1, ReasonNotDecodable, "schema 1: it is of type PROTOBUF, not AVRO")
	f(2, ReasonNotDecodable, "schema 2: parsing the schema: ")
	f(3, ReasonTooLarge, "schema 3: it has 1048581 bytes, more than 1048576")
	f(4, ReasonTooLarge, "schema 4 is larger than 4194304 bytes")
	f(5, ReasonNotDecodable, "schema 5: the schema has an array whose items (null) take no bytes")
	f(6, ReasonUnknownSchema, "the schema registry does not have schema 6: no id")
}

func TestRegistryOutagesAreNeverRefusals(t *testing.T) {
	f := func(status int, body, want string) {
		t.Helper()
		reg := newFakeRegistry(t)
		reg.answer("/", status, body)
		d := registryDecoder(t, RegistryConfig{URL: []string{reg.URL()}})
		_, err := d.decodeTree(&kgo.Record{Value: framed(7, encodeSample(t, 1))})
		after := requireRetry(t, err, "looking up schema 7: ")
		require.ErrorContains(t, err, want)
		require.LessOrEqual(t, after, minRegistryBackoff)

		_, err = d.decodeTree(&kgo.Record{Value: framed(8, nil)})
		requireRetry(t, err, "looking up schema 8: waiting before the schema registry is asked again")
		require.EqualValues(t, 1, reg.asked.Load(), "an outage is no reason to ask more")
	}
	f(500, `{"error_code": 50001, "message": "store"}`, "answers 500 Internal Server Error: store")
	f(503, "<html>busy</html>", "answers 503 Service Unavailable: <html>busy</html>")
	f(429, "", "answers 429 Too Many Requests: no response")
	f(401, `{"error_code": 401, "message": "who?"}`, "answers 401")
	f(403, `{"error_code": 40301, "message": "denied"}`, "answers 403 Forbidden: denied")
	f(404, "<html>no such page</html>", "answers 404 Not Found")
	f(404, `{"error_code": 404, "message": "HTTP 404 Not Found"}`, "answers 404 Not Found")
	f(400, "The plain HTTP request was sent to HTTPS port", "answers 400 Bad Request")
	f(200, "<html>log in here</html>", "unable to decode ok response body")
	f(502, strings.Repeat("x", 5000), "answers 502 Bad Gateway")
}

func TestRegistryThatIsNotThereIsAnOutage(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	d := registryDecoder(t, RegistryConfig{URL: []string{gone.URL}})
	_, err := d.decodeTree(&kgo.Record{Value: framed(7, nil)})
	requireRetry(t, err, "connection refused")
}

func TestRegistryAsksOnceForManyCallers(t *testing.T) {
	reg := newFakeRegistry(t)
	reg.seed(9, sampleSchema)
	release := make(chan struct{})
	reg.Intercept(func(http.ResponseWriter, *http.Request) bool {
		<-release
		return false
	})
	s := newTestSchemas(t, RegistryConfig{URL: []string{reg.URL()}})
	found := make([]*avroSchema, 20)
	var wg sync.WaitGroup
	for i := range found {
		wg.Go(func() { found[i], _ = s.find(context.Background(), 9) })
	}
	require.Eventually(t, func() bool { return reg.asked.Load() == 1 }, 10*time.Second, time.Millisecond)
	close(release)
	wg.Wait()
	for _, schema := range found {
		require.NotNil(t, schema)
		require.Same(t, found[0], schema)
	}
	require.EqualValues(t, 1, reg.asked.Load())
}

func TestRegistryCallersMayLeave(t *testing.T) {
	reg := newFakeRegistry(t)
	reg.seed(9, sampleSchema)
	release := make(chan struct{})
	reg.Intercept(func(http.ResponseWriter, *http.Request) bool {
		<-release
		return false
	})
	s := newTestSchemas(t, RegistryConfig{URL: []string{reg.URL()}})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.find(ctx, 9)
	var retry *RetryError
	require.ErrorAs(t, err, &retry)
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	schema, err := s.find(context.Background(), 9)
	require.NoError(t, err)
	require.NotNil(t, schema)
}

func TestRegistryCloseEndsLookUps(t *testing.T) {
	reg := newFakeRegistry(t)
	release, waiting := make(chan struct{}), make(chan struct{})
	reg.Intercept(func(http.ResponseWriter, *http.Request) bool {
		close(waiting)
		<-release
		return false
	})
	defer close(release)
	s := newTestSchemas(t, RegistryConfig{URL: []string{reg.URL()}})
	go func() {
		<-waiting
		s.Close()
	}()
	_, err := s.find(context.Background(), 9)
	requireRetry(t, err, "context canceled")
}

func TestRegistryKeepsTheSchemasThatWereUsedLast(t *testing.T) {
	reg := newFakeRegistry(t)
	for id := 1; id <= 4; id++ {
		reg.seed(id, fmt.Sprintf(`{"type": "fixed", "name": "F", "size": %d}`, id))
	}
	s := newTestSchemas(t, RegistryConfig{URL: []string{reg.URL()}, MaxSchemas: 2})
	f := func(id uint32, asked int32) {
		t.Helper()
		schema, err := s.find(context.Background(), id)
		require.NoError(t, err)
		require.Equal(t, int(id), schema.schema.Root().Size)
		require.Equal(t, asked, reg.asked.Load())
		require.LessOrEqual(t, len(s.known), 2)
	}
	f(1, 1)
	f(2, 2)
	f(1, 2)
	f(3, 3) // 2 is the least used.
	f(1, 3)
	f(2, 4)
	f(3, 5)
}

func TestRegistryUnknownIdsAreBoundedAndPushOutNoSchema(t *testing.T) {
	reg := newFakeRegistry(t)
	reg.seed(1, sampleSchema)
	s := newTestSchemas(t, RegistryConfig{URL: []string{reg.URL()}, MaxSchemas: 3})
	_, err := s.find(context.Background(), 1)
	require.NoError(t, err)
	for id := uint32(100); id < 120; id++ {
		_, err := s.find(context.Background(), id)
		require.Error(t, err)
		require.LessOrEqual(t, len(s.unknown), 3)
	}
	asked := reg.asked.Load()
	_, err = s.find(context.Background(), 1)
	require.NoError(t, err)
	require.Equal(t, asked, reg.asked.Load())
}
