package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Every process ends after this time, whatever it waits for.
const longestRun = 15 * time.Minute

// How often the memory of a process is looked at. What it takes within the last
// moment of its life is not seen.
const memoryInterval = 10 * time.Millisecond

// process is a program that is measured. Its CPU time is what the system accounts for
// when it has ended. Its memory is the high-water mark of its own address space: that
// of wait4 starts at the parent's, which started it.
type process struct {
	began time.Time
	ended chan struct{} // Closed when it has.

	cmd    *exec.Cmd
	cancel context.CancelFunc
	log    strings.Builder // Its standard error; complete when it has ended.
	err    error           // How it ended.
	peak   atomic.Int64    // Bytes.
}

// start runs a program. The caller waits for it, or kills it.
func start(ctx context.Context, path string, args ...string) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, longestRun)
	p := &process{ended: make(chan struct{}), cancel: cancel}
	p.cmd = exec.CommandContext(ctx, path, args...) //nolint:gosec // The user names the programs.
	p.cmd.Stderr = &p.log
	p.cmd.Env = slices.DeleteFunc(os.Environ(), configures)
	p.cmd.SysProcAttr = dieWithParent()
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		cancel()
		close(p.ended)
	}()
	go p.watch()
	return p, nil
}

// configures says whether a variable would change the program's configuration.
func configures(variable string) bool { return strings.HasPrefix(variable, "KAFKA2PROM_") }

// watch notes the memory until the process has ended.
func (p *process) watch() {
	for {
		if peak, err := peakOf(p.cmd.Process.Pid); err == nil && peak > p.peak.Load() {
			p.peak.Store(peak)
		}
		select {
		case <-p.ended:
			return
		case <-time.After(memoryInterval):
		}
	}
}

// cpu is what it has used so far.
func (p *process) cpu() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("signalling %s: %w", p.cmd.Path, err)
	}
	return nil
}

// wait returns when the process has ended by itself, with what it has used.
func (p *process) wait() (usage, error) {
	<-p.ended
	if p.err != nil {
		return usage{}, fmt.Errorf("running %s: %s", p.cmd.Path, p.describe())
	}
	state := p.cmd.ProcessState
	return usage{CPU: state.UserTime() + state.SystemTime(), Wall: time.Since(p.began), Peak: p.peak.Load()}, nil
}

// stop asks the process to end in good order.
func (p *process) stop() (usage, error) {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return usage{}, err
	}
	return p.wait()
}

// kill ends it at once, if it has not ended yet.
func (p *process) kill() {
	p.cancel()
	<-p.ended
}

// describe says how it ended, and what it said before.
func (p *process) describe() string {
	how := "status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	return how + "\n" + p.log.String()
}

// usage is what one run has used.
type usage struct {
	CPU  time.Duration `json:"cpu_ns"`
	Wall time.Duration `json:"wall_ns"` // From the start of the process to its end.
	Peak int64         `json:"peak_rss_bytes"`
	// From the start of the process to the first and the last sample that was
	// accepted, and to its joining the group, where the broker tells.
	First  time.Duration `json:"first_ns"`
	Last   time.Duration `json:"last_ns"`
	Joined time.Duration `json:"joined_ns,omitempty"`

	Records int64 `json:"records"`
	received
}

// perCPU is records per CPU-second of the whole process, start and end included.
func (u usage) perCPU() float64 { return float64(u.Records) / u.CPU.Seconds() }

// perSecond is records per second, up to the last sample.
func (u usage) perSecond() float64 { return float64(u.Records) / u.Last.Seconds() }

func (u usage) peakMiB() float64 { return float64(u.Peak) / (1 << 20) }
