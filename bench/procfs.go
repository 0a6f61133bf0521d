package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc, which is the same on every Linux that Go
// runs on.
const tick = 10 * time.Millisecond

// cpuOf is the user and system time that a running process has used so far.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) //nolint:gosec // It is a number.
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time of a process: %w", err)
	}
	return parseCPU(string(text))
}

// parseCPU takes fields 14 and 15 of /proc/<pid>/stat. The second field is the name in
// parentheses, which may have anything in it.
func parseCPU(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("reading the CPU time of a process: there are too few fields")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time of a process: %w", err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time of a process: %w", err)
	}
	return time.Duration(user+system) * tick, nil
}

// peakOf is the most memory that a running process has ever had, in bytes.
func peakOf(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory of a process: %w", err)
	}
	return kibibytes(string(text), "VmHWM:")
}

// kibibytes finds a line such as "VmHWM:   123 kB", and returns bytes.
func kibibytes(text, key string) (int64, error) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, key); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading %s %w", key, err)
			}
			return n << 10, nil
		}
	}
	return 0, fmt.Errorf("reading %s it is not there", key)
}

// machine is what the figures were measured on.
type machine struct {
	Processor string `json:"processor"`
	CPUs      int    `json:"cpus"`
	Memory    int64  `json:"memory_bytes"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
}

// thisMachine leaves out what the system does not tell.
func thisMachine() machine {
	m := machine{Processor: "unknown", CPUs: runtime.NumCPU(), Kernel: "unknown", Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.Processor = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		m.Memory, _ = kibibytes(string(text), "MemTotal:") // 0 where it is not told.
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	return m
}

// String is for people.
func (m machine) String() string {
	return fmt.Sprintf("%s, %d CPUs, %.1f GiB, Linux %s, %s", m.Processor, m.CPUs, float64(m.Memory)/(1<<30), m.Kernel, m.Go)
}
