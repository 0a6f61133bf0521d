package faults

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Result is what one scenario came to.
type Result struct {
	Name     string
	Records  int
	Requests int
	Failed   int // Requests that did not get a 2xx.
	Injured  string

	Lost, Wrong, Phantom int
	TooFar, Rewinds      int
	Duplicates, Letters  int
	CatchUp              time.Duration // From the end of the fault to lag 0.
	PeakMemory           int64         // Bytes.
	Goroutines           int           // The most of them.
	Scrapes              int           // In each of them both equations were checked.
}

// The table stands between these lines.
const (
	tableBegin = "<!-- table: begin -->"
	tableEnd   = "<!-- table: end -->"
)

var tableHead = []string{
	"| scenario | what was done to it | records | requests (failed) | lost | wrong | phantom | committed too far | commits back | sent twice | dead letters | caught up after | peak memory | scrapes |",
	"|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
}

// Row is the result as a line of the table.
func (r *Result) Row() string {
	return fmt.Sprintf("| %s | %s | %d | %d (%d) | %d | %d | %d | %d | %d | %d | %d | %.1f s | %d MiB | %d |",
		r.Name, r.Injured, r.Records, r.Requests, r.Failed, r.Lost, r.Wrong, r.Phantom, r.TooFar, r.Rewinds,
		r.Duplicates, r.Letters, r.CatchUp.Seconds(), r.PeakMemory>>20, r.Scrapes)
}

// WriteTable puts results into the table of a document. Rows of scenarios that have
// not been run stay as they are, unless the whole table is to be new: then those of
// scenarios that are no more go.
func WriteTable(file string, results []Result, whole bool) error {
	old, err := os.ReadFile(file) //nolint:gosec // A document of ours.
	if err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	text, err := replaceTable(string(old), results, whole)
	if err != nil {
		return fmt.Errorf("writing the table of %s: %w", file, err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // A document.
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

func replaceTable(text string, results []Result, whole bool) (string, error) {
	before, rest, begun := strings.Cut(text, tableBegin)
	table, after, ended := strings.Cut(rest, tableEnd)
	if !begun || !ended {
		return "", fmt.Errorf("there are no lines %q and %q", tableBegin, tableEnd)
	}
	var rows []string
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !whole && line != "" && !slices.Contains(tableHead, line) && !strings.HasPrefix(line, "| scenario ") {
			rows = append(rows, line)
		}
	}
	for i := range results {
		row := results[i].Row()
		named := "| " + results[i].Name + " |"
		if at := slices.IndexFunc(rows, func(old string) bool { return strings.HasPrefix(old, named) }); at >= 0 {
			rows[at] = row
		} else {
			rows = append(rows, row)
		}
	}
	lines := slices.Concat([]string{tableBegin}, tableHead, rows, []string{tableEnd})
	return before + strings.Join(lines, "\n") + after, nil
}
