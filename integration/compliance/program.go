package compliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/compliance/remotewrite/sender"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"
)

// program is kafka2prom as the suite sees a sender. The suite offers a page to
// scrape, so a scraper of our own puts it into a topic.
type program struct {
	binary string
}

// Name implements sender.Sender.
func (program) Name() string { return "kafka2prom" }

const topic = "samples"

// scrapeInterval is that of the suite's own senders.
const scrapeInterval = time.Second

// configuration has one shard, because the suite's receiver takes one request at a
// time, and batches that are younger than a scrape, so that each scrape is a request.
const configuration = `
kafka: {brokers: [%q], fetch_max_wait: 100ms}
pipelines:
  - name: compliance
    topics: [` + topic + `]
    samples:` + mapping + `
    dead_letter: {topic: ` + topic + `.dead, create: true}
    shards: 1
    batch: {max_age: 100ms}
    remote_write: {url: %q, protobuf_message: %q}
server: {listen: "127.0.0.1:0"}
`

// Run implements sender.Sender: a broker, the scraper and the program, until the
// context is done. SIGTERM has to end the program with status 0.
func (p program) Run(ctx context.Context, opts sender.Options) error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		return fmt.Errorf("starting the broker: %w", err)
	}
	defer cluster.Close()
	dir, err := os.MkdirTemp("", "kafka2prom-compliance-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	config := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(configuration, cluster.ListenAddrs()[0], opts.RemoteWriteEndpointURL, opts.RemoteWriteMessage)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}

	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return scrape(running, cluster, opts) })
	group.Go(func() error {
		err := sender.RunCommand(running, dir, nil, p.binary, "run", "--config", config)
		if err == nil && ctx.Err() == nil {
			err = errors.New("it ended by itself")
		}
		if err != nil {
			return fmt.Errorf("running kafka2prom: %w", err)
		}
		return nil
	})
	return group.Wait()
}

// scrape puts the page of the target into the topic, again and again, from when the
// program fetches for the first time: else its first batch could hold two scrapes.
func scrape(ctx context.Context, cluster *kfake.Cluster, opts sender.Options) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic(topic), kgo.ManualFlushing())
	if err != nil {
		return fmt.Errorf("making a Kafka client: %w", err)
	}
	defer client.Close()
	select {
	case <-fetched(cluster):
	case <-ctx.Done():
		return nil
	}
	ticker := time.NewTicker(scrapeInterval)
	defer ticker.Stop()
	for {
		err := scrapeOnce(ctx, client, opts)
		if ctx.Err() != nil {
			return nil // The target and the broker go away with the context.
		}
		if err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// fetched is closed at the first fetch request. Only the program sends any.
func fetched(cluster *kfake.Cluster) <-chan struct{} {
	first := make(chan struct{})
	note := sync.OnceFunc(func() { close(first) })
	cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		note()
		cluster.DropControl()
		return nil, nil, false
	})
	return first
}

// scrapeOnce produces one scrape as one record batch, so that it is fetched as a
// whole.
func scrapeOnce(ctx context.Context, client *kgo.Client, opts sender.Options) error {
	scraped := time.Now()
	page, err := get(ctx, "http://"+opts.ScrapeTargetHostPort+"/metrics")
	if err != nil {
		return fmt.Errorf("scraping: %w", err)
	}
	target := map[string]string{"job": opts.ScrapeTargetJobName, "instance": opts.ScrapeTargetHostPort}
	records, err := parsePage(page+"\nup 1\n", target, scraped)
	if err != nil {
		return err
	}
	var failed error
	for _, r := range records {
		client.Produce(ctx, kgo.SliceRecord(r), func(_ *kgo.Record, err error) { failed = errors.Join(failed, err) })
	}
	if err := errors.Join(client.Flush(ctx), failed); err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	return nil
}

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
