package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	readyTimeout = 60 * time.Second
	readyPause   = 100 * time.Millisecond
)

// FreeAddresses returns loopback addresses with ports that nobody listens on.
func FreeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It is closed before this returns.
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer l.Close() // Only at the end, so that all of them differ.
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// awaitReady calls probe until it succeeds. It ends early when the process does,
// and the error then has the end of its log.
func (p *Process) awaitReady(probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	done := p.Done()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting %s for %s: %w\n%s", readyTimeout, p.command.Name, err, p.Tail(40))
		case <-done:
			return fmt.Errorf("%s ended with status %d before it was ready\n%s", p.command.Name, p.ExitCode(), p.Tail(40))
		case <-time.After(readyPause):
		}
	}
}

// answers returns a probe that succeeds when a GET gives status 200.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return fmt.Errorf("asking %s: %w", url, err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("asking %s: %w", url, err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return fmt.Errorf("reading the answer of %s: %w", url, err)
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("asking %s: status %s", url, strconv.Itoa(resp.StatusCode))
		}
		return nil
	}
}
