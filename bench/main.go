// Bench measures what a record costs: it produces records to an embedded broker, runs
// the real program as a process of its own against a counting receiver, compares a
// checksum over every sample with what was produced, and prints what the
// operating system says the program has used.
//
//	go run ./bench -bin bin/kafka2prom -n 1000000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// options are the flags.
type options struct {
	shape   shape
	program program
	brokers string
	runs    int
}

func main() {
	var o options
	flag.IntVar(&o.shape.records, "n", 1_000_000, "records")
	flag.IntVar(&o.shape.series, "series", 10_000, "distinct series, of 6 labels each")
	flag.IntVar(&o.shape.partitions, "partitions", 4, "partitions")
	flag.StringVar(&o.shape.protocol, "protocol", "1.0", "remote write protocol: 1.0 or 2.0")
	flag.StringVar(&o.program.binary, "bin", "bin/kafka2prom", "the program to measure")
	flag.StringVar(&o.program.profile, "cpuprofile", "", "have the program write a CPU profile of the last run to this file")
	flag.StringVar(&o.brokers, "brokers", "", "a real broker instead of the embedded one; the topic kafka2prom-bench is made anew")
	flag.IntVar(&o.runs, "runs", 3, "runs, of which every figure is printed")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o options) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := o.shape
	topic, err := newTopic(ctx, s, o.brokers)
	if err != nil {
		return err
	}
	defer topic.close()
	fmt.Printf("%d records of %d bytes, %d series of 6 labels, %d partitions, remote write %s, %d CPUs\n",
		s.records, topic.recordBytes, s.series, s.partitions, s.protocol, runtime.NumCPU())
	for i := range o.runs {
		p := o.program
		if i < o.runs-1 {
			p.profile = ""
		}
		result, err := measure(ctx, topic, s, p)
		if err != nil {
			return err
		}
		fmt.Println(result)
	}
	return nil
}
