package consumer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// letterbox writes dead letters. A letter counts as written when all in-sync
// replicas have acknowledged it; until then the offset that it came from is not
// committed. A topic that cannot be written holds the pipeline up, like a
// receiver that is down: loudly, for ever, without loss.
type letterbox struct {
	c   *Consumer
	cfg DeadLetterConfig
	// maxBytes is the largest batch that the topic takes.
	maxBytes   atomic.Int32
	backingOff atomic.Bool
}

// Dead letters are retried with these pauses.
const (
	letterMinBackoff = 100 * time.Millisecond
	letterMaxBackoff = 10 * time.Second
	letterTimeout    = 30 * time.Second // One attempt.
)

// kafkaMaxMessageBytes is Kafka's default of max.message.bytes, with a margin.
const kafkaMaxMessageBytes = 1_000_000

func newLetterbox(c *Consumer) *letterbox {
	b := &letterbox{c: c, cfg: *c.cfg.DeadLetter}
	b.maxBytes.Store(kafkaMaxMessageBytes)
	return b
}

// options are those of a producer of dead letters: idempotent, acknowledged by all
// in-sync replicas, with batches as large as the topic takes.
func (b *letterbox) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchMaxBytesFn(func(string) int32 { return b.maxBytes.Load() }),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.RecordDeliveryTimeout(letterTimeout),
		kgo.UnknownTopicRetries(-1),
		kgo.AllowIdempotentProduceCancellation(),
	}
}

// prepare makes sure that the topic is there before anything is consumed. It waits
// for brokers that are out of reach, and fails when the topic is missing and is
// not to be made.
func (b *letterbox) prepare(ctx context.Context) error {
	return b.c.insist(ctx, "looking for the dead-letter topic", b.find)
}

// topicRumour is how long a broker may take to hear of a topic that its controller
// has just made.
const topicRumour = time.Second

func (b *letterbox) find(ctx context.Context) error {
	err := b.look(ctx)
	if errors.Is(err, kerr.UnknownTopicOrPartition) && !b.cfg.Create {
		sleep(ctx, topicRumour)
		if err = b.look(ctx); errors.Is(err, kerr.UnknownTopicOrPartition) {
			return noLetterTopic(b.cfg.Topic)
		}
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		err = b.create(ctx)
	}
	if err != nil {
		return fmt.Errorf("preparing the dead-letter topic %s: %w", b.cfg.Topic, err)
	}
	b.readLimit(ctx)
	return nil
}

// look asks whether the topic is there.
func (b *letterbox) look(ctx context.Context) error {
	topics, err := b.c.admin.ListTopics(ctx, b.cfg.Topic)
	if err != nil {
		return fmt.Errorf("looking for it: %w", err)
	}
	return topics[b.cfg.Topic].Err
}

func (b *letterbox) create(ctx context.Context) error {
	partitions, replication := b.cfg.Partitions, b.cfg.Replication
	if partitions == 0 {
		partitions = -1
	}
	if replication == 0 {
		replication = -1
	}
	resp, err := b.c.admin.CreateTopic(ctx, partitions, replication, nil, b.cfg.Topic)
	if err == nil {
		err = resp.Err
	}
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating it: %w", err)
	}
	b.c.log.Info("created the dead-letter topic", zap.String("topic", b.cfg.Topic))
	return nil
}

// readLimit asks for the topic's limit; where that is not allowed, Kafka's default
// stays.
func (b *letterbox) readLimit(ctx context.Context) {
	text := b.c.topicConfig(ctx, b.cfg.Topic, "max.message.bytes")
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		b.maxBytes.Store(int32(min(max(n, 1<<10), 64<<20)))
	}
}

// write returns when every letter is acknowledged, or ctx ends; it returns the
// letters that are not. Letters of records that are not held any more are left
// out: their new owner writes them.
func (b *letterbox) write(ctx context.Context, letters []letter, held func(*kgo.Record) bool) []letter {
	backoff := letterMinBackoff
	for {
		letters = keepHeld(letters, held)
		b.c.progress.tried(time.Now())
		failed, err := b.attempt(ctx, letters)
		if len(failed) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return failed
		}
		letters = failed
		b.c.metrics.deadLetterRetries.Inc()
		b.c.metrics.retries.warn("writing dead letters failed; nothing behind them is committed until they are written",
			zap.String("topic", b.cfg.Topic), zap.Int("letters", len(failed)), zap.Error(err))
		b.backingOff.Store(true)
		sleep(ctx, backoff)
		b.backingOff.Store(false)
		backoff = min(2*backoff, letterMaxBackoff)
	}
}

func keepHeld(letters []letter, held func(*kgo.Record) bool) []letter {
	kept := letters[:0:0]
	for _, l := range letters {
		if held(l.record) {
			kept = append(kept, l)
		}
	}
	return kept
}

// attempt produces letters once and waits for the acknowledgements.
func (b *letterbox) attempt(ctx context.Context, letters []letter) (failed []letter, err error) {
	records := make([]*kgo.Record, len(letters))
	index := make(map[*kgo.Record]int, len(letters))
	for i := range letters {
		records[i] = b.dead(&letters[i])
		index[records[i]] = i
	}
	var tooLarge []letter
	for _, res := range b.c.side.ProduceSync(ctx, records...) {
		l := letters[index[res.Record]]
		switch {
		case res.Err == nil:
			b.acknowledged(&l)
		case errors.Is(res.Err, kerr.MessageTooLarge):
			tooLarge = append(tooLarge, l)
		default:
			failed, err = append(failed, l), res.Err
		}
	}
	for i := range tooLarge {
		if alone := b.attemptAlone(ctx, &tooLarge[i]); alone != nil {
			failed, err = append(failed, tooLarge[i]), alone
		}
	}
	if isRecreated(err) {
		// The topic was made anew, and the producer keeps to the one that it has known.
		b.c.side.PurgeTopicsFromClient(b.cfg.Topic)
	}
	return failed, err
}

// attemptAlone produces a letter of which the topic has refused the batch as too large.
// The letter itself need not be: the topic may take less than when the producer asked
// for its limit. Only one that is too large alone is cut down to its coordinates.
func (b *letterbox) attemptAlone(ctx context.Context, l *letter) error {
	rec := b.dead(l)
	err := b.c.side.ProduceSync(ctx, rec).FirstErr()
	if errors.Is(err, kerr.MessageTooLarge) {
		if err = b.c.side.ProduceSync(ctx, truncate(rec, l.record)).FirstErr(); err == nil {
			b.c.metrics.truncated.Inc()
		}
	}
	if err != nil {
		return fmt.Errorf("writing a letter alone: %w", err)
	}
	b.acknowledged(l)
	return nil
}

func (b *letterbox) dead(l *letter) *kgo.Record {
	return l.dead(b.cfg.Topic, b.c.opts.Pipeline, b.c.opts.Version)
}

func (b *letterbox) acknowledged(l *letter) {
	b.c.metrics.deadLetters.WithLabelValues(string(l.refusals[0].Reason)).Inc()
}

// noLetterTopic is the error of a dead-letter topic that is missing, and is not to be
// made.
func noLetterTopic(topic string) error {
	return permanent("the dead-letter topic %s does not exist; make it, or set dead_letter.create: true", topic)
}
