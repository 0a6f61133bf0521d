package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka is one broker that is its own controller. It keeps its ports and its data
// over Kill and Start.
type Kafka struct {
	*Process
	// Address of the plaintext listener.
	Address string
}

// properties is the broker's configuration, for its two addresses and its data.
const properties = `process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
advertised.listeners=PLAINTEXT://%[1]s
controller.listener.names=CONTROLLER
controller.quorum.voters=1@%[2]s
log.dirs=%[3]s
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.consumer.min.session.timeout.ms=6000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=1000
group.consumer.heartbeat.interval.ms=1000
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
`

// StartKafka formats a data directory in dir and starts a broker on it.
func StartKafka(dir string) (*Kafka, error) {
	libs, err := find(kafkaDir, "libs")
	if err != nil {
		return nil, err
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("the Kafka broker needs Java 17 or newer: %w", err)
	}
	addresses, err := FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "server.properties")
	text := fmt.Sprintf(properties, addresses[0], addresses[1], filepath.Join(dir, "data"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing the broker's configuration: %w", err)
	}
	args := []string{
		"-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", filepath.Join(libs, "*"),
	}
	if err := formatStorage(java, args, config); err != nil {
		return nil, err
	}
	args = append(args, "kafka.Kafka", config)
	process, err := Start(Command{Name: "kafka", Path: java, Args: args, Dir: dir})
	if err != nil {
		return nil, err
	}
	k := &Kafka{Process: process, Address: addresses[0]}
	return k, k.awaitReady(k.ping)
}

func formatStorage(java string, args []string, config string) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	args = append(append([]string{}, args...), "kafka.tools.StorageTool", "format", "-t", "a2Fma2EycHJvbS1pbnQtMQ", "-c", config)
	out, err := exec.CommandContext(ctx, java, args...).CombinedOutput() //nolint:gosec // Tests run what they have fetched.
	if err != nil {
		return fmt.Errorf("formatting the broker's storage: %w\n%s", err, out)
	}
	return nil
}

// Start starts the broker again on the same ports and the same data.
func (k *Kafka) Start() error {
	if err := k.Process.Start(); err != nil {
		return err
	}
	return k.awaitReady(k.ping)
}

func (k *Kafka) ping(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Address))
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return client.Ping(ctx)
}
