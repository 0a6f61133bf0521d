package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const topicName = "kafka2prom-bench"

// load is what a topic holds: the samples of the series in turn, a second apart.
type load struct {
	records, series, partitions int
	format                      format
}

// String is for people.
func (l load) String() string {
	text := fmt.Sprintf("%s records (%s), %s series, %d partition", group(int64(l.records)), l.format, group(int64(l.series)), l.partitions)
	if l.partitions != 1 {
		text += "s"
	}
	return text
}

// topic is on a broker of its own, unless the user has one, and knows what samples its
// records must give.
type topic struct {
	load      load
	addresses []string

	broker *broker // Nil with a real one.
	client *kgo.Client
	start  int64 // Milliseconds: the time of the first samples.

	produced    int64
	checksum    uint64
	recordBytes int // Of the last record.
	failed      atomic.Pointer[error]
}

// newTopic makes an empty topic. The addresses are those of a real broker, or empty.
func newTopic(ctx context.Context, l load, addresses string) (t *topic, err error) {
	rounds := time.Duration(l.records/max(1, l.series) + 1)
	t = &topic{load: l, addresses: strings.Split(addresses, ","), start: time.Now().Add(-rounds * time.Second).UnixMilli()}
	if addresses == "" {
		if t.broker, err = startBroker(ctx); err != nil {
			return nil, err
		}
		t.addresses = t.broker.addresses
	}
	t.client, err = kgo.NewClient(kgo.SeedBrokers(t.addresses...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		t.close()
		return nil, fmt.Errorf("making the producer: %w", err)
	}
	if err := recreate(ctx, kadm.NewClient(t.client), l.partitions); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// filledTopic is newTopic, and all its records.
func filledTopic(ctx context.Context, l load, addresses string) (*topic, error) {
	t, err := newTopic(ctx, l, addresses)
	if err != nil {
		return nil, err
	}
	if err := t.fill(ctx, l.records); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
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

// fill produces that many further records, as fast as the broker takes them.
func (t *topic) fill(ctx context.Context, records int) error {
	for range records {
		i := int(t.produced)
		t.produce(ctx, i%t.load.series, t.start+int64(i/t.load.series)*1000)
	}
	return t.flush(ctx)
}

// stream produces at a steady rate until the context ends: a few records every ten
// milliseconds, whose samples have the time at which they were produced.
func (t *topic) stream(ctx context.Context, rate int) error {
	const step = 10 * time.Millisecond
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return t.flush(context.WithoutCancel(ctx))
		case now := <-ticker.C:
			for due := int64(now.Sub(began).Seconds() * float64(rate)); t.produced < due; {
				t.produce(context.WithoutCancel(ctx), int(t.produced)%t.load.series, time.Now().UnixMilli())
			}
		}
	}
}

// produce writes one record. All of a series are in one partition.
func (t *topic) produce(ctx context.Context, series int, at int64) {
	set, value := labelsOf(series), float64(t.produced%10_000)/4
	record := &kgo.Record{
		Topic: topicName, Partition: int32(series % t.load.partitions),
		Value: t.load.format.append(make([]byte, 0, max(t.recordBytes, 64)+16), set, value, at),
	}
	t.produced++
	t.checksum += hashSample(hashLabels(set[:]), at, value)
	t.recordBytes = len(record.Value)
	t.client.Produce(ctx, record, func(_ *kgo.Record, err error) {
		if err != nil {
			t.failed.CompareAndSwap(nil, &err)
		}
	})
}

func (t *topic) flush(ctx context.Context) error {
	if err := t.client.Flush(ctx); err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	if err := t.failed.Load(); err != nil {
		return fmt.Errorf("producing: %w", *err)
	}
	return nil
}

// joined is when a member last joined a group, and zero where the broker does not say.
func (t *topic) joined() time.Time {
	if t.broker == nil || t.broker.joined.Load() == 0 {
		return time.Time{}
	}
	return time.Unix(0, t.broker.joined.Load())
}

func (t *topic) close() {
	if t.client != nil {
		t.client.Close()
	}
	if t.broker != nil {
		t.broker.close()
	}
}
