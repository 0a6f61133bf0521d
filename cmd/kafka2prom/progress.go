package main

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"go.uber.org/zap"
	"golang.org/x/term"

	"github.com/kafka2prom/kafka2prom/writer"
)

// How often the progress of a bounded run is shown.
const (
	barInterval  = 200 * time.Millisecond
	lineInterval = 10 * time.Second
)

// showProgress shows how far a bounded run has come: a bar where standard error is
// a terminal, else a log line every ten seconds. The returned function ends it
// with a last line.
func showProgress(a *app, env *environment, log *zap.Logger) func() {
	began := time.Now()
	show, interval := lines(log), lineInterval
	if f, ok := env.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		show, interval = bar(f), barInterval
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				show(a.progress(began))
			}
		}
	}()
	return func() {
		close(done)
		<-stopped
		p := a.progress(began)
		log.Info("the run has ended", p.fields()...)
	}
}

// runProgress is how far all pipelines together have come.
type runProgress struct {
	offsets, total   int64
	records, samples int64
	elapsed          time.Duration
}

func (a *app) progress(began time.Time) runProgress {
	p := runProgress{elapsed: time.Since(began)}
	for _, pl := range a.pipelines {
		done, total := pl.consumer.Done()
		p.offsets += done
		p.total += total
		p.records += pl.consumer.Status().Records.Consumed
		p.samples += written(pl.writer)
	}
	return p
}

func written(w *writer.Writer) int64 { return w.Status().SamplesWritten }

// rate is records per second since the start.
func (p runProgress) rate() float64 { return float64(p.records) / max(p.elapsed.Seconds(), 1e-3) }

// left estimates the time to the end; 0: not known yet.
func (p runProgress) left() time.Duration {
	if p.offsets == 0 {
		return 0
	}
	return time.Duration(float64(p.elapsed) * float64(p.total-p.offsets) / float64(p.offsets))
}

func (p runProgress) fields() []zap.Field {
	return []zap.Field{
		zap.Int64("offsets_done", p.offsets), zap.Int64("offsets_total", p.total),
		zap.Int64("records", p.records), zap.Int64("samples", p.samples),
		zap.Int64("records_per_second", int64(p.rate())), zap.Duration("elapsed", p.elapsed.Round(time.Millisecond)),
	}
}

func lines(log *zap.Logger) func(runProgress) {
	return func(p runProgress) {
		log.Info("progress", append(p.fields(), zap.Duration("left", p.left().Round(time.Second)))...)
	}
}

func bar(f *os.File) func(runProgress) {
	b := progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(f),
		progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish(),
	)
	return func(p runProgress) {
		b.ChangeMax64(max(p.total, 1))
		b.Describe(fmt.Sprintf("%d records, %d samples, %.0f records/s, %s left", p.records, p.samples, p.rate(), p.left().Round(time.Second)))
		_ = b.Set64(min(p.offsets, max(p.total, 1))) // Drawing is best effort.
	}
}
