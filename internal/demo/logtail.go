package demo

import (
	"strings"
	"sync"
)

// LogTail keeps the last lines of a log, for a view that has the terminal. It is
// safe for concurrent use.
type LogTail struct {
	mu   sync.Mutex
	last []string
}

// logTailLength is how many lines are kept.
const logTailLength = 5

// Write takes one or more whole lines.
func (l *LogTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(string(p)) {
		l.last = append(l.last, strings.TrimRight(line, "\n"))
	}
	l.last = l.last[max(0, len(l.last)-logTailLength):]
	return len(p), nil
}

// String returns the lines, for when the terminal is free again.
func (l *LogTail) String() string { return strings.Join(l.lines(), "\n") }

func (l *LogTail) lines() []string {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.last...)
}
