package transform

// Series is one label set with everything that is computed from it once. The
// mapper makes it, and finds it again from a record's raw label bytes, so that
// the labels of a known series are never sorted, validated or encoded again.
type Series struct {
	// Encoded holds the labels, sorted by name, as the label fields of a
	// prompb.TimeSeries: what stands in front of its samples on the wire of remote
	// write 1.0.
	Encoded string
	// Hash is xxhash over Encoded. It picks the shard.
	Hash uint64
	// Shard is scratch space of the one writer shard that the series belongs to;
	// nobody else touches it.
	Shard ShardState

	// lastUsed is the number of the last batch that used the series.
	lastUsed uint64
}

// ShardState is what a writer shard keeps with a series.
type ShardState struct {
	// Group is the position of the series in the request that is being built, plus
	// one; 0: it is not in it.
	Group int32
	// Symbols are the label names and values as the shard's remote write 2.0
	// symbols; opaque here. Nil until the shard has needed them.
	Symbols any
}

// Label is a name and a value.
type Label struct{ Name, Value string }
