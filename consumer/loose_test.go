package consumer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/transform"
	"github.com/kafka2prom/kafka2prom/writer"
)

// loose is a consumer without a broker, a receiver and a clock: a test moves it
// step by step.
type loose struct {
	*Consumer
	sink  *shelf
	marks *notedMarks
	stops []error // The causes with which the consumer has stopped itself.
}

// shelf is a sink that delivers nothing by itself.
type shelf struct {
	submitted []*writer.Batch
	fences    int
	idle      bool
	failed    chan struct{}
}

func (s *shelf) Submit(b *writer.Batch)  { s.submitted = append(s.submitted, b) }
func (s *shelf) Fence()                  { s.fences++ }
func (s *shelf) Idle() bool              { return s.idle }
func (s *shelf) Drain(context.Context)   {}
func (s *shelf) Failed() <-chan struct{} { return s.failed }
func (s *shelf) Err() error              { return nil }

// literal is a mapper that gives a sample for each record, at the record's time.
type literal struct{}

func (literal) Landed(uint64) {}

func (literal) Apply(rec *kgo.Record, _ uint64, out *transform.Output) (transform.Verdict, error) {
	if rec.Value == nil {
		out.Filtered = transform.ReasonTombstone
		return transform.Filtered, nil
	}
	at := rec.Timestamp.UnixMilli()
	out.Samples = append(out.Samples, transform.Sample{Record: rec, Timestamp: at})
	out.MaxTimestamp = at
	return transform.Mapped, nil
}

// notedMarks keeps what was marked, in the order in which it was.
type notedMarks struct {
	all []map[partition]kgo.EpochOffset
}

func (n *notedMarks) MarkCommitOffsets(marks map[string]map[int32]kgo.EpochOffset) {
	flat := map[partition]kgo.EpochOffset{}
	for topic, of := range marks {
		for id, at := range of {
			flat[partition{topic, id}] = at
		}
	}
	n.all = append(n.all, flat)
}

// last is the mark of a partition that counts; -1: none.
func (n *notedMarks) last(p partition) int64 {
	for _, marks := range slices.Backward(n.all) {
		if at, ok := marks[p]; ok {
			return at.Offset
		}
	}
	return -1
}

func newLoose(t *testing.T, change ...func(*Config, *Options)) *loose {
	t.Helper()
	cfg := Config{Topics: []string{testTopic}, Batch: BatchConfig{MaxBytes: 1 << 30, InFlight: 8}}
	cfg.SetDefaults("test")
	l := &loose{sink: &shelf{failed: make(chan struct{})}, marks: &notedMarks{}}
	opts := Options{
		Pipeline: "test", Version: "1.2.3", Kafka: KafkaConfig{Brokers: []string{"127.0.0.1:1"}},
		Mapper: literal{}, Writer: l.sink, BatchSamples: 1 << 20,
		Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(),
	}
	opts.Kafka.SetDefaults()
	for _, f := range change {
		f(&cfg, &opts)
	}
	c, err := New(cfg, opts)
	require.NoError(t, err)
	l.Consumer = c
	c.marks = l.marks
	c.stop = func(err error) { l.stops = append(l.stops, err) }
	c.client, err = kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"))
	require.NoError(t, err)
	t.Cleanup(c.client.Close)
	t.Cleanup(c.side.Close)
	return l
}

// assign gives the consumer partitions of the test topic.
func (l *loose) assign(ids ...int32) {
	l.assigned(context.Background(), l.client, map[string][]int32{testTopic: ids})
}

func (l *loose) lease(id int32) *lease { return l.leases[partition{testTopic, id}] }

// poll brings the seconds from..to-1 of a partition, one record a second, at the
// offset of the same number.
func (l *loose) poll(id int32, from, to int) {
	f := kgo.FetchPartition{Partition: id, HighWatermark: int64(to), LastStableOffset: int64(to)}
	for s := from; s < to; s++ {
		f.Records = append(f.Records, looseRecord(id, s))
	}
	l.feed(f)
}

func looseRecord(id int32, second int) *kgo.Record {
	return &kgo.Record{
		Topic: testTopic, Partition: id, Offset: int64(second), LeaderEpoch: 3, Value: []byte("x"),
		Timestamp: time.Unix(int64(1_700_000_000+second), 0),
	}
}

// feed takes a poll in, with a slot, as the loop does.
func (l *loose) feed(partitions ...kgo.FetchPartition) { l.feedTopic(testTopic, partitions...) }

func (l *loose) feedTopic(name string, partitions ...kgo.FetchPartition) {
	if l.slotGone() {
		l.slots <- struct{}{}
	}
	topic := kgo.FetchTopic{Topic: name, Partitions: partitions}
	l.intake(context.Background(), kgo.Fetches{{Topics: []kgo.FetchTopic{topic}}})
}

// mappedOffsets are the offsets of a partition in all batches, in the order of mapping.
func (l *loose) mappedOffsets(id int32) (offsets []int64) {
	batches := slices.Clone(l.inFlight)
	if l.open != nil {
		batches = append(batches, l.open)
	}
	for _, b := range batches {
		for _, s := range b.out.Samples {
			if s.Record.Partition == id {
				offsets = append(offsets, s.Record.Offset)
			}
		}
	}
	return offsets
}

// paused are the partitions of the test topic that the client does not fetch.
func (l *loose) paused() []int32 {
	ids := l.client.PauseFetchPartitions(nil)[testTopic]
	slices.Sort(ids)
	return ids
}

// verdicts are what a test says about a batch in place of the writer.
type verdicts struct {
	landed    chan struct{}
	refused   []transform.Refusal
	abandoned []*kgo.Record
}

func (v *verdicts) Landed() <-chan struct{}      { return v.landed }
func (v *verdicts) Refused() []transform.Refusal { return v.refused }
func (v *verdicts) Abandoned() []*kgo.Record     { return v.abandoned }

// landing are the verdicts on a batch that has landed.
func landing() *verdicts {
	v := &verdicts{landed: make(chan struct{})}
	close(v.landed)
	return v
}

// settleNext settles the oldest batch in flight by these verdicts.
func (l *loose) settleNext(v *verdicts) {
	b := <-l.settling
	b.written = v
	l.settle(context.Background(), b)
}

func (l *loose) requireBalanced(t require.TestingT) {
	n := l.ledger.snapshot()
	require.Equal(t, n.consumed, n.written+n.deadLettered+n.filteredTotal()+n.abandoned+n.inFlight, "%+v", n)
	for what, count := range map[string]int64{"written": n.written, "dead-lettered": n.deadLettered, "abandoned": n.abandoned, "in flight": n.inFlight} {
		require.GreaterOrEqual(t, count, int64(0), what)
	}
	for reason, count := range maps.All(n.filtered) {
		require.GreaterOrEqual(t, count, int64(0), fmt.Sprint(reason))
	}
}
