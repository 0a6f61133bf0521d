package servers

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// PeakMemory is the most that the process has ever had in memory, in bytes
// (VmHWM of Linux). It is an error once the process has ended.
func (p *Process) PeakMemory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, fmt.Errorf("reading the memory of %s: %w", p.command.Name, err)
	}
	return parsePeak(string(text))
}

// parsePeak finds the line "VmHWM:   123 kB".
func parsePeak(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kibibytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading VmHWM: %w", err)
			}
			return kibibytes << 10, nil
		}
	}
	return 0, errors.New("reading the memory of a process: there is no VmHWM, it has ended")
}

// PID is the number of the process.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}
