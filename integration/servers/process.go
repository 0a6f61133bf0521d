// Package servers starts, stops, kills and pauses real servers on the loopback
// interface: Apache Kafka, Prometheus, VictoriaMetrics and a schema registry. The
// script fetch brings them.
package servers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopTimeout is how long a server may take to end after SIGTERM.
const stopTimeout = 20 * time.Second

// Command is a server that can be started any number of times, one at a time.
type Command struct {
	// Name is for messages and for the name of the log file.
	Name string
	Path string
	Args []string
	Dir  string // The working directory; the log lies in it.
}

// Process is a server on this machine. Its methods may be called from any
// goroutine.
type Process struct {
	command Command
	log     string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // Closed when cmd has ended.
}

// Start runs a command. Its output is appended to <Dir>/<Name>.log.
func Start(c Command) (*Process, error) {
	p := &Process{command: c, log: filepath.Join(c.Dir, c.Name+".log")}
	return p, p.Start()
}

// Start runs the command again after it has ended.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", p.command.Name, err)
	}
	defer out.Close()
	cmd := exec.Command(p.command.Path, p.command.Args...) //nolint:gosec,noctx // Tests run what they have built or fetched; Stop ends it.
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.command.Dir, out, out
	cmd.Env = slices.DeleteFunc(os.Environ(), configures)
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.command.Name, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // How it ended is in cmd.ProcessState.
		close(done)
	}()
	p.cmd, p.done = cmd, done
	return nil
}

// configures says whether a variable would change the configuration of the program
// under test.
func configures(variable string) bool { return strings.HasPrefix(variable, "KAFKA2PROM_") }

// Done is closed when the process that was started last has ended.
func (p *Process) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// ExitCode is the exit status after Done, or -1 where a signal ended it.
func (p *Process) ExitCode() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.ProcessState.ExitCode()
}

// Signal sends a signal. A process that has ended already is no error.
func (p *Process) Signal(sig os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signalling %s: %w", p.command.Name, err)
	}
	return nil
}

// Stop asks the process to end, and kills it when it does not.
func (p *Process) Stop() error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Done():
		return nil
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("stopping %s: it was still there %s after SIGTERM", p.command.Name, stopTimeout), p.Kill())
	}
}

// Kill ends the process at once, as kill -9 does, and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.Done()
	return nil
}

// Pause stops the process from running, without its noticing, until Resume.
func (p *Process) Pause() error { return p.Signal(syscall.SIGSTOP) }

// Resume lets a paused process run again.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// Log returns everything that the process has printed.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Tail returns the last lines of the log, under the server's name.
func (p *Process) Tail(lines int) string {
	text := bytes.TrimRight([]byte(p.Log()), "\n")
	from := len(text)
	for ; lines > 0 && from >= 0; lines-- {
		from = bytes.LastIndexByte(text[:from], '\n')
	}
	return fmt.Sprintf("--- the end of %s\n%s\n", p.log, text[from+1:])
}
