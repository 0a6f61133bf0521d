//go:build integration

// Package integration tests the kafka2prom binary from outside: real Kafka, real
// receivers, a real schema registry. The script servers/fetch brings them.
package integration

import (
	"fmt"
	"os"
	"testing"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// lab is set by TestMain, before any test.
var lab *harness.Lab

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kafka2prom-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	missing, err := missingReceivers()
	if err == nil {
		lab, err = harness.NewLab(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "setting up the integration tests:", err)
		return 1
	}
	status := m.Run()
	for _, text := range missing {
		fmt.Println("LEFT OUT:", text)
	}
	if err := lab.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// missingReceivers names the receivers that this machine cannot have, as they come
// as Debian packages. In CI, where $CI is set, none may be missing.
func missingReceivers() (missing []string, err error) {
	for _, kind := range servers.Kinds() {
		if err := kind.Present(); err != nil {
			if kind == servers.Prometheus || os.Getenv("CI") != "" {
				return nil, err
			}
			missing = append(missing, fmt.Sprintf("%s: %v", kind, err))
		}
	}
	return missing, nil
}
