package harness

import (
	"context"
	"strconv"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
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

// Scrape returns everything that the program's /metrics has.
func (p *Program) Scrape(ctx context.Context) (model.Vector, error) {
	return scrape(ctx, p.url+"/metrics")
}
