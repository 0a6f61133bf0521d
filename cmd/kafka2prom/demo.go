package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/term"

	"github.com/kafka2prom/kafka2prom/internal/config"
	"github.com/kafka2prom/kafka2prom/internal/demo"
	"github.com/kafka2prom/kafka2prom/internal/server"
)

type demoCommand struct {
	Records          int           `placeholder:"N" help:"Produce N records. Default: no end; without a terminal 20000."`
	Exit             bool          `help:"End by itself when the records have been produced. So it does without a terminal."`
	Rate             float64       `placeholder:"N" help:"Records per second. Default: 200 where there is no end, else as many as possible."`
	Seed             uint64        `placeholder:"N" default:"1" help:"The same seed gives the same readings."`
	OutOfOrderWindow time.Duration `placeholder:"D" default:"2h" help:"Of the embedded Prometheus; 0: none."`
	Listen           string        `placeholder:"ADDR" default:"127.0.0.1:0" help:"Where to listen for queries."`
}

// The defaults of the demo.
const (
	demoRate     = 200
	demoRecords  = 20_000
	demoPatience = time.Minute // How long nothing may move at the end.
)

// Run implements the command: start → pipelines → produce → settle → stop →
// compare.
func (c *demoCommand) Run(ctx context.Context, env *environment) error {
	screen, terminal := env.stdout.(*os.File)
	terminal = terminal && term.IsTerminal(int(screen.Fd()))
	if err := c.complete(terminal); err != nil {
		return err
	}
	d, err := demo.Start(demo.Options{
		Records: c.Records, Rate: c.Rate, Seed: c.Seed,
		OutOfOrderWindow: c.OutOfOrderWindow, Listen: c.Listen, Version: programVersion(),
	})
	if err != nil {
		return err
	}
	logs := &demo.LogTail{}
	run := &demoRun{command: c, env: env, demo: d, screen: screen, terminal: terminal, logs: logs}
	report, err := run.all(ctx)
	if closeErr := d.Close(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("stopping the demo: %w", closeErr))
	}
	if err != nil {
		return err
	}
	for _, offender := range report.Offenders {
		fmt.Fprintln(env.stdout, offender)
	}
	fmt.Fprintln(env.stdout, report)
	if !report.OK() {
		return errSaid
	}
	return nil
}

// complete fills in what depends on where the demo runs.
func (c *demoCommand) complete(terminal bool) error {
	if c.Records < 0 || c.Rate < 0 || c.OutOfOrderWindow < 0 {
		return usage("--records, --rate and --out-of-order-window cannot be negative")
	}
	if !terminal {
		c.Exit = true
	}
	if c.Exit && c.Records == 0 {
		c.Records = demoRecords
	}
	if c.Records == 0 && c.Rate == 0 {
		c.Rate = demoRate
	}
	return nil
}

// demoRun is one run of the demo.
type demoRun struct {
	command  *demoCommand
	env      *environment
	demo     *demo.Demo
	screen   *os.File
	terminal bool
	logs     *demo.LogTail
}

// all runs the pipelines and the stream, and compares.
func (r *demoRun) all(ctx context.Context) (demo.Report, error) {
	cfg, err := config.Load(config.Source{Path: "demo.yaml", Data: demo.Configuration, Environ: r.demo.Environ()})
	if err != nil {
		return demo.Report{}, err
	}
	log, err := r.logger(cfg.Log)
	if err != nil {
		return demo.Report{}, err
	}
	registry := newRegistry()
	app, err := newApp(assembly{config: cfg, registry: registry, log: log})
	if err != nil {
		return demo.Report{}, err
	}
	serve := server.New(registry, programVersion(), log)
	bound, err := serve.Listen(ctx, cfg.Server.Listen)
	if err != nil {
		return demo.Report{}, err
	}
	defer closeServer(serve, log)
	serve.Watch(app.watched())
	app.server = serve

	ctx, stop := withSignals(ctx, log)
	defer stop()
	view := r.demo.View(r.logs,
		demo.Link{Name: "status", URL: fmt.Sprintf("http://%s/status", bound)},
		demo.Link{Name: "metrics", URL: fmt.Sprintf("http://%s/metrics", bound)},
	)
	if err := r.stream(ctx, app, view); err != nil {
		return demo.Report{}, err
	}
	return r.demo.Verify(context.WithoutCancel(ctx))
}

// logger writes where it does not disturb the view.
func (r *demoRun) logger(cfg config.LogConfig) (*zap.Logger, error) {
	if r.terminal {
		return newLogger(cfg, r.logs)
	}
	return newLogger(cfg, r.env.stderr)
}

// stream runs the pipelines until everything that was produced is settled. They
// outlive the signal that ends the stream.
func (r *demoRun) stream(ctx context.Context, app *app, view *demo.View) error {
	pipelines, stopPipelines := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	alive, dead := context.WithCancel(pipelines)
	go func() {
		defer dead() // Nothing is left that could deliver.
		ended <- app.run(pipelines)
	}()
	producing, stopProducing := context.WithCancel(ctx)
	defer stopProducing()
	defer context.AfterFunc(alive, stopProducing)()

	hide := r.show(pipelines, view)
	err := r.produce(producing)
	if err == nil {
		err = r.demo.Settle(alive, demoPatience)
	}
	hide()
	stopPipelines()
	return errors.Join(<-ended, err)
}

// produce produces, and where the demo does not end by itself, waits for the
// signal.
func (r *demoRun) produce(ctx context.Context) error {
	if err := r.demo.Produce(ctx); err != nil {
		return err
	}
	if !r.command.Exit {
		<-ctx.Done()
	}
	return nil
}

// show starts the view and returns what ends it.
func (r *demoRun) show(ctx context.Context, view *demo.View) func() {
	ctx, cancel := context.WithCancel(ctx)
	var shown sync.WaitGroup
	shown.Go(func() {
		if !r.terminal {
			view.Lines(ctx, r.env.stdout)
			return
		}
		view.Draw(ctx, r.screen, func() (width, height int) {
			width, height, err := term.GetSize(int(r.screen.Fd()))
			if err != nil {
				return 80, 24
			}
			return width, height
		})
	})
	return func() {
		cancel()
		shown.Wait()
		if r.terminal {
			if text := r.logs.String(); text != "" {
				fmt.Fprintln(r.env.stderr, text)
			}
		}
	}
}
