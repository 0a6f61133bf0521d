package transform

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// decoder reads records of another format than JSON. What it finds may alias the
// record, and is valid until the next one is read. One goroutine calls at a time.
type decoder interface {
	// fill reads a record and fills the slots of a plan, which is the same one at each
	// call. It returns a *decodeError where the record is at fault, and a *RetryError
	// where it cannot be judged now; nothing else.
	fill(rec *kgo.Record, into *plan) error
	// appendEntries appends what is in an object, sorted by name, each name once.
	appendEntries(into []entry, object *value) []entry
	// element fills the slots of a plan from the element at a position of an array. It
	// returns the position behind it, or false where there is none.
	element(array *value, at cursor, into *plan) (cursor, bool)
	// appendKey appends bytes that tell an object of scalars from every other that
	// gives other labels.
	appendKey(dst []byte, object *value) []byte
}

// entry is a value in an object, and its name.
type entry struct {
	name  string
	value value
}

// cursor is a position in an array. It starts as its zero value.
type cursor struct {
	pos  int
	left int // In the block of elements at the position.
}

// decodeError refuses a record as a whole.
type decodeError struct {
	Reason Reason
	// Text is for people: printable, and shortened where it quotes the record.
	Text string
	// limit is the one that the record exceeds; empty: none.
	limit limit
}

func (e *decodeError) Error() string { return e.Text }

// newDecoder makes the decoder of the configured format; nil: JSON, which the
// mapper scans itself.
func newDecoder(cfg *Config, schemas *Schemas) (decoder, error) {
	if cfg.Format == formatJSON {
		return nil, nil
	}
	if schemas == nil && cfg.SchemaRegistry != nil {
		return nil, errors.New("making the decoder: the schema registry is configured, but not connected")
	}
	decoder, err := newAvroDecoder(cfg.Avro, cfg.Limits, schemas)
	if err != nil {
		return nil, fmt.Errorf("making the avro decoder: %w", err)
	}
	return decoder, nil
}
