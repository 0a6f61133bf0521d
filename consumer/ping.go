package consumer

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Cluster is what Ping has found.
type Cluster struct {
	ID      string // Empty where the cluster does not say.
	Brokers int
	// Version of the broker with the lowest id, guessed from the requests that it
	// knows, such as v4.0.
	Version string
}

// Ping connects and logs in as run does, first to any of the configured brokers
// and then to each broker that the cluster names: a cluster that advertises
// addresses which cannot be reached from here answers the first and never gives a
// record. An error is a sentence about the settings where it can be.
func Ping(ctx context.Context, cfg KafkaConfig) (Cluster, error) {
	opts, err := clientOptions(cfg) // The options outlive ctx, and making them asks nobody.
	if err != nil {
		return Cluster{}, err
	}
	// A request's context alone does not end the handshake of a new connection.
	client, err := kgo.NewClient(append(opts, kgo.RequestRetries(0), kgo.WithContext(ctx))...)
	if err != nil {
		return Cluster{}, fmt.Errorf("making a Kafka client: %w", err)
	}
	defer client.Close()
	fault := func(err error) error {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return cfg.explain(err)
	}
	if err := client.Ping(ctx); err != nil {
		return Cluster{}, fault(err)
	}
	admin := kadm.NewClient(client)
	metadata, err := admin.BrokerMetadata(ctx)
	if err != nil {
		return Cluster{}, fault(err)
	}
	versions, err := admin.ApiVersions(ctx)
	if err != nil {
		return Cluster{}, fault(err)
	}
	cluster := Cluster{ID: metadata.Cluster, Brokers: len(metadata.Brokers)}
	for _, broker := range metadata.Brokers {
		answer, asked := versions[broker.NodeID]
		if !asked {
			continue // It left between the two requests.
		}
		if answer.Err != nil {
			return cluster, fmt.Errorf("reaching broker %d where the cluster advertises it, at %s: %w",
				broker.NodeID, net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port))), fault(answer.Err))
		}
		if cluster.Version == "" {
			cluster.Version = answer.VersionGuess()
		}
	}
	return cluster, nil
}
