//go:build faults

package faults

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Commits are refused, each time in another way.
func TestCommitsFail(t *testing.T) {
	coordinator := []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable}
	other := []*kerr.Error{
		kerr.UnknownMemberID, kerr.RebalanceInProgress, kerr.UnknownTopicOrPartition,
		kerr.OffsetMetadataTooLarge, kerr.GroupAuthorizationFailed, kerr.RequestTimedOut, kerr.UnknownServerError,
	}
	f := func(name string, fencing *kerr.Error, lines ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			broker := pretend(t)
			kinds := slices.Concat(coordinator, other, []*kerr.Error{fencing})
			tr := begin(t, plan{
				name: name, injured: "commits are refused in 11 ways, 3 times each", lab: broker.lab,
				outOfOrder: time.Hour, pipeline: lines, duplicates: len(kinds) * inFlight,
			})
			tr.flow(1000)
			program := tr.start()
			tr.awaitCommitted(1000)
			for _, kind := range kinds {
				broker.fail(tr, 3, kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kind})
				tr.awaitCommitted(tr.committed() + 500)
			}
			broker.fail(tr, 3, kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Partitions: []int32{1}, Err: kerr.UnknownTopicOrPartition})
			failed := program.Metric(t, "kafka2prom_commits_total", map[string]string{"result": "failed"})
			require.GreaterOrEqual(t, failed, float64(len(other)), "failed commits are counted")
			tr.calm()
			tr.finish()
		})
	}
	f("commits refused", kerr.IllegalGeneration)
	f("commits refused, KIP-848", kerr.StaleMemberEpoch, "group_protocol: consumer")
}

// Commits are done, and nobody hears of it.
func TestCommitAnswersLost(t *testing.T) {
	broker := pretend(t)
	tr := begin(t, plan{
		name: "commits without answers", injured: "every other commit is done, and its connection cut; then all for 3 s",
		lab: broker.lab, outOfOrder: time.Hour, duplicates: inFlight,
	})
	tr.flow(1000)
	tr.start()
	tr.awaitCommitted(1000)
	var commits, lost atomic.Int64
	lose := func(every int64) Spoiler {
		return func(a Answer) ([]byte, bool) {
			if a.Key != kmsg.OffsetCommit || commits.Add(1)%every != 0 {
				return a.Frame, false
			}
			lost.Add(1)
			return nil, true
		}
	}
	broker.wire.Set(lose(2))
	time.Sleep(5 * time.Second)
	broker.wire.Set(lose(1))
	time.Sleep(3 * time.Second)
	broker.wire.Set(nil)
	require.Greater(t, lost.Load(), int64(5))
	tr.calm()
	tr.finish()
}

var heartbeats = []kmsg.Key{kmsg.Heartbeat, kmsg.ConsumerGroupHeartbeat}

// reasons are what heartbeats have to say so that a member does something.
var reasons = map[kmsg.Key]*kerr.Error{
	kmsg.JoinGroup: kerr.IllegalGeneration, kmsg.SyncGroup: kerr.IllegalGeneration, kmsg.FindCoordinator: kerr.NotCoordinator,
}

// The coordinator of the group does not do what a member needs, in every way and for
// seconds.
func TestCoordinatorFails(t *testing.T) {
	f := func(name, injured string, faults []kfake.Fault, lines ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			broker := pretend(t)
			tr := begin(t, plan{
				name: name, injured: injured, lab: broker.lab,
				outOfOrder: time.Hour, pipeline: lines, duplicates: len(faults) * inFlight,
			})
			tr.flow(1000)
			tr.start()
			tr.awaitCommitted(1000)
			for _, fault := range faults {
				if reason := reasons[fault.Keys[0]]; reason != nil {
					broker.Fault(kfake.Fault{Keys: heartbeats, Err: reason})
				}
				broker.failFor(tr, time.Second, fault)
				tr.awaitCommitted(tr.committed() + 500)
			}
			tr.calm()
			tr.finish()
		})
	}
	fault := func(key kmsg.Key, err *kerr.Error) kfake.Fault {
		return kfake.Fault{Keys: []kmsg.Key{key}, Err: err}
	}
	f("coordinator fails", "heartbeats fail in two ways, and looking for the coordinator in one, for 1 s each", []kfake.Fault{
		fault(kmsg.Heartbeat, kerr.CoordinatorNotAvailable), fault(kmsg.Heartbeat, kerr.RebalanceInProgress),
		fault(kmsg.FindCoordinator, kerr.CoordinatorNotAvailable),
	})
	f("joining fails", "joining the group fails in two ways, and syncing in two, for 1 s each", []kfake.Fault{
		fault(kmsg.JoinGroup, kerr.CoordinatorLoadInProgress), fault(kmsg.JoinGroup, kerr.UnknownServerError),
		fault(kmsg.SyncGroup, kerr.RebalanceInProgress), fault(kmsg.SyncGroup, kerr.UnknownServerError),
	})
	f("coordinator fails, KIP-848", "heartbeats fail in three ways, and looking for the coordinator in one, for 1 s each", []kfake.Fault{
		fault(kmsg.ConsumerGroupHeartbeat, kerr.CoordinatorLoadInProgress), fault(kmsg.ConsumerGroupHeartbeat, kerr.UnknownServerError),
		fault(kmsg.ConsumerGroupHeartbeat, kerr.FencedMemberEpoch), fault(kmsg.FindCoordinator, kerr.CoordinatorNotAvailable),
	}, "group_protocol: consumer")
}
