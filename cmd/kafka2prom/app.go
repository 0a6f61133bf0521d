package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/internal/server"
)

// app is the running program: all its pipelines.
type app struct {
	pipelines []*pipeline
	server    *server.Server // Nil without one.
	log       *zap.Logger
}

func newApp(a assembly) (*app, error) {
	built := &app{log: a.log}
	for _, cfg := range a.config.Pipelines {
		p, err := a.pipeline(cfg)
		if err != nil {
			return nil, err
		}
		built.pipelines = append(built.pipelines, p)
	}
	return built, nil
}

func (a *app) watched() []server.Pipeline {
	list := make([]server.Pipeline, len(a.pipelines))
	for i, p := range a.pipelines {
		list[i] = p
	}
	return list
}

// run runs all pipelines until each has ended. The first that fails stops the
// others in good order: the program ends, and what started it may start it
// again.
func (a *app) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.notify(ctx)
	var all sync.WaitGroup
	failed := make(chan error, len(a.pipelines))
	for _, p := range a.pipelines {
		all.Go(func() {
			if err := p.consumer.Run(ctx); err != nil {
				a.log.Error("the pipeline failed", zap.String("pipeline", p.name), zap.Error(err))
				failed <- fmt.Errorf("pipeline %s: %w", p.name, err)
				cancel()
			}
		})
	}
	all.Wait()
	close(failed)
	return <-failed // The first, and nil where there is none.
}

// notify tells systemd, where it is there, that the program has started, and from
// time to time that it is healthy.
func (a *app) notify(ctx context.Context) {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		a.log.Warn("telling systemd that the program has started failed", zap.Error(err))
	}
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 || a.server == nil {
		return
	}
	go func() {
		tick := time.NewTicker(interval / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				if a.server.Healthy(now) == nil {
					_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) // The next one tells.
				}
			}
		}
	}()
}
