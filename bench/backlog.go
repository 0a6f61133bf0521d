package main

import (
	"context"
	"fmt"
	"time"
)

// workload is a topic that is read to its end, under conditions that make two of them
// comparable.
type workload struct {
	load     load
	latency  time.Duration
	settings string
	limit    bool // Whether the limit program is run too.
}

// measureBacklog reads a topic to its end, in turn with the limit program.
func measureBacklog(ctx context.Context, b *bench, s shape) (findings, error) {
	var f findings
	c, err := b.cost(ctx, workload{load: s.load, latency: s.latency, settings: s.settings, limit: true})
	if err != nil {
		return f, err
	}
	f.costs = []cost{c}
	f.add(perCPUSecond, "", medianOf(c.Ours, usage.perCPU))
	if len(c.Limit) > 0 {
		f.add(perCPUSecond+" of the limit", "", medianOf(c.Limit, usage.perCPU))
		f.add(ofTheLimit, "%", 100*c.limitRatio())
	}
	f.add("records per second", "", medianOf(c.Ours, usage.perSecond))
	f.add(peakMemory, "MiB", medianOf(c.Ours, usage.peakMiB))
	f.add("bytes of a sample on the wire", "B", medianOf(c.Ours, func(u usage) float64 { return float64(u.Bytes) / float64(u.Samples) }))
	return f, nil
}

// measureAvro is measureBacklog, beside the same content as flat JSON.
func measureAvro(ctx context.Context, b *bench, s shape) (findings, error) {
	f, err := measureBacklog(ctx, b, s)
	if err != nil {
		return f, err
	}
	flat := s.load
	flat.format = flatJSON
	c, err := b.cost(ctx, workload{load: flat, limit: true})
	if err != nil {
		return f, err
	}
	f.add(ofFlatRate, "%", 100*medianOf(f.costs[0].Ours, usage.perCPU)/medianOf(c.Ours, usage.perCPU))
	return f, nil
}

// measureDistance compares the rate of the wall clock with that of a receiver which
// answers at once.
func measureDistance(ctx context.Context, b *bench, s shape) (findings, error) {
	var f findings
	near, err := b.cost(ctx, workload{load: s.load, settings: s.settings})
	if err != nil {
		return f, err
	}
	far, err := b.cost(ctx, workload{load: s.load, settings: s.settings, latency: s.latency})
	if err != nil {
		return f, err
	}
	f.costs = []cost{near, far}
	f.add("records per second, near", "", medianOf(near.Ours, usage.perSecond))
	f.add("records per second, far", "", medianOf(far.Ours, usage.perSecond))
	f.add(ofNearRate, "%", 100*medianOf(far.Ours, usage.perSecond)/medianOf(near.Ours, usage.perSecond))
	return f, nil
}

// cost measures a workload, unless it has been already.
func (b *bench) cost(ctx context.Context, w workload) (cost, error) {
	if c, ok := b.costs[w]; ok {
		return c, nil
	}
	t, err := filledTopic(ctx, w.load, b.brokers)
	if err != nil {
		return cost{}, err
	}
	defer t.close()
	c := cost{Case: w.load.String()}
	if w.latency > 0 {
		c.Case += ", receiver " + w.latency.String() + " away"
	}
	// The profile is of the first workload, which is shape A's where that is measured.
	profile := b.cpuprofile
	if len(b.costs) > 0 {
		profile = ""
	}
	for i := range b.runs {
		a := assignment{topic: t, settings: w.settings, toTheEnd: true}
		if i == b.runs-1 {
			a.profile = profile
		}
		used, err := b.readAll(ctx, a, w.latency)
		if err != nil {
			return cost{}, err
		}
		c.Ours = append(c.Ours, used)
		if !w.limit {
			continue
		}
		if used, err = b.readAllAtTheLimit(ctx, t, w.latency); err != nil {
			return cost{}, err
		}
		c.Limit = append(c.Limit, used)
	}
	b.costs[w] = c
	return c, nil
}

// readAll runs the program to the end of the topic, and makes sure that everything
// has come.
func (b *bench) readAll(ctx context.Context, a assignment, latency time.Duration) (usage, error) {
	s, err := newSink(b.protocol, latency)
	if err != nil {
		return usage{}, err
	}
	defer s.close()
	a.url = s.url
	p, err := b.launch(ctx, a)
	if err != nil {
		return usage{}, err
	}
	used, err := p.wait()
	if err != nil {
		return usage{}, err
	}
	used.account(p, s, a.topic)
	if err := used.verify(a.topic); err != nil {
		return usage{}, fmt.Errorf("checking what the program wrote: %w", err)
	}
	return used, nil
}

func (b *bench) readAllAtTheLimit(ctx context.Context, t *topic, latency time.Duration) (usage, error) {
	s, err := newSink("1.0", latency)
	if err != nil {
		return usage{}, err
	}
	defer s.close()
	p, err := b.launchLimit(ctx, t, s.url)
	if err != nil {
		return usage{}, err
	}
	used, err := p.wait()
	if err != nil {
		return usage{}, err
	}
	used.account(p, s, t)
	if err := used.verify(t); err != nil {
		return usage{}, fmt.Errorf("checking what the limit program wrote: %w", err)
	}
	return used, nil
}

// account adds what the receiver and the broker have seen.
func (u *usage) account(p *process, s *sink, t *topic) {
	u.received = s.received()
	u.Records = t.produced
	u.First, u.Last = u.first.Sub(p.began), u.last.Sub(p.began)
	if at := t.joined(); at.After(p.began) {
		u.Joined = at.Sub(p.began)
	}
}
