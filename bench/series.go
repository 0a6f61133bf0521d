package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// commits is how long the offsets of what has landed may stay uncommitted: the default
// of commit_interval, and as long again.
const commits = 2 * time.Second

// fewSeries are so few that what they take does not count.
const fewSeries = 10_000

// measureSeries sends samples of every series, and then of every series again.
func measureSeries(ctx context.Context, b *bench, s shape) (findings, error) {
	var f findings
	var first, second, peaks []float64
	for range b.runs {
		p, err := b.twoPasses(ctx, s)
		if err != nil {
			return f, err
		}
		first, second, peaks = append(first, p.first), append(second, p.second), append(peaks, p.peak)
	}
	few := s.load
	few.series = fewSeries
	base, err := b.cost(ctx, workload{load: few, settings: s.settings})
	if err != nil {
		return f, err
	}
	f.costs = []cost{base}
	peak := median(peaks)
	grown := max(0, peak-medianOf(base.Ours, usage.peakMiB))
	f.add("records per CPU-second in the first pass", "", median(first))
	f.add(knownSeries, "", median(second))
	f.add(peakMemory, "MiB", peak)
	f.add("peak memory with "+group(fewSeries)+" series", "MiB", medianOf(base.Ours, usage.peakMiB))
	f.add(seriesMemory, "B", grown*(1<<20)/float64(s.load.series-fewSeries))
	return f, nil
}

// passes are records per CPU-second of both passes, and the peak of memory in MiB.
type passes struct{ first, second, peak float64 }

// twoPasses stops the program from running between the passes, so that the second is a
// backlog like the first and the producer takes no part of the machine from it.
func (b *bench) twoPasses(ctx context.Context, s shape) (passes, error) {
	l, err := b.startLive(ctx, shape{load: s.load, settings: s.settings})
	if err != nil {
		return passes{}, err
	}
	defer l.close()
	var spent [2]time.Duration
	for i := range spent {
		// It may still be joining; then it is stopped a little later.
		if err := l.program.signal(syscall.SIGSTOP); err != nil {
			return passes{}, err
		}
		before, err := l.program.cpu()
		if err != nil {
			return passes{}, err
		}
		if err := l.topic.fill(ctx, s.load.series); err != nil {
			return passes{}, err
		}
		if err := l.program.signal(syscall.SIGCONT); err != nil {
			return passes{}, err
		}
		if err := l.sink.await(ctx, l.topic.produced, l.program); err != nil {
			return passes{}, err
		}
		time.Sleep(commits)
		after, err := l.program.cpu()
		if err != nil {
			return passes{}, err
		}
		spent[i] = after - before
	}
	if err := l.finish(ctx); err != nil {
		return passes{}, err
	}
	rate := func(d time.Duration) float64 { return float64(s.load.series) / d.Seconds() }
	return passes{rate(spent[0]), rate(spent[1]), l.used.peakMiB()}, nil
}

// measureFlood sends one sample each of more series than the program takes, and of
// half as many, which still are more.
func measureFlood(ctx context.Context, b *bench, s shape) (findings, error) {
	var f findings
	half := s.load
	half.series, half.records = s.load.series/2, s.load.records/2
	var peaks [2]float64
	for i, l := range []load{half, s.load} {
		used, err := b.flood(ctx, l, s.settings)
		if err != nil {
			return f, err
		}
		peaks[i] = used.peakMiB()
		f.add("peak memory with "+group(int64(l.series))+" series", "MiB", used.peakMiB())
		f.add("series taken of "+group(int64(l.series)), "", float64(used.Samples))
	}
	f.add(twiceSeries, "%", 100*peaks[1]/peaks[0])
	return f, nil
}

// flood reads a topic of which the program refuses the series beyond its limit.
func (b *bench) flood(ctx context.Context, l load, settings string) (usage, error) {
	t, err := filledTopic(ctx, l, b.brokers)
	if err != nil {
		return usage{}, err
	}
	defer t.close()
	s, err := newSink(b.protocol, 0)
	if err != nil {
		return usage{}, err
	}
	defer s.close()
	p, err := b.launch(ctx, assignment{topic: t, url: s.url, settings: settings, toTheEnd: true})
	if err != nil {
		return usage{}, err
	}
	used, err := p.wait()
	if err != nil {
		return usage{}, err
	}
	used.account(p, s, t)
	if used.Samples == 0 || used.Samples > t.produced {
		return usage{}, fmt.Errorf("%d samples came of %d records", used.Samples, t.produced)
	}
	return used, nil
}
