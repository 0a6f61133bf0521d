package demo

import (
	"slices"

	"github.com/kafka2prom/kafka2prom/transform"
)

// fault is what is wrong with a record of the stream.
type fault string

// The faults, and what must become of a record that has them.
const (
	sound         fault = ""               // Nothing is wrong: stored.
	repeated      fault = "repeated"       // The record before it once more: stored, once.
	truncated     fault = "truncated"      // The value ends in the middle: dead letter.
	unknownSchema fault = "unknown schema" // Avro of a schema that nobody has: dead letter.
	textValue     fault = "text value"     // One of its two values is no number: the other is stored, and a dead letter.
	conflict      fault = "conflict"       // Other values for the time of the record before it: dead letter; the first stay.
	clockReset    fault = "clock reset"    // Years in the past: the receiver refuses it, dead letter.
	clockAhead    fault = "clock ahead"    // An hour in the future: the same.
	noValue       fault = "no value"       // The values are null: filtered.
	tombstone     fault = "tombstone"      // The record has no value at all: filtered.
)

// fate is what becomes of a record.
type fate string

const (
	stored       fate = "stored"
	deadLettered fate = "dead-lettered"
	filtered     fate = "filtered"
)

func (f fault) fate() fate {
	switch f {
	case sound, repeated:
		return stored
	case noValue, tombstone:
		return filtered
	default:
		return deadLettered
	}
}

// explains says whether a dead letter of a record with this fault may have the
// reason. A conflict is found by the writer where both records are in one request,
// else by the receiver.
func (f fault) explains(reason transform.Reason) bool {
	byReceiver := []transform.Reason{transform.ReasonRefused, transform.ReasonPossiblyStored}
	switch f {
	case truncated:
		return reason == transform.ReasonNotDecodable
	case unknownSchema:
		return reason == transform.ReasonUnknownSchema
	case textValue:
		return reason == transform.ReasonNotANumber
	case conflict:
		return reason == transform.ReasonDuplicateTimestamp || slices.Contains(byReceiver, reason)
	case clockReset, clockAhead:
		return slices.Contains(byReceiver, reason)
	default:
		return false
	}
}
