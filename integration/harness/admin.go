package harness

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Admin asks and changes things of the broker. It belongs to the lab.
func (l *Lab) Admin() *kadm.Client { return l.admin }

// TopicWith is Topic for one that needs settings of its own.
func (l *Lab) TopicWith(t *testing.T, name string, partitions int32, settings map[string]string) string {
	t.Helper()
	name += "-" + strconv.FormatInt(l.topics.Add(1), 10)
	values := make(map[string]*string, len(settings))
	for key, value := range settings {
		values[key] = &value
	}
	resp, err := l.admin.CreateTopic(t.Context(), partitions, 1, values, name)
	require.NoError(t, err)
	require.NoError(t, resp.Err)
	// The controller has it; the broker may hear of it a moment later.
	require.Eventually(t, func() bool {
		topics, err := l.admin.ListTopics(t.Context(), name)
		return err == nil && topics.Error() == nil && len(topics[name].Partitions) == int(partitions)
	}, kafkaTimeout, watchInterval, "topic %s is there", name)
	return name
}

// Producer makes a client of a test's own that writes to the partitions which its
// records name. It is closed at the end of the test.
func (l *Lab) Producer(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(l.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// Recreate deletes a topic and, after a while, makes it anew.
func (l *Lab) Recreate(t *testing.T, topic string, partitions int32, after time.Duration) {
	t.Helper()
	gone, err := l.admin.DeleteTopic(t.Context(), topic)
	require.NoError(t, err)
	require.NoError(t, gone.Err)
	time.Sleep(after)
	made, err := l.admin.CreateTopic(t.Context(), partitions, 1, nil, topic)
	require.NoError(t, err)
	require.NoError(t, made.Err)
	l.client.PurgeTopicsFromClient(topic) // It would go on with the old one for ever.
}

// Widen adds partitions to a topic, up to that many.
func (l *Lab) Widen(t *testing.T, topic string, partitions int32) {
	t.Helper()
	resp, err := l.admin.UpdatePartitions(t.Context(), int(partitions), topic)
	require.NoError(t, err)
	require.NoError(t, resp.Error())
	require.Eventually(t, func() bool {
		l.client.ForceMetadataRefresh()
		_, _, err := l.client.PartitionLeader(topic, partitions-1)
		return err == nil
	}, kafkaTimeout, 100*time.Millisecond, "the producer knows of partition %d", partitions-1)
}

// Scrape returns everything that the program's /metrics has.
func (p *Program) Scrape(ctx context.Context) (model.Vector, error) {
	return scrape(ctx, p.url+"/metrics")
}
