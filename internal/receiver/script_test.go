package receiver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

func TestAHookAnswersInsteadOfTheReceiver(t *testing.T) {
	r := New(Config{Now: clock, Hook: func(q *Request) Answer {
		if q.Number == 1 {
			return Answer{Status: 503, Header: http.Header{"Retry-After": {"7"}}, Body: "later"}
		}
		return Answer{}
	}})
	resp, err := r.RoundTripper().RoundTrip(request(t, V1, encodeV1(t, []sent{series("a", 0, 1)})))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 503, resp.StatusCode)
	require.Equal(t, "7", resp.Header.Get("Retry-After"))
	require.Empty(t, r.Samples())

	require.Equal(t, 204, send(t, r, V1, series("a", 0, 1)).status)
	require.Len(t, r.Samples(), 1)
	require.Equal(t, []int{503, 204}, []int{r.Requests()[0].Status, r.Requests()[1].Status})
	require.Equal(t, []int{0, 1}, []int{r.Requests()[0].Written, r.Requests()[1].Written})
}

func TestAHookAddsHeadersToTheReceiversAnswer(t *testing.T) {
	r := New(Config{Now: clock})
	r.SetHook(func(*Request) Answer { return Answer{Header: http.Header{"X-Node": {"1"}}} })
	resp, err := r.RoundTripper().RoundTrip(request(t, V2, encodeV2(t, []sent{series("a", 0, 1)})))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "1", resp.Header.Get("X-Node"))
	require.Equal(t, "1", resp.Header.Get("X-Prometheus-Remote-Write-Samples-Written"))
}

func TestAHookStoresAndAnswersAnError(t *testing.T) {
	r := New(Config{Now: clock, Hook: func(*Request) Answer { return Answer{Status: 500, Store: true} }})
	require.Equal(t, 500, send(t, r, V1, series("a", 0, 1)).status)
	require.Equal(t, []float64{0, 1}, stored(r)[name("a")])
	require.Equal(t, 1, r.Requests()[0].Written)
}

func TestADroppedConnectionHasNoAnswer(t *testing.T) {
	for _, store := range []bool{false, true} {
		r := New(Config{Now: clock, Hook: func(*Request) Answer { return Answer{Drop: true, Store: store} }})
		server := httptest.NewServer(r)
		inMemory := r.RoundTripper()
		for i, transport := range []http.RoundTripper{inMemory, server.Client().Transport} {
			req := request(t, V1, encodeV1(t, []sent{series("a", float64(i), 1)}))
			if i == 1 {
				req.URL.Host = server.Listener.Addr().String()
			}
			resp, err := transport.RoundTrip(req)
			if err == nil {
				require.NoError(t, resp.Body.Close())
			}
			require.ErrorIs(t, err, map[int]error{0: io.ErrUnexpectedEOF, 1: io.EOF}[i])
		}
		server.Close()
		require.Equal(t, store, len(r.Samples()[name("a")]) == 2)
		require.Equal(t, 0, r.Requests()[1].Status)
		require.Equal(t, 0, r.InFlight())
	}
}

func TestASocketAndTheMemoryGiveTheSameAnswers(t *testing.T) {
	answers := func(transport http.RoundTripper, host string) []string {
		var all []string
		for _, s := range [][]sent{{series("a", 0, 1)}, {series("a", -1, 1), series("b", 0, 1)}, nil} {
			req := request(t, V2, encodeV2(t, s))
			req.URL.Host = host
			resp, err := transport.RoundTrip(req)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			all = append(all, resp.Status, resp.Header.Get("X-Prometheus-Remote-Write-Samples-Written"), string(body))
		}
		return all
	}
	r := New(Config{Now: clock})
	server := httptest.NewServer(r)
	defer server.Close()
	require.Equal(t, answers(New(Config{Now: clock}).RoundTripper(), "receiver"), answers(server.Client().Transport, server.Listener.Addr().String()))
	require.Empty(t, r.Violations())
}

func TestDelaysAreWaitedForBeforeAndAfterTheSamplesAreStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Config{Hook: func(*Request) Answer { return Answer{Before: time.Minute, After: time.Hour} }})
		start := time.Now()
		point := Point{Timestamp: start.UnixMilli(), Value: 1}
		req := request(t, V1, encodeV1(t, []sent{{labels: []string{"__name__", "a"}, points: []Point{point}}}))
		done := make(chan int)
		go func() {
			resp, err := r.RoundTripper().RoundTrip(req)
			if err == nil {
				_ = resp.Body.Close()
				done <- resp.StatusCode
			}
			close(done)
		}()

		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		require.Empty(t, r.Samples())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Len(t, r.Samples(), 1)
		require.Equal(t, 1, r.InFlight())
		require.Equal(t, 204, <-done)
		require.Equal(t, time.Hour+time.Minute, time.Since(start))
	})
}

func TestASenderThatGivesUpIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := New(Config{Hook: func(*Request) Answer {
			<-release
			return Answer{After: time.Hour}
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		point := Point{Timestamp: time.Now().UnixMilli(), Value: 1}
		req := request(t, V1, encodeV1(t, []sent{{labels: []string{"__name__", "a"}, points: []Point{point}}})).WithContext(ctx)
		resp, err := r.RoundTripper().RoundTrip(req)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 1, r.InFlight(), "the receiver is still at it")

		close(release)
		synctest.Wait()
		require.Equal(t, 0, r.InFlight(), "it does not wait for a sender that has left")
		require.Len(t, r.Samples(), 1, "what was sent is stored although nobody hears of it")
	})
}

func TestARequestWhoseSenderHasLeftIsNotSent(t *testing.T) {
	r := New(Config{Now: clock})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	resp, err := r.RoundTripper().RoundTrip(request(t, V1, nil).WithContext(ctx))
	if err == nil {
		require.NoError(t, resp.Body.Close())
	}
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, r.Requests())
}

var errDisk = errors.New("no space left on device")

// failing is a store that fails at the first sample, or at the end.
type failing struct{ atCommit bool }

func (f failing) Appender() Appender { return f }
func (f failing) Rollback() error    { return nil }
func (f failing) Commit() error      { return errDisk }
func (f failing) Append(labels.Labels, int64, float64) error {
	if f.atCommit {
		return nil
	}
	return errDisk
}

func TestAFailureOfTheStoreIsAServerError(t *testing.T) {
	for _, p := range []Protocol{V1, V2} {
		for _, atCommit := range []bool{false, true} {
			r := New(Config{Now: clock, Store: failing{atCommit: atCommit}})
			got := send(t, r, p, series("a", 0, 1))
			require.Equal(t, 500, got.status)
			require.Equal(t, errDisk.Error(), got.body)
			require.Equal(t, 0, r.Requests()[0].Written)
			require.Nil(t, r.Samples(), "the samples are the store's")
		}
	}
}
