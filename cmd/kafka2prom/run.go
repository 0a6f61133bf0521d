package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/consumer"
	"github.com/kafka2prom/kafka2prom/internal/config"
	"github.com/kafka2prom/kafka2prom/internal/server"
)

type runCommand struct {
	configFlag
	Pipeline []string      `short:"p" placeholder:"NAME" help:"Run only these pipelines (default: all)."`
	UntilEnd bool          `help:"End when the group has committed everything that was in the topics at the start."`
	From     string        `placeholder:"T" help:"Replay the records from this time on (included), outside of the pipeline's group: RFC 3339, or back from now such as -6h. Ends by itself."`
	To       string        `placeholder:"T" help:"Replay the records before this time (excluded)."`
	Slack    time.Duration `placeholder:"D" default:"-1s" help:"With --to: stop reading that much behind it, instead of reading to the end of the log for records whose timestamps are out of order."`
	Group    string        `placeholder:"G" help:"With --from or --to: a group of its own, which makes the replay resumable and shareable. It must not be the pipeline's group."`
	Rate     float64       `placeholder:"N" help:"At most N records per second and pipeline."`
	Server   string        `placeholder:"ADDR" help:"Listen here instead of server.listen; \"off\": not at all."`

	CPUProfile string `name:"cpuprofile" hidden:"" placeholder:"FILE" help:"Write a CPU profile."`
}

// Run implements the command: config → log → metrics → pipelines → server → run →
// close in reverse.
func (r *runCommand) Run(ctx context.Context, env *environment) error {
	cfg, err := r.load(env)
	if err != nil {
		return err
	}
	span, err := r.span(cfg, time.Now())
	if err != nil {
		return err
	}
	if err := r.choose(cfg); err != nil {
		return err
	}
	log, err := newLogger(cfg.Log, env.stderr)
	if err != nil {
		return err
	}
	defer log.Sync() //nolint:errcheck // Standard error cannot always be synced, and nothing follows.
	limitMemory(log)

	registry := newRegistry()
	app, err := newApp(assembly{config: cfg, registry: registry, log: log, span: span})
	if err != nil {
		return err
	}
	if address := r.address(cfg); address != "" {
		serve := server.New(registry, programVersion(), log)
		bound, err := serve.Listen(ctx, address)
		if err != nil {
			return err
		}
		defer closeServer(serve, log)
		serve.Watch(app.watched())
		app.server = serve
		log.Info("serving /metrics, /status, /-/healthy and /-/ready", zap.Stringer("address", bound))
	}
	ctx, stop := withSignals(ctx, log)
	defer stop()
	if r.CPUProfile != "" {
		finish, err := profile(r.CPUProfile)
		if err != nil {
			return err
		}
		defer finish()
	}
	if span.UntilEnd || span.Replay {
		defer showProgress(app, env, log)()
	}
	return app.run(ctx)
}

// span checks the flags that bound the run.
func (r *runCommand) span(cfg *config.Config, now time.Time) (consumer.Span, error) {
	s := consumer.Span{UntilEnd: r.UntilEnd, Replay: r.From != "" || r.To != "", Group: r.Group, Rate: r.Rate, Slack: r.Slack}
	var err error
	if r.From != "" {
		if s.From, err = consumer.ParseTime(r.From, now); err != nil {
			return s, usage("--from: %v", err)
		}
	}
	if r.To != "" {
		if s.To, err = consumer.ParseTime(r.To, now); err != nil {
			return s, usage("--to: %v", err)
		}
	}
	switch {
	case !s.From.IsZero() && !s.To.IsZero() && !s.From.Before(s.To):
		return s, usage("--from %s is not before --to %s", s.From.Format(time.RFC3339), s.To.Format(time.RFC3339))
	case s.Replay && s.UntilEnd:
		return s, usage("--until-end goes with the pipeline's group, --from and --to go without it; choose one")
	case s.Rate < 0:
		return s, usage("--rate %v is negative", s.Rate)
	}
	return s, r.checkGroup(cfg, s)
}

// checkGroup makes sure that the group of a replay is nobody else's.
func (r *runCommand) checkGroup(cfg *config.Config, s consumer.Span) error {
	switch {
	case s.Group == "":
		return nil
	case !s.Replay:
		return usage("--group goes with --from or --to; the pipeline's group is set in the configuration")
	case len(r.Pipeline) != 1 && len(cfg.Pipelines) > 1:
		return usage("--group goes with one pipeline, because several would take partitions from each other; choose it with -p")
	}
	for _, p := range cfg.Pipelines {
		if s.Group == p.Consumer.Group {
			return usage("--group %s is the group of pipeline %s: a replay would move its offsets", s.Group, p.Name)
		}
	}
	return nil
}

// choose leaves only the pipelines that were asked for.
func (r *runCommand) choose(cfg *config.Config) error {
	if len(r.Pipeline) == 0 {
		return nil
	}
	var chosen []config.Pipeline
	for _, name := range r.Pipeline {
		p, err := pipelineNamed(cfg, name)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(chosen, func(q config.Pipeline) bool { return q.Name == name }) {
			continue
		}
		chosen = append(chosen, p)
	}
	cfg.Pipelines = chosen
	return nil
}

func (r *runCommand) address(cfg *config.Config) string {
	switch r.Server {
	case "":
		return cfg.Server.Listen
	case "off":
		return ""
	}
	return r.Server
}

// withSignals ends the context at the first SIGTERM or SIGINT; the second ends the
// program at once.
func withSignals(ctx context.Context, log *zap.Logger) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			log.Info("stopping: what is on the wire may finish; a second signal ends at once", zap.Stringer("signal", s))
			_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
			cancel()
		case <-done:
			return
		}
		select {
		case <-signals:
			log.Warn("stopped at once; what was not committed comes again")
			os.Exit(exitFailed)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// limitMemory makes the collector respect the container's memory limit. An explicit
// GOMEMLIMIT wins.
func limitMemory(log *zap.Logger) {
	limit, err := memlimit.Set(memlimit.WithRatio(0.9))
	if err != nil {
		log.Debug("no memory limit found", zap.Error(err))
		return
	}
	if limit > 0 && limit < math.MaxInt64 {
		log.Info("keeping to the container's memory limit", zap.Int64("bytes", limit))
	}
}

func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "kafka2prom_build_info", Help: "1, with the version.",
		ConstLabels: prometheus.Labels{"version": programVersion()},
	})
	info.Set(1)
	registry.MustRegister(info)
	return registry
}

// profile writes a CPU profile until the returned function is called.
func profile(path string) (finish func(), err error) {
	f, err := os.Create(path) //nolint:gosec // The user names the file.
	if err != nil {
		return nil, fmt.Errorf("creating the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, fmt.Errorf("profiling: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // What is missing shows when the profile is read.
	}, nil
}

func closeServer(s *server.Server, log *zap.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		log.Debug("closing", zap.Error(err))
	}
}

func pipelineNamed(cfg *config.Config, name string) (config.Pipeline, error) {
	var known []string
	for _, p := range cfg.Pipelines {
		if p.Name == name {
			return p, nil
		}
		known = append(known, p.Name)
	}
	return config.Pipeline{}, usage("there is no pipeline %q; there are %v", name, known)
}
