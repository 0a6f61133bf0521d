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

func main() {
	shape := shape{}
	flag.IntVar(&shape.records, "n", 1_000_000, "records")
	flag.IntVar(&shape.series, "series", 10_000, "distinct series, of 6 labels each")
	flag.IntVar(&shape.partitions, "partitions", 4, "partitions")
	flag.StringVar(&shape.protocol, "protocol", "1.0", "remote write protocol: 1.0 or 2.0")
	binary := flag.String("bin", "bin/kafka2prom", "the program to measure")
	brokers := flag.String("brokers", "", "a real broker instead of the embedded one; the topic kafka2prom-bench is made anew")
	runs := flag.Int("runs", 3, "runs, of which every figure is printed")
	profile := flag.String("cpuprofile", "", "have the program write a CPU profile of the last run to this file")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, shape, *binary, *brokers, *runs, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, s shape, binary, brokers string, runs int, profile string) error {
	topic, err := newTopic(ctx, s, brokers)
	if err != nil {
		return err
	}
	defer topic.close()
	fmt.Printf("%d records of %d bytes, %d series of 6 labels, %d partitions, remote write %s, %d CPUs\n",
		s.records, topic.recordBytes, s.series, s.partitions, s.protocol, runtime.NumCPU())
	for i := range runs {
		if i < runs-1 {
			profile = ""
		}
		result, err := measure(ctx, topic, s, program{binary: binary, profile: profile})
		if err != nil {
			return err
		}
		fmt.Println(result)
	}
	return nil
}
