// Bench measures what a record costs. Each shape of load goes from a broker through
// the real program, a process of its own, to a receiver that compares a checksum over
// every sample with what was produced; what the program used is what the operating
// system says. Beside it, in turn, runs a program that does as little as can be.
//
//	go run ./bench -bin bin/kafka2prom -shapes A,E,F
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/kafka2prom/kafka2prom/bench/limit"
)

// options are the flags.
type options struct {
	binary, limit, brokers, protocol, cpuprofile string

	shapes        string
	runs, records int
	short         bool

	json, svg, docs string
}

func main() {
	if err := execute(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// execute runs the benchmark, or one of the processes that it starts.
func execute(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) > 0 && args[0] == "broker" {
		return serveBroker()
	}
	if len(args) > 0 && args[0] == "limit" {
		return runLimit(ctx, args[1:])
	}
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	return o.run(ctx)
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.binary, "bin", "bin/kafka2prom", "the program to measure")
	flags.StringVar(&o.shapes, "shapes", "", "shapes to measure, such as A,E,F (default: all)")
	flags.IntVar(&o.runs, "runs", 0, "runs of which the median counts (default: 5, with -short 1)")
	flags.BoolVar(&o.short, "short", false, "fewer records, one run")
	flags.IntVar(&o.records, "records", 0, "records of the shapes A, C, E, F and G (default: 1000000, with -short 500000)")
	flags.StringVar(&o.protocol, "protocol", "1.0", "remote write of the receiver: 1.0, as the limit program writes, or 2.0")
	flags.StringVar(&o.brokers, "brokers", "", "a real broker in place of the embedded one; the topic "+topicName+" is made anew")
	flags.StringVar(&o.limit, "limit", "", "another limit program in place of our own; it has to take -brokers, -topic, -url and -n, and reads flat JSON only")
	flags.StringVar(&o.cpuprofile, "cpuprofile", "", "have the program write a CPU profile to this file, in the last run of the first topic that is read to its end")
	flags.StringVar(&o.json, "json", "", "write everything that was measured to this file")
	flags.StringVar(&o.svg, "svg", "", "draw the program and its limit into this file")
	flags.StringVar(&o.docs, "docs", "", "replace the table of this document")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.runs == 0 {
		o.runs = 5
		if o.short {
			o.runs = 1
		}
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("there is no argument %q", flags.Arg(0))
	case o.runs < 0 || o.records < 0:
		return o, errors.New("-runs and -records are not negative")
	case o.protocol != "1.0" && o.protocol != "2.0":
		return o, fmt.Errorf("there is no remote write %q", o.protocol)
	}
	return o, nil
}

// chosen are the shapes that were asked for, in the order of the plan.
func (o options) chosen() ([]shape, error) {
	all := plan(o.short, o.records)
	if o.shapes == "" {
		return all, nil
	}
	names := strings.Split(strings.ToUpper(o.shapes), ",")
	for _, name := range names {
		if !slices.ContainsFunc(all, func(s shape) bool { return s.name == name }) {
			return nil, fmt.Errorf("there is no shape %q", name)
		}
	}
	return slices.DeleteFunc(all, func(s shape) bool { return !slices.Contains(names, s.name) }), nil
}

// errLeftOut is of a shape that cannot be measured here; it has said why.
var errLeftOut = errors.New("left out")

func (o options) run(ctx context.Context) error {
	shapes, err := o.chosen()
	if err != nil {
		return err
	}
	if o.docs != "" { // Said now rather than when everything has been measured.
		if _, _, err := aroundFigures(o.docs); err != nil {
			return err
		}
	}
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	r := report{Machine: thisMachine(), Short: o.short, Runs: o.runs}
	fmt.Println(r.Machine)
	for _, s := range shapes {
		found, err := s.measure(ctx, b, s)
		if errors.Is(err, errLeftOut) {
			continue
		}
		if err == nil {
			err = found.judge(s)
		}
		if err != nil {
			return fmt.Errorf("measuring shape %s, %s: %w", s.name, s.title, err)
		}
		fmt.Printf("\n%s: %s\n%s", s.name, s.title, table(found.figures))
		r.Figures, r.Costs = append(r.Figures, found.figures...), append(r.Costs, found.costs...)
	}
	fmt.Print("\n", lines(r.Costs))
	return r.write(o)
}

// runLimit is the process of the limit program.
func runLimit(ctx context.Context, args []string) error {
	var o limit.Options
	var brokers string
	flags := flag.NewFlagSet("limit", flag.ContinueOnError)
	flags.StringVar(&brokers, "brokers", "", "brokers")
	flags.StringVar(&o.Topic, "topic", topicName, "topic")
	flags.StringVar(&o.URL, "url", "", "address of the receiver")
	flags.StringVar(&o.Format, "format", string(flatJSON), "format of the records: json, wide or avro")
	flags.IntVar(&o.Records, "n", 0, "records")
	flags.IntVar(&o.Batch, "batch", 5000, "samples of a request")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.Brokers = strings.Split(brokers, ",")
	return limit.Run(ctx, o)
}
