package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Injury is what a soak does to the program, or to what it talks to.
type Injury string

// The injuries of a soak. Those that end an instance or a server start it again when
// they heal.
const (
	InstanceKilled Injury = "kill -9 of an instance"
	InstanceEnded  Injury = "SIGTERM to an instance"
	InstanceFrozen Injury = "SIGSTOP of an instance"
	GuestJoins     Injury = "a third instance"

	BrokerKilled Injury = "kill -9 of the broker"
	BrokerFrozen Injury = "SIGSTOP of the broker"

	ReceiverKilled Injury = "kill -9 of Prometheus"
	ReceiverFrozen Injury = "SIGSTOP of Prometheus"

	AnswersFail    Injury = "5xx, 429 and resets"
	AnswersLost    Injury = "answers lost"
	AnswersLate    Injury = "answers late"
	AnswersRefuse  Injury = "401, 403 or 404"
	RecordsHostile Injury = "hostile records"
	RecordsRefused Injury = "samples that Prometheus refuses"
	RecordsAborted Injury = "an aborted transaction"
)

// lane is a row of injuries of which one at a time is there. Different lanes know
// nothing of each other, so that their injuries meet in every way.
type lane struct {
	pause   span // Between one injury and the next.
	choices []choice
}

// choice is an injury, and how long it may last. The session timeout of the
// instances is 6 s: some of those that are frozen are thrown out of the group.
type choice struct {
	injury Injury
	lasts  span
}

type span struct{ shortest, longest time.Duration }

func (s span) draw(random *rand.Rand) time.Duration {
	return s.shortest + time.Duration(random.Int64N(int64(s.longest-s.shortest)+1)).Truncate(time.Millisecond)
}

func lanes() []lane {
	const s = time.Second
	return []lane{
		{span{2 * s, 10 * s}, []choice{
			{InstanceKilled, span{s / 10, 3 * s}},
			{InstanceEnded, span{s / 10, 3 * s}},
			{InstanceFrozen, span{s, 10 * s}},
			{GuestJoins, span{3 * s, 8 * s}},
		}},
		{span{15 * s, 40 * s}, []choice{{BrokerKilled, span{s / 10, 3 * s}}, {BrokerFrozen, span{s, 10 * s}}}},
		{span{10 * s, 30 * s}, []choice{{ReceiverKilled, span{s / 10, 3 * s}}, {ReceiverFrozen, span{s, 8 * s}}}},
		{span{3 * s, 12 * s}, []choice{
			{AnswersFail, span{2 * s, 8 * s}},
			{AnswersLost, span{2 * s, 8 * s}},
			{AnswersLate, span{2 * s, 8 * s}},
			{AnswersRefuse, span{s, 5 * s}},
		}},
		{span{s / 2, 4 * s}, []choice{{RecordsHostile, span{}}, {RecordsRefused, span{}}, {RecordsAborted, span{s / 10, 2 * s}}}},
	}
}

// Step is one injury of a schedule.
type Step struct {
	At     time.Duration // From the begin of the epoch.
	For    time.Duration // It heals after that.
	Injury Injury
	Lane   int
	// Member is the instance that it is done to: 0 or 1.
	Member int
	// Share of the requests that it is done to: 0.1 to 1.
	Share float64
	// Count of the records that it brings in: 1 to 20.
	Count int
}

// Ends is when the injury heals.
func (s Step) Ends() time.Duration { return s.At + s.For }

// String says all that the step is done with.
func (s Step) String() string {
	return fmt.Sprintf("%6.2f s to %6.2f s: %s (member %d, share %.2f, count %d)",
		s.At.Seconds(), s.Ends().Seconds(), s.Injury, s.Member, s.Share, s.Count)
}

// Epoch is a part of a soak, after which everything is checked and forgotten.
type Epoch struct {
	Seed, Number uint64
	Length       time.Duration
	Protocol     string // Of remote write: 1.0 or 2.0.
	Group        string // A key of groupLines.
	Steps        []Step // In the order of their begin.
}

// groupLines are what a pipeline says of its group. A static member has its
// instance_id besides.
func groupLines() map[string][]string {
	return map[string][]string{
		"cooperative": nil,
		"eager":       {"balancer: range"},
		"static":      nil,
		"KIP-848":     {"group_protocol: consumer"},
	}
}

// NewEpoch derives an epoch from the seed of the soak and its number alone. A shorter
// one is the begin of a longer one, and every injury heals before the end.
func NewEpoch(seed, number uint64, length time.Duration) Epoch {
	random := rand.New(rand.NewPCG(seed, number<<8))
	groups := []string{"cooperative", "eager", "static", "KIP-848"}
	e := Epoch{
		Seed: seed, Number: number, Length: length,
		Protocol: []string{"1.0", "2.0"}[random.IntN(2)], Group: groups[random.IntN(len(groups))],
	}
	for i, l := range lanes() {
		e.Steps = append(e.Steps, l.steps(rand.New(rand.NewPCG(seed, number<<8+uint64(i)+1)), i, length)...)
	}
	slices.SortStableFunc(e.Steps, func(a, b Step) int { return int(a.At - b.At) })
	return e
}

// steps fills one lane up to the end of an epoch.
func (l lane) steps(random *rand.Rand, number int, length time.Duration) (steps []Step) {
	for at := l.pause.draw(random); ; at += l.pause.draw(random) {
		chosen := l.choices[random.IntN(len(l.choices))]
		step := Step{
			At: at, For: chosen.lasts.draw(random), Injury: chosen.injury, Lane: number,
			Member: random.IntN(2), Share: 0.1 + 0.9*random.Float64(), Count: 1 + random.IntN(20),
		}
		if step.Ends() > length {
			return steps
		}
		steps = append(steps, step)
		at = step.Ends()
	}
}

// String is the whole schedule, a line for each step.
func (e Epoch) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, epoch %d: %s of faults, remote write %s, group %s", e.Seed, e.Number, e.Length, e.Protocol, e.Group)
	for _, step := range e.Steps {
		b.WriteString("\n  " + step.String())
	}
	return b.String()
}
