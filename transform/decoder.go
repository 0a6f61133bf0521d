package transform

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// treeDecoder decodes a record's value into a tree of Go values: nil, bool, int,
// int32, int64, float32, float64, string, []byte, time.Time for instants and
// dates, time.Duration, json.Number or *big.Rat for decimals, []any, and
// map[string]any for records and maps. A union is the value of its branch.
//
// The tree may alias the record. The mapper is done with it before the next call,
// and never changes it. One goroutine calls at a time.
type treeDecoder interface {
	// decodeTree returns a *decodeError where the record is at fault, and a
	// *RetryError where it cannot be judged now; nothing else.
	decodeTree(rec *kgo.Record) (any, error)
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
func newDecoder(cfg *Config, schemas *Schemas) (treeDecoder, error) {
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
