package consumer

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/plugin/kprom"
	"github.com/twmb/franz-go/plugin/kzap"
	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/transform"
)

// metrics are those of one pipeline's consumer, and the logs that a stream could
// repeat.
type metrics struct {
	reg                          prometheus.Registerer
	batches, rebalances, commits *prometheus.CounterVec
	refusals, deadLetters, lost  *prometheus.CounterVec
	recreated                    *prometheus.CounterVec
	fetchErrors, mapRetries      prometheus.Counter
	deadLetterRetries, truncated prometheus.Counter
	bytesInFlight, bytesLimit    prometheus.Gauge
	decompressed                 prometheus.Counter // Batches beyond kafka.max_decompressed_bytes.

	retries sparseLog
	skips   refusalLog
}

func newMetrics(reg prometheus.Registerer, c *Consumer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "kafka2prom_" + name, Help: help})
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kafka2prom_" + name, Help: help}, labels)
	}
	m := &metrics{
		reg:               reg,
		batches:           vec("batches_total", "Batches by why they were closed: full, bytes, age, revoke, end.", "reason"),
		rebalances:        vec("rebalances_total", "Changes of the assignment: assigned, revoked, lost.", "kind"),
		commits:           vec("commits_total", "Offset commits by result: ok, failed.", "result"),
		refusals:          vec("refusals_total", "Refused records and samples, by the stage that refused and the reason.", "stage", "reason"),
		deadLetters:       vec("dead_letters_total", "Dead letters that the dead-letter topic has acknowledged, by the reason of their first refusal.", "reason"),
		lost:              vec("records_lost_total", "Offsets that were given up, by topic: retention or a broker removed them before they were read, or their record batch is too large once it is decompressed.", "topic"),
		recreated:         vec("topics_recreated_total", "Times that a topic was deleted, or deleted and created anew, while it was read.", "topic"),
		fetchErrors:       counter("fetch_errors_total", "Errors that polls brought, by partition; what the client retries by itself does not count."),
		mapRetries:        counter("map_retries_total", "Times that mapping had to wait for the schema registry."),
		deadLetterRetries: counter("dead_letter_retries_total", "Failed attempts to write dead letters."),
		truncated:         counter("dead_letters_truncated_total", "Dead letters whose value was too large for the topic and was left out."),
		bytesInFlight:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "kafka2prom_bytes_in_flight", Help: "Memory of the records of submitted batches, in bytes."}),
		bytesLimit:        prometheus.NewGauge(prometheus.GaugeOpts{Name: "kafka2prom_bytes_in_flight_limit", Help: "What batches may have in memory, batch.max_bytes times batch.in_flight, in bytes. A single larger record exceeds it."}),
		decompressed:      transform.NewLimitCounter("decompressed_bytes"),
		retries:           sparseLog{log: c.log},
		skips:             refusalLog{sparseLog{log: c.log}},
	}
	m.bytesLimit.Set(float64(c.cfg.Batch.MaxBytes) * float64(c.cfg.Batch.InFlight))
	for _, reason := range []string{closedFull, closedBytes, closedAge, closedRevoke, closedEnd} {
		m.batches.WithLabelValues(reason)
	}
	for _, kind := range []string{"assigned", "revoked", "lost"} {
		m.rebalances.WithLabelValues(kind)
	}
	for _, result := range []string{"ok", "failed"} {
		m.commits.WithLabelValues(result)
	}
	return m
}

// register makes the metrics known, where there is somebody to know them.
func (m *metrics) register(c *Consumer) error {
	if m.reg == nil {
		return nil
	}
	for _, collector := range []prometheus.Collector{
		m.batches, m.rebalances, m.commits, m.refusals, m.deadLetters, m.lost, m.recreated, m.fetchErrors,
		m.mapRetries, m.deadLetterRetries, m.truncated, m.bytesInFlight, m.bytesLimit, m.decompressed, c.ledger,
		assignment{c},
	} {
		if err := m.reg.Register(collector); err != nil {
			return fmt.Errorf("registering the consumer's metrics: %w", err)
		}
	}
	return nil
}

// refused counts refusals.
func (m *metrics) refused(refusals []transform.Refusal) {
	for i := range refusals {
		m.refusals.WithLabelValues(string(refusals[i].Stage), string(refusals[i].Reason)).Inc()
	}
}

// clientHook exports the metrics of the Kafka client itself.
func (m *metrics) clientHook() kgo.Hook {
	if m.reg == nil {
		return nil
	}
	return kprom.NewMetrics("kafka2prom_kafka", kprom.Registerer(m.reg), kprom.FetchAndProduceDetail(kprom.Batches, kprom.Records, kprom.CompressedBytes, kprom.UncompressedBytes))
}

// committed is told the result of each commit of the client.
func (c *Consumer) committed(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
	if err == nil && resp != nil {
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if e := kerr.ErrorForCode(p.ErrorCode); e != nil && err == nil {
					err = e
				}
			}
		}
	}
	if err == nil {
		c.metrics.commits.WithLabelValues("ok").Inc()
		return
	}
	c.metrics.commits.WithLabelValues("failed").Inc()
	c.metrics.retries.warn("committing offsets failed; trying again with the next commit", zap.Error(err))
}

// assignment exports what is known of the partitions that are held.
type assignment struct{ c *Consumer }

var (
	assignedDesc = prometheus.NewDesc("kafka2prom_partitions_assigned", "Partitions that this instance holds.", nil, nil)
	failedDesc   = prometheus.NewDesc("kafka2prom_partitions_failed", "Partitions that cannot be fetched any more.", nil, nil)
	pausedDesc   = prometheus.NewDesc("kafka2prom_partitions_paused", "Partitions that are held back because they are ahead of the others, or have reached their end.", nil, nil)
	batchesDesc  = prometheus.NewDesc("kafka2prom_batches_in_flight", "Submitted batches that are not settled yet.", nil, nil)
	lagDesc      = prometheus.NewDesc("kafka2prom_consumer_lag", "Offsets between what is settled and the end of what can be read.", []string{"topic", "partition"}, nil)
	settledDesc  = prometheus.NewDesc("kafka2prom_settled_offset", "The offset up to which everything has landed; -1: nothing yet.", []string{"topic", "partition"}, nil)
	behindDesc   = prometheus.NewDesc("kafka2prom_time_behind_seconds", "Age of the newest settled record while there is lag; 0 without lag.", nil, nil)
)

// Describe implements prometheus.Collector.
func (a assignment) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{assignedDesc, failedDesc, pausedDesc, batchesDesc, lagDesc, settledDesc, behindDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (a assignment) Collect(ch chan<- prometheus.Metric) {
	s := a.c.Status()
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	var failed, paused float64
	for _, p := range s.Partitions {
		id := strconv.Itoa(int(p.Partition))
		gauge(lagDesc, float64(p.Lag), p.Topic, id)
		gauge(settledDesc, float64(p.Settled), p.Topic, id)
		if p.Error != "" {
			failed++
		}
		if p.Paused {
			paused++
		}
	}
	gauge(assignedDesc, float64(len(s.Partitions)))
	gauge(failedDesc, failed)
	gauge(pausedDesc, paused)
	gauge(batchesDesc, float64(s.Batches))
	behind := 0.0
	if s.Lag > 0 && !s.LastRecord.IsZero() {
		behind = max(0, time.Since(s.LastRecord).Seconds())
	}
	gauge(behindDesc, behind)
}

// sparseLog writes a line at once and then at most one every ten seconds for each
// message, with the number of lines that it has left out.
type sparseLog struct {
	log  *zap.Logger
	mu   sync.Mutex
	last map[string]time.Time
	left map[string]int
}

const sparseInterval = 10 * time.Second

func (s *sparseLog) warn(message string, fields ...zap.Field) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if last, ok := s.last[message]; ok && now.Sub(last) < sparseInterval {
		s.left[message]++
		return
	}
	if s.last == nil {
		s.last, s.left = map[string]time.Time{}, map[string]int{}
	}
	if left := s.left[message]; left > 0 {
		fields = append(fields, zap.Int("left_out", left))
	}
	s.last[message], s.left[message] = now, 0
	s.log.Warn(message, fields...)
}

// refusalLog writes refusals that leave no dead letter.
type refusalLog struct{ sparseLog }

func (s *refusalLog) log(r transform.Refusal) {
	s.warn("skipped a record, because on_error is skip",
		zap.String("topic", r.Record.Topic), zap.Int32("partition", r.Record.Partition), zap.Int64("offset", r.Record.Offset),
		zap.String("reason", string(r.Reason)), zap.String("error", r.Text))
}

// clientLogger gives the Kafka client's own log to zap.
func clientLogger(log *zap.Logger) kgo.Logger {
	return kzap.New(log.Named("kafka"), kzap.Level(kgo.LogLevelWarn))
}
