//go:build faults

package faults

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// The lab and the results of all scenarios, which run one after the other.
var (
	lab     *harness.Lab
	results []Result
	// The address that the broker advertises to those who come over a line with toxics.
	toxicDoor string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kafka2prom-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	doors, err := servers.FreeAddresses(1)
	if err == nil {
		toxicDoor = doors[0]
		lab, err = harness.NewLab(dir, toxicDoor)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "setting up the faults:", err)
		return 1
	}
	began := time.Now()
	status := m.Run()
	fmt.Printf("\n%d scenarios in %s:\n", len(results), time.Since(began).Round(time.Second))
	for _, line := range tableHead {
		fmt.Println(line)
	}
	for i := range results {
		fmt.Println(results[i].Row())
	}
	if file := os.Getenv("FAULTS_TABLE"); file != "" && status == 0 {
		everything := flag.Lookup("test.run").Value.String() == ""
		err = WriteTable(file, results, everything)
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
