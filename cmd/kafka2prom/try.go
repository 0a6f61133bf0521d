package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/consumer"
	"github.com/kafka2prom/kafka2prom/internal/config"
	"github.com/kafka2prom/kafka2prom/transform"
)

type tryCommand struct {
	configFlag
	Pipeline string        `short:"p" placeholder:"NAME" help:"The pipeline (default: the only one)."`
	Number   int           `short:"n" default:"20" help:"How many records."`
	From     string        `placeholder:"T" help:"The first records from this time on, instead of the newest: RFC 3339, or back from now such as -6h."`
	Timeout  time.Duration `default:"30s" help:"How long reading may take."`
	File     string        `arg:"" optional:"" help:"Take records from a file instead of the topics, or from standard input (-): for json one record a line, for avro the whole file."`
}

// Run implements the command.
func (t *tryCommand) Run(ctx context.Context, env *environment) error {
	cfg, err := t.load(env)
	if err != nil {
		return err
	}
	p, err := t.choose(cfg)
	if err != nil {
		return err
	}
	mapper, err := newMapper(p, nil, zap.NewNop())
	if err != nil {
		return err
	}
	records, err := t.records(ctx, env, cfg, p)
	if err != nil {
		return err
	}
	trial := trial{mapper: mapper, out: bufio.NewWriter(env.stdout)}
	for _, rec := range records {
		if err := trial.print(rec); err != nil {
			return err
		}
	}
	return trial.summary(len(records))
}

func (t *tryCommand) choose(cfg *config.Config) (config.Pipeline, error) {
	if t.Number < 1 {
		return config.Pipeline{}, usage("-n %d: want at least 1", t.Number)
	}
	if t.Pipeline == "" && len(cfg.Pipelines) > 1 {
		return config.Pipeline{}, usage("there is more than one pipeline; choose one with -p")
	}
	if t.Pipeline == "" {
		return cfg.Pipelines[0], nil
	}
	return pipelineNamed(cfg, t.Pipeline)
}

// records come from the topics, a file, or standard input.
func (t *tryCommand) records(ctx context.Context, env *environment, cfg *config.Config, p config.Pipeline) ([]*kgo.Record, error) {
	switch t.File {
	case "":
		from, err := t.from()
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, t.Timeout)
		defer cancel()
		records, err := consumer.Peek(ctx, cfg.Kafka, p.Consumer, consumer.Excerpt{Records: t.Number, From: from})
		if err != nil {
			return nil, fmt.Errorf("reading records of pipeline %s: %w", p.Name, err)
		}
		return records, nil
	case "-":
		return t.parse(env.stdin, "-", p.Mapping.Format)
	}
	f, err := os.Open(t.File)
	if err != nil {
		return nil, fmt.Errorf("opening the records: %w", err)
	}
	defer f.Close()
	return t.parse(f, t.File, p.Mapping.Format)
}

func (t *tryCommand) from() (time.Time, error) {
	if t.From == "" {
		return time.Time{}, nil
	}
	from, err := consumer.ParseTime(t.From, time.Now())
	if err != nil {
		return from, usage("--from: %v", err)
	}
	return from, nil
}

// maxTryLine bounds one record from a file.
const maxTryLine = 64 << 20

func (t *tryCommand) parse(r io.Reader, name, format string) ([]*kgo.Record, error) {
	now := time.Now()
	if format != "json" {
		value, err := io.ReadAll(io.LimitReader(r, maxTryLine))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		return []*kgo.Record{{Topic: name, Value: value, Timestamp: now}}, nil
	}
	var records []*kgo.Record
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxTryLine)
	for n := int64(0); lines.Scan() && len(records) < t.Number; n++ {
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 {
			records = append(records, &kgo.Record{Topic: name, Offset: n, Value: bytes.Clone(line), Timestamp: now})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return records, nil
}

// trial maps records and prints what comes out.
type trial struct {
	mapper                     *transform.Mapper
	output                     transform.Output
	out                        *bufio.Writer
	samples, filtered, refused int
}

// print writes a record's samples in the form in which Prometheus writes series,
// and the reason where there are none.
func (t *trial) print(rec *kgo.Record) error {
	t.output.Reset()
	verdict, err := t.mapper.Apply(rec, 1, &t.output)
	if err != nil {
		return fmt.Errorf("mapping topic %s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	fmt.Fprintf(t.out, "# %s partition %d offset %d, %s\n", rec.Topic, rec.Partition, rec.Offset, rec.Timestamp.UTC().Format(time.RFC3339Nano))
	for _, s := range t.output.Samples {
		fmt.Fprintf(t.out, "%s %s %s\n", s.Series, strconv.FormatFloat(s.Value, 'g', -1, 64), time.UnixMilli(s.Timestamp).UTC().Format(time.RFC3339Nano))
	}
	for _, r := range t.output.Refused {
		fmt.Fprintf(t.out, "# refused: %s: %s\n", r.Reason, r.Text)
	}
	t.samples += len(t.output.Samples)
	switch verdict {
	case transform.Filtered:
		t.filtered++
		fmt.Fprintf(t.out, "# no sample: %s\n", t.output.Filtered)
	case transform.Refused:
		t.refused++
	case transform.Mapped:
	}
	return nil
}

func (t *trial) summary(records int) error {
	fmt.Fprintf(t.out, "# %d records: %d samples, %d records without one by a rule, %d records refused\n", records, t.samples, t.filtered, t.refused)
	if err := t.out.Flush(); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
