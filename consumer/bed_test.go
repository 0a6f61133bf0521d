package consumer

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
	"github.com/kafka2prom/kafka2prom/writer"
)

// patience bounds every wait of these tests; what is waited for comes in
// milliseconds.
const patience = 30 * time.Second

const (
	testTopic = "readings"
	deadTopic = "readings.dead"
	testGroup = "kafka2prom-test"
)

// bed is a broker and a receiver, with the real mapper and the real writer
// between them.
type bed struct {
	t        *testing.T
	cluster  *kfake.Cluster
	receiver *receiver.Receiver
	url      *commoncfg.URL
	client   *kgo.Client
	admin    *kadm.Client
	base     time.Time // The time of the first record.
}

func newBed(t *testing.T, partitions int32, cfg receiver.Config) *bed {
	t.Helper()
	t.Parallel() // These tests wait more than they work.
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.SeedTopics(partitions, testTopic),
		kfake.SeedTopics(1, deadTopic),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}),
	)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	recv := receiver.New(cfg)
	server := httptest.NewServer(recv)
	t.Cleanup(server.Close)
	parsed, err := url.Parse(server.URL)
	require.NoError(t, err)
	client, err := kgo.NewClient(
		kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &bed{
		t: t, cluster: cluster, receiver: recv, url: &commoncfg.URL{URL: parsed},
		client: client, admin: kadm.NewClient(client), base: time.Now().Add(-50 * time.Minute).Truncate(time.Second),
	}
}

// reading is a record of one sample: series s, one second after another.
func (b *bed) reading(partition int32, series string, second int) *kgo.Record {
	at := b.base.Add(time.Duration(second) * time.Second)
	return &kgo.Record{
		Topic: testTopic, Partition: partition, Timestamp: at,
		Value: fmt.Appendf(nil, `{"s":%q,"v":%d,"t":%d}`, series, second, at.UnixMilli()),
	}
}

func (b *bed) produce(records ...*kgo.Record) {
	b.t.Helper()
	require.NoError(b.t, b.client.ProduceSync(context.Background(), records...).FirstErr())
}

// produceReadings produces n seconds of one series to a partition.
func (b *bed) produceReadings(partition int32, series string, from, n int) {
	b.t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = b.reading(partition, series, from+i)
	}
	b.produce(records...)
}

// committed is the group's committed offset of a partition; -1: none.
func (b *bed) committed(partition int32) int64 {
	b.t.Helper()
	offsets, err := b.admin.FetchOffsets(context.Background(), testGroup)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return -1
	}
	require.NoError(b.t, err)
	if o, ok := offsets.Lookup(testTopic, partition); ok {
		return o.At
	}
	return -1
}

func (b *bed) awaitCommitted(partition int32, offset int64) {
	b.t.Helper()
	b.eventually(func() bool { return b.committed(partition) == offset }, "partition %d is committed at %d", partition, offset)
}

func (b *bed) eventually(ok func() bool, what string, args ...any) {
	b.t.Helper()
	require.Eventually(b.t, ok, patience, 5*time.Millisecond, append([]any{what}, args...)...)
}

// stored are the points of a series.
func (b *bed) stored(series string) []receiver.Point {
	return b.receiver.Samples()[`{__name__="reading", s=`+strconv.Quote(series)+`}`]
}

// requireStored checks that a series has exactly the seconds from..from+n-1.
func (b *bed) requireStored(series string, from, n int) {
	b.t.Helper()
	points := b.stored(series)
	require.Equal(b.t, n, len(points), "points of series %s", series) //nolint:testifylint // Len would print them all.
	for i, p := range points {
		require.Equal(b.t, b.base.Add(time.Duration(from+i)*time.Second).UnixMilli(), p.Timestamp)
		require.InDelta(b.t, from+i, p.Value, 0)
	}
}

// member is one running consumer.
type member struct {
	bed      *bed
	consumer *Consumer
	registry *prometheus.Registry
	logs     *observer.ObservedLogs
	cancel   context.CancelFunc
	done     chan struct{}
	err      error
}

// settings are what a test may change before a member starts.
type settings struct {
	consumer Config
	writer   writer.Config
	mapping  transform.Config
	options  Options
	mapper   mapper // Nil: the real one.
}

func (b *bed) defaults() settings {
	s := settings{
		consumer: Config{
			Topics: []string{testTopic}, Group: testGroup, OnError: onErrorDeadLetter,
			DeadLetter:     &DeadLetterConfig{Topic: deadTopic},
			CommitInterval: 100 * time.Millisecond, HeartbeatInterval: 50 * time.Millisecond,
			Batch:           BatchConfig{MaxSamples: 1000, MaxAge: 20 * time.Millisecond, MaxBytes: 32 << 20},
			ShutdownTimeout: 5 * time.Second,
		},
		writer: writer.Config{
			RemoteWrite: writer.RemoteWriteConfig{URL: b.url, RemoteTimeout: patience},
			MaxSamples:  1000, Shards: 2,
			Retry: writer.RetryConfig{MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond},
		},
		mapping: transform.Config{
			Format: "json",
			Samples: []transform.Rule{{
				Name: "reading", Value: "v", Timestamp: transform.TimestampSpec{Path: "t"},
				Labels: map[string]transform.LabelSpec{"s": {Path: "s"}},
			}},
		},
	}
	s.consumer.SetDefaults("test")
	s.writer.SetDefaults()
	s.options = Options{
		Pipeline: "test", Version: "1.2.3", CountPossiblyStored: true,
		Kafka:         KafkaConfig{Brokers: b.cluster.ListenAddrs(), FetchMaxWait: 20 * time.Millisecond, MetadataMaxAge: time.Second},
		ClientOptions: []kgo.Opt{kgo.MetadataMinAge(20 * time.Millisecond)},
	}
	s.options.Kafka.SetDefaults()
	return s
}

// start runs a member until the test ends or stop is called.
func (b *bed) start(change ...func(*settings)) *member {
	b.t.Helper()
	s := b.defaults()
	for _, f := range change {
		f(&s)
	}
	m := &member{bed: b, registry: prometheus.NewRegistry(), done: make(chan struct{})}
	core, logs := observer.New(zap.DebugLevel)
	m.logs = logs
	s.options.Logger, s.options.Registerer = zap.New(core), m.registry
	if s.mapper == nil {
		mapper, err := transform.NewMapper(s.mapping, transform.Options{})
		require.NoError(b.t, err)
		s.mapper = mapper
	}
	w, err := writer.New(s.writer, writer.Options{Registerer: m.registry, Logger: zap.New(core), Version: "1.2.3"})
	require.NoError(b.t, err)
	s.options.Mapper, s.options.Writer = s.mapper, w
	s.options.BatchSamples = s.writer.Shards * s.writer.MaxSamples
	m.consumer, err = New(s.consumer, s.options)
	require.NoError(b.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go func() {
		defer close(m.done)
		m.err = m.consumer.Run(ctx)
	}()
	b.t.Cleanup(func() {
		m.cancel()
		<-m.done
		if b.t.Failed() {
			b.t.Log("the member ended with", m.err)
			for _, entry := range logs.All() {
				b.t.Log(entry.Level, entry.Message, entry.ContextMap())
			}
		}
	})
	return m
}

// deadLetters reads the whole dead-letter topic.
func (b *bed) deadLetters() []*kgo.Record {
	b.t.Helper()
	ends, err := b.admin.ListEndOffsets(context.Background(), deadTopic)
	require.NoError(b.t, err)
	end, _ := ends.Lookup(deadTopic, 0)
	client, err := kgo.NewClient(
		kgo.SeedBrokers(b.cluster.ListenAddrs()...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{deadTopic: {0: kgo.NewOffset().AtStart()}}),
	)
	require.NoError(b.t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var records []*kgo.Record
	for int64(len(records)) < end.Offset && ctx.Err() == nil {
		records = append(records, client.PollFetches(ctx).Records()...)
	}
	return records
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// gate holds requests up until it is opened.
type gate struct {
	once   sync.Once
	opened chan struct{}
}

func newGate() *gate { return &gate{opened: make(chan struct{})} }

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

// hook lets empty requests (the question for the protocol) through.
func (g *gate) hook(q *receiver.Request) receiver.Answer {
	if q.Samples > 0 {
		<-g.opened
	}
	return receiver.Answer{}
}
