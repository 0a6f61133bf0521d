package main

import (
	"context"
	"fmt"
	"time"
)

// settling is how long a program runs before it is looked at.
const settling = 3 * time.Second

// measureTrickle looks at a program that keeps up with records as they come.
func measureTrickle(ctx context.Context, b *bench, s shape) (findings, error) {
	var f findings
	live, err := b.startLive(ctx, s)
	if err != nil {
		return f, err
	}
	defer live.close()
	streaming, stop := context.WithCancel(ctx)
	defer stop()
	streamed := make(chan error, 1)
	go func() { streamed <- live.topic.stream(streaming, s.rate) }()
	if err := live.sink.await(ctx, 1, live.program); err != nil {
		return f, err
	}
	time.Sleep(settling)
	live.sink.watchDelays()
	seen, err := live.look(s.window)
	if err != nil {
		return f, err
	}
	found := live.sink.watchDelays()
	stop()
	if err := <-streamed; err != nil {
		return f, err
	}
	if err := live.finish(ctx); err != nil {
		return f, err
	}
	f.add(coreShare, "%", 100*seen.CPU.Seconds()/seen.Wall.Seconds())
	f.add(requestSamples, "", float64(seen.Samples)/float64(max(1, seen.Requests)))
	f.add("from produce to receiver, median", "ms", float64(found.quantile(0.5).Milliseconds()))
	f.add(delay99, "ms", float64(found.quantile(0.99).Milliseconds()))
	f.add(peakMemory, "MiB", live.used.peakMiB())
	return f, nil
}

// measureIdle looks at a program that has nothing to do.
func measureIdle(ctx context.Context, b *bench, s shape) (findings, error) {
	var f findings
	live, err := b.startLive(ctx, s)
	if err != nil {
		return f, err
	}
	defer live.close()
	time.Sleep(settling)
	seen, err := live.look(s.window)
	if err != nil {
		return f, err
	}
	if err := live.finish(ctx); err != nil {
		return f, err
	}
	f.add(coreShare, "%", 100*seen.CPU.Seconds()/seen.Wall.Seconds())
	f.add(peakMemory, "MiB", live.used.peakMiB())
	return f, nil
}

// live is a program that runs until it is stopped, its receiver and its topic.
type live struct {
	topic   *topic
	sink    *sink
	program *process
	used    usage // Of the whole run, after finish.
}

// startLive starts the program on an empty topic.
func (b *bench) startLive(ctx context.Context, s shape) (_ *live, err error) {
	l := &live{}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.topic, err = newTopic(ctx, s.load, b.brokers); err != nil {
		return nil, err
	}
	if l.sink, err = newSink(b.protocol, s.latency); err != nil {
		return nil, err
	}
	l.program, err = b.launch(ctx, assignment{topic: l.topic, url: l.sink.url, settings: s.settings})
	return l, err
}

// look returns what the program uses and does within a window.
func (l *live) look(window time.Duration) (usage, error) {
	cpu, err := l.program.cpu()
	if err != nil {
		return usage{}, err
	}
	before, began := l.sink.received(), time.Now()
	time.Sleep(window)
	after, wall := l.sink.received(), time.Since(began)
	used, err := l.program.cpu()
	if err != nil {
		return usage{}, fmt.Errorf("%w (%s)", err, l.program.describe())
	}
	return usage{CPU: used - cpu, Wall: wall, received: received{
		Samples: after.Samples - before.Samples, Requests: after.Requests - before.Requests, Bytes: after.Bytes - before.Bytes,
	}}, nil
}

// finish waits for everything that was produced, stops the program in good order and
// makes sure that nothing is missing.
func (l *live) finish(ctx context.Context) error {
	if err := l.sink.await(ctx, l.topic.produced, l.program); err != nil {
		return err
	}
	used, err := l.program.stop()
	if err != nil {
		return err
	}
	used.account(l.program, l.sink, l.topic)
	l.used = used
	return used.verify(l.topic)
}

func (l *live) close() {
	if l.program != nil {
		l.program.kill()
	}
	if l.sink != nil {
		l.sink.close()
	}
	if l.topic != nil {
		l.topic.close()
	}
}
