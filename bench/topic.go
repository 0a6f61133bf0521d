package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const topicName = "kafka2prom-bench"

// shape is what is measured.
type shape struct {
	records, series, partitions int
	protocol                    string
}

// topic holds the records, and the checksum of the samples that they must give.
type topic struct {
	brokers     []string
	cluster     *kfake.Cluster // Nil with a real broker.
	checksum    uint64
	recordBytes int
}

// newTopic produces the records: a series stays in one partition, and its samples
// are a second apart.
func newTopic(ctx context.Context, s shape, brokers string) (*topic, error) {
	t := &topic{brokers: strings.Split(brokers, ",")}
	if brokers == "" {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
		if err != nil {
			return nil, fmt.Errorf("starting the embedded broker: %w", err)
		}
		t.cluster, t.brokers = cluster, cluster.ListenAddrs()
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(t.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	if err != nil {
		return nil, fmt.Errorf("making the producer: %w", err)
	}
	defer client.Close()
	if err := recreate(ctx, kadm.NewClient(client), s.partitions); err != nil {
		return nil, err
	}
	return t, t.fill(ctx, client, s)
}

func recreate(ctx context.Context, admin *kadm.Client, partitions int) error {
	if _, err := admin.DeleteTopic(ctx, topicName); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("deleting the old topic: %w", err)
	}
	for attempt := 0; ; attempt++ {
		_, err := admin.CreateTopic(ctx, int32(partitions), 1, nil, topicName)
		if err == nil {
			return nil
		}
		if attempt == 50 || !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("creating the topic: %w", err)
		}
		time.Sleep(100 * time.Millisecond) // A broker deletes in the background.
	}
}

func (t *topic) fill(ctx context.Context, client *kgo.Client, s shape) error {
	labels, hashes := make([]string, s.series), make([]uint64, s.series)
	for i := range labels {
		set := [][2]string{
			{"__name__", fmt.Sprintf("load_metric_%d_total", i%100)},
			{"env", []string{"prod", "staging"}[i%2]},
			{"host", fmt.Sprintf("host-%04d", i/100)},
			{"instance", fmt.Sprintf("10.0.%d.%d:9100-%d", i/250%250, i%250, i)},
			{"job", fmt.Sprintf("job-%d", i%17)},
			{"region", []string{"eu-west-1", "us-east-1", "ap-south-1"}[i%3]},
		}
		labels[i], hashes[i] = object(set), hashLabels(set)
	}
	start := time.Now().Add(-time.Duration(s.records/s.series+1) * time.Second).UnixMilli()
	var failed error
	for i := range s.records {
		series := i % s.series
		at := start + int64(i/s.series)*1000
		value := float64(i%10_000) / 4
		t.checksum += hashSample(hashes[series], at, value)
		record := &kgo.Record{
			Topic: topicName, Partition: int32(series % s.partitions),
			Value: fmt.Appendf(nil, `{"labels":%s,"value":%s,"ts":%d}`, labels[series], strconv.FormatFloat(value, 'g', -1, 64), at),
		}
		t.recordBytes = len(record.Value)
		client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err
			}
		})
	}
	if err := errors.Join(client.Flush(ctx), failed); err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	return nil
}

func (t *topic) close() {
	if t.cluster != nil {
		t.cluster.Close()
	}
}

func object(set [][2]string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, l := range set {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%q", l[0], l[1])
	}
	b.WriteByte('}')
	return b.String()
}

// hashLabels is order-dependent: both sides hash the sorted labels.
func hashLabels(sorted [][2]string) uint64 {
	d := xxhash.New()
	for _, l := range sorted {
		_, _ = d.WriteString(l[0] + "\xff" + l[1] + "\xff") // It never fails.
	}
	return d.Sum64()
}

// hashSample of all samples are added up, so that their order does not matter but
// each of them does.
func hashSample(series uint64, timestamp int64, value float64) uint64 {
	return (series ^ uint64(timestamp)*0x9e3779b97f4a7c15) * (math.Float64bits(value) | 1)
}
