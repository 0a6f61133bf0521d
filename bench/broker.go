package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// broker is an embedded broker in a process of its own, so that what it uses is nobody
// else's.
type broker struct {
	addresses []string

	cmd    *exec.Cmd
	stdin  io.Closer    // Closing it ends the process.
	joined atomic.Int64 // When a member last joined a group; nanoseconds of the epoch.
}

// The words of the process on its standard output, each with a value behind it.
const (
	listens = "listens"
	joins   = "joins"
)

// startBroker runs this program anew, as serveBroker. The caller closes it.
func startBroker(ctx context.Context) (*broker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("looking for this program: %w", err)
	}
	b := &broker{cmd: exec.CommandContext(ctx, self, "broker")} //nolint:gosec // It is this program.
	b.cmd.Stderr = os.Stderr
	if b.stdin, err = b.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting the broker: %w", err)
	}
	stdout, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the broker: %w", err)
	}
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the broker: %w", err)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), listens+" ") {
		b.close()
		return nil, fmt.Errorf("starting the broker: it said %q", lines.Text())
	}
	b.addresses = strings.Split(strings.TrimPrefix(lines.Text(), listens+" "), ",")
	go b.listen(lines)
	return b, nil
}

func (b *broker) listen(lines *bufio.Scanner) {
	for lines.Scan() {
		if at, err := strconv.ParseInt(strings.TrimPrefix(lines.Text(), joins+" "), 10, 64); err == nil {
			b.joined.Store(at)
		}
	}
}

func (b *broker) close() {
	_ = b.stdin.Close()
	_ = b.cmd.Wait() // It has nothing to lose.
}

// serveBroker is the process of a broker. It ends with its standard input.
func serveBroker() error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		return fmt.Errorf("starting the embedded broker: %w", err)
	}
	defer cluster.Close()
	// A member that asks for its assignment has joined.
	cluster.ControlKey(kmsg.SyncGroup.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		fmt.Println(joins, time.Now().UnixNano())
		return nil, nil, false
	})
	fmt.Println(listens, strings.Join(cluster.ListenAddrs(), ","))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
