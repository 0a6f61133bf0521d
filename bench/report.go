package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// report is everything that one command has measured.
type report struct {
	Machine machine  `json:"machine"`
	Short   bool     `json:"short"`
	Runs    int      `json:"runs"`
	Figures []figure `json:"figures"`
	Costs   []cost   `json:"costs"`
}

// write makes the files that were asked for.
func (r report) write(o options) error {
	if o.json != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return fmt.Errorf("encoding the report: %w", err)
		}
		if err := save(o.json, append(text, '\n')); err != nil {
			return err
		}
	}
	if o.svg != "" {
		if err := save(o.svg, []byte(plot(barsOf(r.Costs)))); err != nil {
			return err
		}
	}
	if o.docs == "" {
		return nil
	}
	return document(o.docs, r.markdown(o))
}

func save(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // Results are for everybody.
		return fmt.Errorf("saving results: %w", err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil { //nolint:gosec // Results are for everybody.
		return fmt.Errorf("saving results: %w", err)
	}
	return nil
}

// The figures of a document stand between these lines.
const (
	figuresBegin = "<!-- figures: begin -->"
	figuresEnd   = "<!-- figures: end -->"
)

// document puts the figures into a file, in place of those that are there.
func document(file, figures string) error {
	before, after, err := aroundFigures(file)
	if err != nil {
		return err
	}
	return save(file, []byte(before+figuresBegin+"\n"+figures+figuresEnd+after))
}

// aroundFigures is what a document has before and behind its figures.
func aroundFigures(file string) (before, after string, err error) {
	text, err := os.ReadFile(file) //nolint:gosec // The user names the file.
	if err != nil {
		return "", "", fmt.Errorf("looking for the figures: %w", err)
	}
	before, rest, begun := strings.Cut(string(text), figuresBegin)
	_, after, ended := strings.Cut(rest, figuresEnd)
	if !begun || !ended {
		return "", "", fmt.Errorf("looking for the figures of %s: there are no lines %q and %q", file, figuresBegin, figuresEnd)
	}
	return before, after, nil
}

// markdown is the machine, the table, and the plot where one was drawn.
func (r report) markdown(o options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Medians of %d runs", r.Machine, r.Runs)
	if r.Short {
		b.WriteString(", short")
	}
	b.WriteString(".\n\n| shape | figure | measured | goal | reached |\n|---|---|--:|--:|---|\n")
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.Shape, f.Name, amount(f.Value, f.Unit), f.goal(), f.verdict())
	}
	if image, err := filepath.Rel(filepath.Dir(o.docs), o.svg); o.svg != "" && err == nil {
		fmt.Fprintf(&b, "\n![records per CPU-second of the program and of the limit](%s)\n", filepath.ToSlash(image))
	}
	return b.String()
}
