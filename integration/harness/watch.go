package harness

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// watchInterval is how often committed offsets are looked at.
const watchInterval = 10 * time.Millisecond

// WatchCommits looks at a group's committed offsets until the test ends, and fails
// it where one has gone back: somebody has then committed a partition that was
// another's already.
func (l *Lab) WatchCommits(t *testing.T, group, topic string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	var rewinds []string
	watching.Go(func() { rewinds = l.rewinds(ctx, group, topic) })
	t.Cleanup(func() {
		cancel()
		watching.Wait()
		require.Empty(t, rewinds)
	})
}

// rewinds lists the commits that went back until ctx ends. Answers that fail are
// asked for again: the broker may be down.
func (l *Lab) rewinds(ctx context.Context, group, topic string) (found []string) {
	highest := Offsets{}
	for {
		committed, err := l.Committed(ctx, group, topic)
		if err == nil {
			found = append(found, highest.advance(committed)...)
		}
		select {
		case <-ctx.Done():
			return found
		case <-time.After(watchInterval):
		}
	}
}

// advance takes newer offsets in, and tells which of them are lower than before.
func (o Offsets) advance(newer Offsets) (lower []string) {
	for p, offset := range newer {
		if offset < o[p] {
			lower = append(lower, fmt.Sprintf("partition %d: %d after %d", p, offset, o[p]))
		}
		o[p] = offset
	}
	return lower
}
