//go:build faults && soak

package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/integration/harness"
)

// treatment is how an injury is inflicted, and how it heals. Without heal it is over
// when it has been inflicted.
type treatment struct{ inflict, heal func(Step) error }

func (s *soaked) treatments() map[Injury]treatment {
	member := func(do func(*harness.Program) error) func(Step) error {
		return func(step Step) error { return do(s.members[step.Member]) }
	}
	kill, start := (*harness.Program).Kill, (*harness.Program).Start
	freeze, thaw := (*harness.Program).Pause, (*harness.Program).Resume
	guest := s.members[2]
	broker := s.lab.Kafka
	return map[Injury]treatment{
		InstanceKilled: {member(kill), member(start)},
		InstanceEnded:  {member(leave), member(start)},
		InstanceFrozen: {member(freeze), member(thaw)},
		GuestJoins:     {always(guest.Start), func(Step) error { return leave(guest) }},
		BrokerKilled:   {always(broker.Kill), always(broker.Start)},
		BrokerFrozen:   {always(broker.Pause), always(broker.Resume)},
		ReceiverKilled: {always(s.prometheus.Kill), always(s.prometheus.Start)},
		ReceiverFrozen: {always(s.prometheus.Pause), always(s.prometheus.Resume)},
		AnswersFail: s.script(func(step Step) Script {
			return mixed(step.Share, Fault{Status: http.StatusInternalServerError}, Fault{Status: http.StatusServiceUnavailable, RetryAfter: "1"},
				Fault{Reset: true}, Fault{Status: http.StatusTooManyRequests, RetryAfter: "1"}, Fault{Status: http.StatusBadGateway})
		}),
		AnswersLost: s.script(func(step Step) Script { return mixed(step.Share, Fault{Lose: true}) }),
		AnswersLate: s.script(func(step Step) Script {
			return mixed(1, Fault{Delay: time.Duration(step.Share * float64(1500*time.Millisecond))})
		}),
		AnswersRefuse: s.script(func(step Step) Script {
			return mixed(step.Share, Fault{Status: http.StatusUnauthorized}, Fault{Status: http.StatusForbidden}, Fault{Status: http.StatusNotFound})
		}),
		RecordsHostile: {inflict: s.hostile},
		RecordsRefused: {inflict: s.refused},
		RecordsAborted: {inflict: s.aborted},
	}
}

func always(do func() error) func(Step) error { return func(Step) error { return do() } }

// script has the proxy misbehave until it heals.
func (s *soaked) script(of func(Step) Script) treatment {
	return treatment{
		inflict: func(step Step) error { s.proxy.Set(of(step)); return nil },
		heal:    func(Step) error { s.proxy.Set(nil); return nil },
	}
}

// leaveTimeout is longer than shutdown_timeout, which is 20 s.
const leaveTimeout = 30 * time.Second

// leave has an instance end in good order. One that has just been started is waited
// for until it listens: before that a signal ends it at once.
func leave(p *harness.Program) error {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	for {
		_, err := p.Scrape(ctx)
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for an instance to listen: %w", err)
		case <-p.Done():
			return fmt.Errorf("an instance has ended by itself: %s", p.Tail(5))
		case <-time.After(scrapeInterval):
		}
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-time.After(leaveTimeout):
		return errors.New("an instance is still there long after SIGTERM")
	}
	if p.ExitCode() != 0 {
		return fmt.Errorf("an instance ended with status %d after SIGTERM: %s", p.ExitCode(), p.Tail(5))
	}
	return nil
}

// hostile produces records that cannot be decoded or mapped.
func (s *soaked) hostile(step Step) error {
	kinds := []string{``, `{"s":"cut off`, `[]`, `{"s":"x","t":1,"v":1e999}`, `{"s":"x","t":9223372036854775808,"v":1}`, "\xff\xfe", `{"s":{},"t":1,"v":1}`}
	var records []*kgo.Record
	for i := range step.Count {
		records = append(records, s.stream.Odd(s.partition(i), buried, func(float64) []byte { return []byte(kinds[i%len(kinds)]) }))
	}
	return s.lab.TryProduce(context.Background(), records...)
}

// refused produces samples that Prometheus does not take: another value for a time
// that has one, too old, too far in the future.
func (s *soaked) refused(step Step) error {
	var records []*kgo.Record
	for i := range step.Count {
		switch series := strconv.Itoa(s.stream.Len()); i % 3 {
		case 0:
			records = append(records, s.stream.Sample(0, "twice", s.proof, buried))
		case 1:
			records = append(records, s.stream.Sample(s.partition(i), "old-"+series, s.proof-5*time.Hour.Milliseconds(), buried))
		default:
			records = append(records, s.stream.Sample(s.partition(i), "early-"+series, s.proof+2*time.Hour.Milliseconds(), buried))
		}
	}
	return s.lab.TryProduce(context.Background(), records...)
}

func (s *soaked) partition(i int) int32 { return int32(i) % s.plan.partitions }

// aborted produces records in a transaction that comes to nothing. Where the broker
// is injured meanwhile it ends the transaction by itself after a while.
func (s *soaked) aborted(step Step) error {
	const timeout = 10 * time.Second
	producer, err := kgo.NewClient(kgo.SeedBrokers(s.lab.Kafka.Address), kgo.TransactionalID(s.topic),
		kgo.TransactionTimeout(timeout), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return fmt.Errorf("making a producer: %w", err)
	}
	defer producer.Close()
	if err := producer.BeginTransaction(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	var records []*kgo.Record
	for i := range step.Count {
		records = append(records, s.stream.Sample(s.partition(i), "aborted-"+strconv.Itoa(s.stream.Len()), s.proof, spared))
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_ = producer.ProduceSync(ctx, records...).FirstErr() // What has not come is as good as aborted.
	time.Sleep(step.For)                                 // It is open, and nothing behind it can be read.
	_ = producer.EndTransaction(ctx, kgo.TryAbort)
	return nil
}
