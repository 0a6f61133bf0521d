package demo

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"
)

// cluster is a Kafka cluster of one broker in this process. It listens on a port
// of the loopback interface, so that other programs can look into it.
type cluster struct{ fake *kfake.Cluster }

const (
	partitions = 4 // Of each topic of the stream.
	// A pipeline has the name of its topic, and its group has this before it.
	groupPrefix = "kafka2prom-"
)

func startCluster() (*cluster, error) {
	fake, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID("kafka2prom-demo"),
		kfake.SeedTopics(partitions, sensorTopic, meterTopic),
		kfake.SeedTopics(1, deadLetters(sensorTopic), deadLetters(meterTopic)),
	)
	if err != nil {
		return nil, fmt.Errorf("starting the broker: %w", err)
	}
	return &cluster{fake: fake}, nil
}

// deadLetters is the topic of a topic's dead letters.
func deadLetters(topic string) string { return topic + ".dead" }

func (c *cluster) address() string { return c.fake.ListenAddrs()[0] }

// end is the offset after the last record of a partition.
func (c *cluster) end(topic string, partition int32) int64 {
	if info := c.fake.PartitionInfo(topic, partition); info != nil {
		return info.HighWatermark
	}
	return 0
}

// lag is the number of records that the pipelines have not committed yet.
func (c *cluster) lag() int64 {
	var lag int64
	for _, topic := range []string{sensorTopic, meterTopic} {
		group := c.fake.GroupInfo(groupPrefix + topic)
		for p := range int32(partitions) {
			lag += c.end(topic, p)
			if group != nil {
				lag -= group.Commits[topic][p].Offset
			}
		}
	}
	return lag
}

func (c *cluster) close() { c.fake.Close() }
