package receiver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// post sends one sample of a series now, and is done when the answer is there or
// the sender has given up.
func post(ctx context.Context, t *testing.T, r *Receiver, metric string) {
	t.Helper()
	s := sent{labels: []string{"__name__", metric}, points: []Point{{Timestamp: time.Now().UnixMilli(), Value: 1}}}
	req := request(t, V1, encodeV1(t, []sent{s})).WithContext(ctx) // It replaces the test's.
	resp, err := r.RoundTripper().RoundTrip(req)
	if err == nil {
		require.NoError(t, resp.Body.Close())
	}
}

func slow(*Request) Answer { return Answer{Before: time.Second} }

func TestOneSeriesInTwoRequestsAtOnceIsAViolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Config{Hook: slow})
		var group sync.WaitGroup
		for _, metric := range []string{"a", "b", "a"} {
			group.Go(func() { post(t.Context(), t, r, metric) })
			synctest.Wait()
		}
		group.Wait()
		require.Equal(t, []string{"request 3: series " + name("a") + " is in flight with request 1"}, r.Violations())
		require.Equal(t, 3, r.MaxInFlight())
		require.Equal(t, 0, r.InFlight())
	})
}

// The receiver waits a moment before it reports an overlap; the earlier request
// being answered meanwhile is no excuse.
func TestAnOverlapThatEndsSoonIsAViolationToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Config{Hook: slow})
		var group sync.WaitGroup
		group.Go(func() { post(t.Context(), t, r, "a") })
		time.Sleep(time.Second - grace/2)
		group.Go(func() { post(t.Context(), t, r, "a") })
		group.Wait()
		require.Len(t, r.Violations(), 1)
	})
}

func TestSeriesOneAfterTheOtherAreNoViolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Config{Hook: slow})
		for range 3 {
			post(t.Context(), t, r, "a")
		}
		require.Empty(t, r.Violations())
		require.Equal(t, 1, r.MaxInFlight())
	})
}

func TestASenderThatGaveUpMaySendAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := New(Config{Hook: func(q *Request) Answer {
			if q.Number == 1 {
				<-release
			}
			return Answer{}
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		post(ctx, t, r, "a")
		post(t.Context(), t, r, "a")
		require.Equal(t, 2, r.MaxInFlight(), "the first is still being dealt with")
		close(release)
		synctest.Wait()
		require.Empty(t, r.Violations())
	})
}

// Over a socket the server learns later than the sender that the sender has hung
// up.
func TestASenderThatHungUpMaySendAgainAtOnce(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan struct{}, 1)
	r := New(Config{Now: clock, Hook: func(q *Request) Answer {
		if q.Number == 1 {
			arrived <- struct{}{}
			<-release
		}
		return Answer{}
	}})
	server := httptest.NewServer(r)
	defer server.Close()
	do := func(ctx context.Context) {
		req := request(t, V1, encodeV1(t, []sent{series("a", 0, 1)})).WithContext(ctx) // It replaces the test's.
		req.URL.Host = server.Listener.Addr().String()
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	do(ctx)
	do(t.Context())
	close(release)
	require.Empty(t, r.Violations())
	require.Len(t, r.Requests(), 2)
}

func TestForgettingKeepsNoLog(t *testing.T) {
	r := New(Config{Now: clock, Forget: true})
	require.Equal(t, 204, send(t, r, V1, series("a", 0, 1)).status)
	require.Empty(t, r.Requests())
	require.Len(t, r.Samples(), 1)
}
