//go:build faults

package faults

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// The lab and the results of all scenarios, which run one after the other.
var (
	lab     *harness.Lab
	results []Result
	// What the broker advertises to those who come over a line with toxics, and to those
	// who come out of a network of their own.
	toxicDoor, networkDoor string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kafka2prom-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	lacking = findLacking()
	doors, err := servers.FreeAddresses(2)
	if err == nil {
		toxicDoor = doors[0]
		networkDoor = toKafka.address(ours) + doors[1][strings.LastIndex(doors[1], ":"):]
		lab, err = harness.NewLab(dir, toxicDoor, networkDoor)
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
