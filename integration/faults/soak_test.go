//go:build faults && soak

package faults

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/kafka2prom/kafka2prom/integration/harness"
)

const (
	// After each epoch everything is checked and forgotten, so that a soak of a day
	// takes no more memory than one of two minutes.
	epochLength      = 2 * time.Minute
	soakRate         = 250              // Records a second and partition.
	progressInterval = 10 * time.Second // How often a soak says how far it is.
)

// Faults of every kind meet at random, for as long as one likes. $SOAK_SEED gives the
// same ones again, $SOAK_SECONDS says for how long.
func TestSoak(t *testing.T) {
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("SOAK_SEED"), strconv.Itoa(rand.IntN(1_000_000))), 10, 64)
	require.NoError(t, err, "SOAK_SEED")
	seconds, err := strconv.Atoi(cmp.Or(os.Getenv("SOAK_SECONDS"), "600"))
	require.NoError(t, err, "SOAK_SECONDS")
	again := fmt.Sprintf("make soak SECONDS=%d SEED=%d", seconds, seed)
	fmt.Println("soak: this is", again)
	began := time.Now()
	defer func() {
		fmt.Printf("soak: %s in %s: %s\n", again, time.Since(began).Round(time.Second), summary(t, results))
	}()
	left := time.Duration(seconds) * time.Second
	for number := uint64(0); left > 0 && !t.Failed(); number++ {
		e := NewEpoch(seed, number, min(left, epochLength))
		left -= e.Length
		t.Run(fmt.Sprintf("epoch %d", number), func(t *testing.T) { soak(t, e) })
	}
}

// summary is what all epochs came to.
func summary(t *testing.T, epochs []Result) string {
	t.Helper()
	var all Result
	for _, r := range epochs {
		all.Records += r.Records
		all.Requests, all.Failed = all.Requests+r.Requests, all.Failed+r.Failed
		all.Lost, all.Wrong, all.Phantom = all.Lost+r.Lost, all.Wrong+r.Wrong, all.Phantom+r.Phantom
		all.TooFar, all.Rewinds = all.TooFar+r.TooFar, all.Rewinds+r.Rewinds
		all.Duplicates, all.Letters = all.Duplicates+r.Duplicates, all.Letters+r.Letters
		all.Scrapes += r.Scrapes
		all.CatchUp, all.PeakMemory = max(all.CatchUp, r.CatchUp), max(all.PeakMemory, r.PeakMemory)
		all.Goroutines = max(all.Goroutines, r.Goroutines)
	}
	verdict := "all is well"
	if t.Failed() {
		verdict = "FAILED"
	}
	return fmt.Sprintf("%s; %d epochs, %d records, %d requests (%d failed), %d lost, %d wrong, %d phantom, %d committed too far, "+
		"%d commits back, %d sent twice, %d dead letters, caught up after %.1f s, %d MiB, %d goroutines, %d scrapes",
		verdict, len(epochs), all.Records, all.Requests, all.Failed, all.Lost, all.Wrong, all.Phantom, all.TooFar,
		all.Rewinds, all.Duplicates, all.Letters, all.CatchUp.Seconds(), all.PeakMemory>>20, all.Goroutines, all.Scrapes)
}

// soaked is one epoch while it runs.
type soaked struct {
	*trial
	epoch   Epoch
	members []*harness.Program // Two that are always there, and a guest.
	proof   int64              // Milliseconds: a sample of the series "twice" is stored for this time.

	mu  sync.Mutex
	now map[int]Injury // By lane.
}

// soak runs an epoch, and checks everything when its last injury has healed.
func soak(t *testing.T, e Epoch) {
	t.Helper()
	fmt.Println(e)
	s := &soaked{epoch: e, now: map[int]Injury{}}
	s.trial = begin(t, plan{
		name: fmt.Sprintf("soak, seed %d, epoch %d", e.Seed, e.Number), injured: e.Protocol + ", " + e.Group,
		outOfOrder: time.Hour, pipeline: groupLines()[e.Group],
		remote: fmt.Sprintf(", protocol: '%s', on_possibly_stored: dead_letter", e.Protocol),
	})
	s.gather()
	s.flow(soakRate)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.report(ctx)
	err := s.injure(ctx)
	s.calm()
	require.NoError(t, err)
	for i, p := range s.members[:2] {
		require.True(t, p.Running(), "member %d has ended by itself: %s", i, p.Tail(5))
	}
	s.plan.duplicates = s.repeats()
	s.finish()
	s.forget()
}

// gather starts the members, has something committed, and sends the guest away.
func (s *soaked) gather() {
	s.Helper()
	for _, id := range []string{"one", "two", "guest"} {
		var lines []string
		if s.epoch.Group == "static" {
			lines = append(lines, "instance_id: "+id)
		}
		s.members = append(s.members, s.start(lines...))
	}
	s.proof = time.Now().Add(-time.Minute).UnixMilli()
	s.lab.Produce(s.T, append(s.stream.Next(100), s.stream.Sample(0, "twice", s.proof, stored))...)
	s.awaitNoLag()
	require.NoError(s, leave(s.members[2]))
}

// injure goes through all lanes at once. It returns when everything has healed.
func (s *soaked) injure(ctx context.Context) error {
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for i := range lanes() {
		group.Go(func() error {
			for _, step := range s.epoch.Steps {
				if step.Lane != i {
					continue
				}
				if !sleep(ctx, time.Until(began.Add(step.At))) {
					return nil // Another lane has failed.
				}
				if err := s.suffer(ctx, step); err != nil {
					return fmt.Errorf("at %s: %w", step, err)
				}
			}
			sleep(ctx, time.Until(began.Add(s.epoch.Length)))
			return nil
		})
	}
	return group.Wait()
}

// suffer inflicts one injury, and heals it.
func (s *soaked) suffer(ctx context.Context, step Step) error {
	s.note(step.Lane, step.Injury)
	defer s.note(step.Lane, "")
	treatment := s.treatments()[step.Injury]
	if err := treatment.inflict(step); err != nil {
		return err
	}
	sleep(ctx, step.For)
	if treatment.heal == nil {
		return nil
	}
	return treatment.heal(step)
}

// sleep waits that long, or until ctx ends: then it is false.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (s *soaked) note(lane int, injury Injury) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now[lane] = injury; injury == "" {
		delete(s.now, lane)
	}
}

// report says how far the epoch is, until ctx ends.
func (s *soaked) report(ctx context.Context) {
	for began := time.Now(); sleep(ctx, progressInterval); {
		requests, _ := s.proxy.Requests()
		_, again := s.proxy.Journal.Accepted()
		s.mu.Lock()
		now := slices.Sorted(maps.Values(s.now))
		s.mu.Unlock()
		fmt.Printf("soak: epoch %d, %3.0f s: %d records, %d requests, %d sent twice, now %q\n",
			s.epoch.Number, time.Since(began).Seconds(), s.stream.Len(), requests, again, now)
	}
}

// repeats is how many samples may have been sent twice. Each member may lose what it
// has in flight when the group or the broker is disturbed, and a request whose answer
// does not come is sent again.
func (s *soaked) repeats() int {
	_, statuses := s.proxy.Requests()
	most := statuses[0] * requestSamples
	for _, step := range s.epoch.Steps {
		switch step.Injury {
		case InstanceKilled, InstanceEnded, InstanceFrozen, GuestJoins, BrokerKilled, BrokerFrozen:
			most += len(s.members) * inFlight
		case ReceiverKilled:
			most += len(s.members) * shards * requestSamples
		}
	}
	return most
}

// forget removes the topics of the epoch from the broker.
func (s *soaked) forget() {
	s.Helper()
	deleted, err := s.lab.Admin().DeleteTopics(s.Context(), s.topic, s.letters)
	require.NoError(s, err)
	require.NoError(s, deleted.Error())
}
