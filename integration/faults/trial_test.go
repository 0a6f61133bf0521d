//go:build faults

package faults

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/integration/harness"
	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// plan is what a scenario may want to have otherwise.
type plan struct {
	name       string
	injured    string       // What is done to it, for the table.
	lab        *harness.Lab // With another broker than the one of all scenarios.
	partitions int32
	outOfOrder time.Duration
	// pipeline and remote are further lines and keys of the configuration.
	pipeline []string
	remote   string
	topic    map[string]string // Settings.
	dir      string            // Of the receiver. Left out: a temporary one.
	// noLetters leaves out the dead-letter topic; on_error is stop then, if nothing else
	// is said.
	noLetters bool
	// rule and shape of the requests, where they are to be others.
	rule, shape string
	// duplicates, memory and catchUp are bounds. Left out: none may be sent twice,
	// 200 MiB, 30 s.
	duplicates int
	memory     int64
	catchUp    time.Duration
}

// The limits of a batch in each scenario; bounds of duplicates follow from them.
const (
	requestSamples = 500
	shards         = 2
	batches        = 4
	// One inFlight is the most that an instance has in flight, and has landed within a
	// commit interval at the rates of these scenarios.
	inFlight = requestSamples*shards*batches + 4000
)

// The rule and the shape unless a plan has others.
const (
	ledgerRule = `{name: ledger, value: v, timestamp: t, labels: {series: s}}`
	smallShape = "    batch: {max_samples: 500, max_age: 200ms, in_flight: 4}\n    shards: 2"
)

const configuration = `
pipelines:
  - name: faults
    topics: [%q]
    group: %q
    session_timeout: 6s
    heartbeat_interval: 1s
    commit_interval: 200ms
    samples:
      - %s
%s
%s
    retry: {max_backoff: 1s}
%s    remote_write: {url: %q%s}
`

// trial is one scenario while it runs.
type trial struct {
	*testing.T
	plan       plan
	lab        *harness.Lab
	stream     *Stream
	proxy      *Proxy
	prometheus *servers.Receiver
	receiver   string       // Where the program writes to; the proxy, where nothing else is in between.
	site       harness.Site // Where the program runs.
	topic      string
	letters    string // The dead-letter topic.
	group      string

	watched  context.Context    // Ends with the watchers.
	watching context.CancelFunc // Ends them.
	watchers sync.WaitGroup
	renewal  sync.RWMutex // Held while the topic is made anew.
	commits  []commit     // Known once the watchers have ended.

	flowing  context.CancelFunc
	flowed   chan error
	programs []*harness.Program

	mu      sync.Mutex
	unequal []string
	result  Result
}

// begin sets a scenario up: topics, a Prometheus behind a proxy, and the watcher of
// the commits.
func begin(t *testing.T, p plan) *trial {
	t.Helper()
	p.partitions = cmp.Or(p.partitions, 4)
	p.memory = cmp.Or(p.memory, 200<<20)
	p.rule, p.shape = cmp.Or(p.rule, ledgerRule), cmp.Or(p.shape, smallShape)
	p.catchUp = cmp.Or(p.catchUp, 30*time.Second)
	tr := &trial{T: t, plan: p, lab: cmp.Or(p.lab, lab), result: Result{Name: p.name, Injured: p.injured}}
	tr.prometheus = tr.lab.ReceiverIn(t, cmp.Or(p.dir, t.TempDir()), servers.ReceiverOptions{OutOfOrder: p.outOfOrder})
	proxy, err := StartProxy(tr.prometheus.WriteURL())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	tr.proxy, tr.receiver = proxy, proxy.URL
	tr.topic = tr.lab.TopicWith(t, "faults", p.partitions, p.topic)
	// The broker's clock says when a dead letter was in the log.
	tr.letters = tr.lab.TopicWith(t, "faults-dead", 1, map[string]string{"message.timestamp.type": "LogAppendTime", "max.message.bytes": "67108864"})
	tr.group = "group-" + tr.topic
	tr.stream = NewStream(tr.topic, p.partitions)

	ctx, cancel := context.WithCancel(context.Background())
	tr.watched, tr.watching = ctx, cancel
	t.Cleanup(cancel)
	tr.watchers.Go(func() {
		tr.commits = watchCommits(ctx, func(ctx context.Context) (map[int32]int64, error) {
			tr.renewal.RLock()
			defer tr.renewal.RUnlock()
			committed, err := tr.lab.Committed(ctx, tr.group, tr.topic)
			return tr.stream.Onward(committed), err
		})
	})
	return tr
}

// through has the program write to the proxy over a line.
func (tr *trial) through(l *line) { tr.receiver = "http://" + l.proxy.Listen + writePath }

// start runs an instance, and watches it. Further lines of its pipeline may be given.
func (tr *trial) start(lines ...string) *harness.Program {
	tr.Helper()
	var extra strings.Builder
	for _, line := range append(lines, tr.plan.pipeline...) {
		extra.WriteString("    " + line + "\n")
	}
	program := tr.lab.RunAt(tr.T, tr.site, fmt.Sprintf(configuration, tr.topic, tr.group, tr.plan.rule, tr.deadLetter(), tr.plan.shape, extra.String(), tr.receiver, tr.plan.remote))
	tr.programs = append(tr.programs, program)
	tr.watchers.Go(func() { tr.scrape(program) })
	return program
}

// deadLetter is the configuration's line about dead letters.
func (tr *trial) deadLetter() string {
	if tr.plan.noLetters {
		return ""
	}
	return fmt.Sprintf("    dead_letter: {topic: %q}", tr.letters)
}

// scrapeInterval is how often an instance is asked for its metrics.
const scrapeInterval = 100 * time.Millisecond

// scrape asks an instance for its metrics, until the watchers end. Scrapes that fail
// are left out: it may be down.
func (tr *trial) scrape(program *harness.Program) {
	for tr.watched.Err() == nil {
		samples, err := program.Scrape(tr.watched)
		peak, gone := program.PeakMemory()
		tr.mu.Lock()
		if err == nil {
			tr.result.Scrapes++
			tr.unequal = append(tr.unequal, unequal(samples)...)
			running, _ := sum(samples, "go_goroutines")
			tr.result.Goroutines = max(tr.result.Goroutines, int(running))
		}
		if gone == nil {
			tr.result.PeakMemory = max(tr.result.PeakMemory, peak)
		}
		tr.mu.Unlock()
		select {
		case <-tr.watched.Done():
		case <-time.After(scrapeInterval):
		}
	}
}

// flow produces so many records a second and partition until calm.
func (tr *trial) flow(perSecond int) {
	ctx, cancel := context.WithCancel(context.Background())
	tr.Cleanup(cancel)
	tr.flowing, tr.flowed = cancel, make(chan error, 1)
	go func() { tr.flowed <- tr.stream.Flow(ctx, tr.lab, perSecond) }()
}

// calm ends the flow and returns when all of it is acknowledged.
func (tr *trial) calm() {
	tr.Helper()
	tr.flowing()
	require.NoError(tr, <-tr.flowed)
}

// committed is the sum of the offsets that the group has committed.
func (tr *trial) committed() (total int64) {
	offsets, err := tr.lab.Committed(tr.Context(), tr.group, tr.topic)
	if err != nil {
		return -1
	}
	for _, offset := range offsets {
		total += offset
	}
	return total
}

// awaitCommitted waits until the group has committed more than that.
func (tr *trial) awaitCommitted(more int64) {
	tr.Helper()
	require.Eventually(tr, func() bool { return tr.committed() > more }, tr.plan.catchUp, 20*time.Millisecond, "more than %d committed", more)
}

// awaitNoLag waits until everything is committed, and notes how long that took
// at most.
func (tr *trial) awaitNoLag() {
	tr.Helper()
	began := time.Now()
	for {
		ends, err := tr.lab.Ends(tr.Context(), tr.topic)
		maps.DeleteFunc(ends, func(_ int32, end int64) bool { return end == 0 })
		committed, failed := tr.lab.Committed(tr.Context(), tr.group, tr.topic)
		took := time.Since(began)
		if err == nil && failed == nil && maps.Equal(committed, ends) {
			tr.result.CatchUp = max(tr.result.CatchUp, took)
			return
		}
		require.Less(tr, took, tr.plan.catchUp, "LIVENESS: committed %v of %v, %v, %v", committed, ends, err, failed)
		time.Sleep(50 * time.Millisecond)
	}
}

// finish waits for lag 0, ends the instances, reads everything back and holds it
// against the ledger.
func (tr *trial) finish() {
	tr.Helper()
	tr.awaitNoLag()
	for _, p := range tr.programs {
		if p.Running() {
			p.Terminate(tr.T)
		}
	}
	tr.watching()
	tr.watchers.Wait()
	tr.check()
}

// check fills the result in, prints it and fails the scenario where it is not good.
func (tr *trial) check() {
	tr.Helper()
	letters, err := ReadLetters(tr.lab.Records(tr.T, tr.letters))
	require.NoError(tr, err)
	produced := tr.stream.Produced()
	stored := harness.Stored(tr.T, tr.prometheus, produced)
	difference := harness.Compare(produced, stored)
	ends := tr.stream.settled(&tr.proxy.Journal, letters)
	early := tooFar(tr.commits, ends)
	back := rewinds(tr.commits)
	misplaced := letters.Misplaced(tr.stream)

	r := &tr.result
	r.Records, r.Letters = tr.stream.Len(), len(letters)
	r.Lost, r.Wrong, r.Phantom = difference.Missing, difference.Wrong, difference.Phantom
	r.TooFar, r.Rewinds = len(early), len(back)
	_, r.Duplicates = tr.proxy.Journal.Accepted()
	var statuses map[int]int
	r.Requests, statuses = tr.proxy.Requests()
	for status, n := range statuses {
		if status/100 != 2 {
			r.Failed += n
		}
	}
	tr.Log(r.Row(), "statuses", statuses, "neither accepted nor dead letters", endless(ends))
	results = append(results, *r)

	require.NotZero(tr, produced.Len(), "a ledger without samples would prove nothing")
	require.NotEmpty(tr, tr.commits, "no commit was seen")
	require.NotZero(tr, r.Scrapes, "no scrape was seen")
	require.Empty(tr, difference.String(), "LOST, PHANTOM or WRONG VALUE")
	require.Empty(tr, misplaced, "dead letters")
	require.Empty(tr, early, "COMMITTED TOO FAR")
	require.Empty(tr, back, "NON-MONOTONIC COMMIT")
	require.Empty(tr, tr.unequal, "the equations of the metrics")
	require.LessOrEqual(tr, r.Duplicates, tr.plan.duplicates, "DUPLICATES")
	require.Less(tr, r.PeakMemory, tr.plan.memory, "MEMORY")
	require.Less(tr, r.Goroutines, goroutines, "GOROUTINES")
}

// goroutines is the most that an instance may have.
const goroutines = 300
