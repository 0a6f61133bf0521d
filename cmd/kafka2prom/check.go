package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/consumer"
	"github.com/kafka2prom/kafka2prom/internal/config"
	"github.com/kafka2prom/kafka2prom/transform"
	"github.com/kafka2prom/kafka2prom/writer"
)

type checkCommand struct {
	configFlag
	Online  bool          `help:"Also try brokers, topics, schema registry and receiver."`
	Print   bool          `help:"Print the effective configuration, secrets left out."`
	Timeout time.Duration `default:"15s" help:"With --online: how long each of them may take."`
}

// Run implements the command.
func (c *checkCommand) Run(ctx context.Context, env *environment) error {
	cfg, err := c.load(env)
	if err != nil {
		return err
	}
	if c.Print {
		text, err := cfg.YAML()
		if err != nil {
			return fmt.Errorf("printing the configuration: %w", err)
		}
		_, err = env.stdout.Write(text)
		return err
	}
	for _, p := range cfg.Pipelines { // What only building finds: schemas, relabelling, certificates.
		if err := buildable(p); err != nil {
			return err
		}
	}
	cfg.Describe(env.stdout)
	if !c.Online {
		return nil
	}
	return c.online(ctx, env.stdout, cfg)
}

func buildable(p config.Pipeline) error {
	if _, err := newMapper(p, nil, zap.NewNop()); err != nil {
		return err
	}
	w, err := writer.New(p.Writer(), writer.Options{Logger: zap.NewNop(), Version: programVersion()})
	if err != nil {
		return fmt.Errorf("pipeline %s: making the writer: %w", p.Name, err)
	}
	w.Drain(context.Background())
	return nil
}

// online tries everything that the configuration reaches, and says which part
// fails and why. It goes on after a failure, so that one run finds them all.
func (c *checkCommand) online(ctx context.Context, out io.Writer, cfg *config.Config) error {
	failed := false
	try := func(what string, do func(context.Context) (string, error)) {
		attempt, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		found, err := do(attempt)
		if err != nil {
			failed = true
			fmt.Fprintf(out, "FAILED  %s: %v\n", what, err)
			return
		}
		fmt.Fprintf(out, "ok      %s: %s\n", what, found)
	}
	fmt.Fprintln(out)
	try("brokers "+strings.Join(cfg.Kafka.Brokers, ", "), func(ctx context.Context) (string, error) {
		cluster, err := consumer.Ping(ctx, cfg.Kafka)
		return fmt.Sprintf("cluster %s, %d brokers, Kafka %s", cluster.ID, cluster.Brokers, cluster.Version), err
	})
	for _, p := range cfg.Pipelines {
		try("pipeline "+p.Name+": topics", func(ctx context.Context) (string, error) {
			return consumer.Survey(ctx, cfg.Kafka, p.Consumer)
		})
		if p.Mapping.SchemaRegistry != nil {
			try("pipeline "+p.Name+": schema registry", func(ctx context.Context) (string, error) {
				return pingRegistry(ctx, *p.Mapping.SchemaRegistry)
			})
		}
		try("pipeline "+p.Name+": receiver", func(ctx context.Context) (string, error) {
			return probe(ctx, p)
		})
	}
	if failed {
		return errSaid
	}
	return nil
}

func pingRegistry(ctx context.Context, cfg transform.RegistryConfig) (string, error) {
	schemas, err := transform.NewSchemas(cfg, zap.NewNop())
	if err != nil {
		return "", err
	}
	return "answers", schemas.Ping(ctx)
}

func probe(ctx context.Context, p config.Pipeline) (string, error) {
	w, err := writer.New(p.Writer(), writer.Options{Logger: zap.NewNop(), Version: programVersion()})
	if err != nil {
		return "", err
	}
	defer w.Drain(context.Background())
	result, err := w.Probe(ctx)
	return fmt.Sprintf("remote write %s, status %d, %s", result.Protocol, result.Status, result.Latency.Round(time.Microsecond)), err
}
