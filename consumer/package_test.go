package consumer

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/twmb/franz-go/pkg/kfake.(*group).manage"),
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"), // Idle connections to the receiver.
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
	)
}
