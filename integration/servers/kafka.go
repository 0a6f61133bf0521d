package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka is one broker that is its own controller. It keeps its ports and its data
// over Kill and Start.
type Kafka struct {
	*Process
	// Address of the plaintext listener.
	Address string
	// Doors are further listeners, by the address that each advertises: clients that
	// come through something that listens there come back through it.
	Doors map[string]string
}

// properties is the broker's configuration, for its address and that of the
// controller, its data, and its doors.
const properties = `process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s%[4]s
advertised.listeners=PLAINTEXT://%[1]s%[5]s
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT%[6]s
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

// StartKafka formats a data directory in dir and starts a broker on it. For each
// address that is advertised it has a door.
func StartKafka(dir string, advertised ...string) (*Kafka, error) {
	libs, err := find(kafkaDir, "libs")
	if err != nil {
		return nil, err
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("the Kafka broker needs Java 17 or newer: %w", err)
	}
	addresses, err := FreeAddresses(2 + len(advertised))
	if err != nil {
		return nil, err
	}
	k := &Kafka{Address: addresses[0], Doors: make(map[string]string, len(advertised))}
	for i, address := range advertised {
		k.Doors[address] = addresses[2+i]
	}
	config := filepath.Join(dir, "server.properties")
	if err := k.configure(config, addresses[1], filepath.Join(dir, "data")); err != nil {
		return nil, err
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
	if k.Process, err = Start(Command{Name: "kafka", Path: java, Args: args, Dir: dir}); err != nil {
		return nil, err
	}
	return k, k.awaitReady(k.ping)
}

// configure writes the broker's configuration.
func (k *Kafka) configure(file, controller, data string) error {
	var listeners, advertised, protocols strings.Builder
	for address, listen := range k.Doors {
		_, port, err := net.SplitHostPort(listen)
		if err != nil {
			return fmt.Errorf("splitting the address of a door: %w", err)
		}
		fmt.Fprintf(&listeners, ",DOOR_%s://%s", port, listen)
		fmt.Fprintf(&advertised, ",DOOR_%s://%s", port, address)
		fmt.Fprintf(&protocols, ",DOOR_%s:PLAINTEXT", port)
	}
	text := fmt.Sprintf(properties, k.Address, controller, data, &listeners, &advertised, &protocols)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing the broker's configuration: %w", err)
	}
	return nil
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
