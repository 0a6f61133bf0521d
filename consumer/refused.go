package consumer

import (
	"fmt"
	"strings"

	"github.com/kafka2prom/kafka2prom/transform"
)

// The values of on_error.
const (
	onErrorDeadLetter = "dead_letter"
	onErrorSkip       = "skip"
	onErrorStop       = "stop"
)

const isolationUncommitted = "read_uncommitted"

// RefusedError stops a pipeline under on_error: stop. It names the record and
// says why; everything before the record has landed and is committed.
type RefusedError struct {
	Topic     string
	Partition int32
	Offset    int64
	Refusals  []transform.Refusal
}

func refusedError(refusals []transform.Refusal) *RefusedError {
	rec := refusals[0].Record
	return &RefusedError{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Refusals: append([]transform.Refusal(nil), refusals...)}
}

// Error names the record and every refusal.
func (e *RefusedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "stopping at topic %s partition %d offset %d, because on_error is stop", e.Topic, e.Partition, e.Offset)
	for _, r := range e.Refusals {
		fmt.Fprintf(&b, "; %s: %s: %s", r.Stage, r.Reason, r.Text)
	}
	return b.String()
}
