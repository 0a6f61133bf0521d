//go:build faults

package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// ability is what some scenarios want of a machine.
type ability string

const (
	networkPartitions ability = "network partitions"
	smallDisks        ability = "full disks"
)

// lacking has the abilities that this machine has not, and why. TestMain finds them
// out and prints them; the scenarios that want one are not run, and have no row.
var lacking map[ability]error

func findLacking() map[ability]error {
	found := make(map[ability]error)
	for a, try := range map[ability]func() error{networkPartitions: tryNetwork, smallDisks: tryDisk} {
		err := try()
		if os.Geteuid() != 0 {
			err = errors.New("they need root")
		}
		if err != nil {
			found[a] = err
			fmt.Printf("LEFT OUT: %s: %v\n", a, err)
		}
	}
	return found
}

// command runs a command of the system that ends by itself.
func command(name string, words ...string) error {
	out, err := exec.Command(name, words...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("running %s %v: %w: %s", name, words, err, out)
	}
	return nil
}
