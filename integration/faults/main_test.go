//go:build faults

package faults

import (
	"fmt"
	"os"
	"testing"

	"github.com/kafka2prom/kafka2prom/integration/harness"
)

// The lab and the results of all scenarios, which run one after the other.
var (
	lab     *harness.Lab
	results []Result
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kafka2prom-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if lab, err = harness.NewLab(dir); err != nil {
		fmt.Fprintln(os.Stderr, "setting up the faults:", err)
		return 1
	}
	status := m.Run()
	fmt.Println()
	for _, line := range tableHead {
		fmt.Println(line)
	}
	for i := range results {
		fmt.Println(results[i].Row())
	}
	if file := os.Getenv("FAULTS_TABLE"); file != "" && status == 0 {
		err = WriteTable(file, results)
	}
	if closed := lab.Close(); err == nil {
		err = closed
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}
