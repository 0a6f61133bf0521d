package transform

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Sample is one point of one series. It is passed by value; Series and Record
// are shared.
type Sample struct {
	// Series is the label set. Two samples belong to the same series if and
	// only if their Series pointers are equal, for as long as either of them
	// is in a batch that has not landed.
	Series *Series
	// Record is the record that the sample was made from. It stays in memory
	// until its batch has landed, so that a dead letter is always whole.
	Record *kgo.Record
	// Timestamp is in milliseconds since the Unix epoch.
	Timestamp int64
	// Value is never a NaN with the bits of the stale marker.
	Value float64
}

// Stage names the part of the pipeline that refused a record or a sample.
type Stage string

// The stages, in the order in which a record passes through them.
const (
	StageDecode Stage = "decode" // The bytes are not what the format promises.
	StageMap    Stage = "map"    // A rule cannot make its sample.
	StageWrite  Stage = "write"  // The receiver refused the sample.
)

// Refusal says that a record, or one sample of it, cannot be delivered. It
// becomes part of the record's one dead letter.
type Refusal struct {
	Record *kgo.Record
	Stage  Stage
	// Reason is one of the Reason constants: a bounded set, used as a metric
	// label.
	Reason Reason
	// Text is for people: the rule, the path, what was found and what was
	// expected; or the receiver's words.
	Text string
	// Rule is the index of the rule in the pipeline's samples, or -1 where the
	// record was refused as a whole.
	Rule int
	// Series, Timestamp and Value tell the refused sample, once it had become
	// one; Series is nil before that.
	Series    *Series
	Timestamp int64
	Value     float64
	// Exact is false where the receiver did not say which samples it refused
	// and this one is only a candidate.
	Exact bool
	// Untried says that the sample was given up together with others that an earlier
	// owner may have stored, and that it may be one that nobody has stored.
	Untried bool
}

// Reason is the machine-readable cause of a refusal or of a filtered record.
type Reason string

// Reasons for which a record or a sample is refused.
const (
	ReasonEmptyValue         Reason = "empty_value"         // The record's value has no bytes.
	ReasonNotDecodable       Reason = "not_decodable"       // The value is not valid in its format.
	ReasonNotAnObject        Reason = "not_an_object"       // The decoded value is no object.
	ReasonUnknownSchema      Reason = "unknown_schema"      // The registry does not know the schema id.
	ReasonMissingField       Reason = "missing_field"       // A required path is not there.
	ReasonWrongType          Reason = "wrong_type"          // A path holds another type than the rule needs.
	ReasonNotANumber         Reason = "not_a_number"        // The value is text, but no number.
	ReasonOutOfRange         Reason = "out_of_range"        // The number overflows a double.
	ReasonBadTimestamp       Reason = "bad_timestamp"       // The timestamp cannot be read.
	ReasonTimestampRange     Reason = "timestamp_range"     // The timestamp is out of the allowed range.
	ReasonNoName             Reason = "no_name"             // The sample has no metric name.
	ReasonBadName            Reason = "bad_name"            // A metric or label name is invalid.
	ReasonBadLabel           Reason = "bad_label"           // A label's value is invalid.
	ReasonDuplicateLabel     Reason = "duplicate_label"     // A label name appears twice.
	ReasonReservedLabel      Reason = "reserved_label"      // A label name starts with two underscores.
	ReasonTooLarge           Reason = "too_large"           // A limit on sizes or counts is exceeded.
	ReasonSeriesLimit        Reason = "series_limit"        // The series is new, and limits.series are in use.
	ReasonDuplicateTimestamp Reason = "duplicate_timestamp" // Another value for the same series and time came first.
	ReasonRefused            Reason = "refused"             // The receiver refused the sample.
	ReasonPossiblyStored     Reason = "possibly_stored"     // The receiver refused what an earlier attempt of ours may have stored.
	ReasonPoison             Reason = "poison"              // The receiver answers 5xx to this sample alone.
	ReasonPanic              Reason = "panic"               // Decoding or mapping panicked: a defect of this program.
)

// Reasons for which a record is filtered: it gives no sample, by a named and
// counted rule, and that is no error.
const (
	ReasonTombstone Reason = "tombstone"   // The record has a null value.
	ReasonNoValue   Reason = "no_value"    // Every rule found its value null or missing.
	ReasonDropped   Reason = "dropped"     // write_relabel_configs dropped every sample of it.
	ReasonOutOfSpan Reason = "out_of_span" // The record's timestamp is outside of --from and --to.
	ReasonSkipped   Reason = "skipped"     // It was refused, and on_error is skip.
)

// Verdict says what became of a record in the mapper.
type Verdict uint8

// The verdicts.
const (
	Mapped   Verdict = iota // It gave at least one sample and no refusal.
	Filtered                // It gave no sample and no refusal.
	Refused                 // It gave at least one refusal, and perhaps samples beside it.
)

// Output collects what a run of records gives. The caller owns it, and may
// reuse its slices after Reset once nothing refers to them any more.
type Output struct {
	Samples []Sample
	Refused []Refusal
	// MaxTimestamp is the greatest timestamp of the samples of the record that was
	// mapped last, in milliseconds; the record's own where it gave none.
	MaxTimestamp int64
	// Dropped counts the samples that write_relabel_configs dropped. They are
	// not in Samples.
	Dropped int
	// Skipped counts rules that found no value (null or missing) and map entries
	// that are no numbers.
	Skipped int
	// Filtered is the reason of the last Filtered verdict.
	Filtered Reason
}

// Reset empties the output and keeps its memory.
func (o *Output) Reset() {
	clear(o.Samples)
	clear(o.Refused)
	*o = Output{Samples: o.Samples[:0], Refused: o.Refused[:0]}
}

// RetryError says that a record cannot be judged now (the schema registry is
// out of reach): nothing was appended, and the record must be mapped again
// later.
type RetryError struct {
	Err   error
	After time.Duration // A hint; 0: the caller's own back-off.
}

func (e *RetryError) Error() string { return e.Err.Error() }
func (e *RetryError) Unwrap() error { return e.Err }
