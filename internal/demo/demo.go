// Package demo is the whole way from Kafka to Prometheus in one process: an
// embedded broker, a stream of sensor readings with some bad ones among them, the
// pipelines, a Prometheus TSDB behind remote write, and a comparison of every
// record that went in with what came out.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v3"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

// Configuration is the configuration of the demo's pipelines, in the syntax of
// config.yaml. The variables of Environ go over it.
//
//go:embed demo.yaml
var Configuration []byte

// Options say what the demo does.
type Options struct {
	// Records is how many are produced; 0: as long as it runs.
	Records int
	// Rate is how many are produced each second after the first ones; 0: as many as
	// possible.
	Rate float64
	// Seed of the stream.
	Seed uint64
	// OutOfOrderWindow of the database; 0: none.
	OutOfOrderWindow time.Duration
	// Listen is where the query API and the receiver listen.
	Listen string
	// Version is what the query API says it is.
	Version string
}

// Demo is everything but the pipelines, which the caller runs between Start and
// Close.
type Demo struct {
	opts     Options
	began    time.Time
	dir      string
	cluster  *cluster
	database *database
	receiver *receiver.Receiver
	server   *http.Server
	address  string
	producer *kgo.Client
	stream   *stream
	ledger   ledger
	letters  *letterReader

	stop       context.CancelFunc
	background sync.WaitGroup
}

// Start starts the broker, the database and the HTTP server. Close stops them and
// removes what they have written to disk.
func Start(opts Options) (*Demo, error) {
	d := &Demo{opts: opts, began: time.Now(), stop: func() {}}
	for _, step := range []func() error{d.openStore, d.startBroker, d.connect, d.serve} {
		if err := step(); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	return d, nil
}

func (d *Demo) openStore() error {
	dir, err := os.MkdirTemp("", "kafka2prom-demo-")
	if err != nil {
		return fmt.Errorf("making a directory for the database: %w", err)
	}
	d.dir = dir
	if d.database, err = openDatabase(filepath.Join(dir, "tsdb"), d.opts.OutOfOrderWindow, d.began); err != nil {
		return err
	}
	d.receiver = receiver.New(receiver.Config{Store: d.database, Forget: true})
	return nil
}

func (d *Demo) startBroker() error {
	var err error
	d.cluster, err = startCluster()
	return err
}

// connect makes the producer of the stream and the reader of the dead letters.
func (d *Demo) connect() error {
	schema, err := meterSchema()
	if err != nil {
		return err
	}
	d.stream = newStream(d.opts.Seed, schema)
	if d.producer, err = kgo.NewClient(kgo.SeedBrokers(d.cluster.address())); err != nil {
		return fmt.Errorf("making the producer: %w", err)
	}
	reader, err := kgo.NewClient(
		kgo.SeedBrokers(d.cluster.address()),
		kgo.ConsumeTopics(deadLetters(sensorTopic), deadLetters(meterTopic)),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(250*time.Millisecond),
	)
	if err != nil {
		return fmt.Errorf("making the reader of dead letters: %w", err)
	}
	d.letters = newLetterReader(reader)
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	d.background.Go(func() { d.letters.run(ctx) })
	return nil
}

// meterSchema is the schema that the configuration gives to the pipeline of the
// meters.
func meterSchema() (*avro.Schema, error) {
	var cfg struct {
		Pipelines []struct {
			Avro struct {
				Schema string `yaml:"schema"`
			} `yaml:"avro"`
		} `yaml:"pipelines"`
	}
	if err := yaml.Unmarshal(Configuration, &cfg); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	for _, p := range cfg.Pipelines {
		if p.Avro.Schema != "" {
			schema, err := avro.Parse(p.Avro.Schema)
			if err != nil {
				return nil, fmt.Errorf("reading the schema of the meters: %w", err)
			}
			return schema, nil
		}
	}
	return nil, errors.New("the configuration has no pipeline with a schema")
}

func (d *Demo) serve() error {
	listener, err := net.Listen("tcp", d.opts.Listen) //nolint:noctx // It does not block.
	if err != nil {
		return fmt.Errorf("listening for queries: %w", err)
	}
	d.address = listener.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/", newAPI(d.database.db, time.Now, d.opts.Version))
	mux.Handle("/api/v1/write", d.receiver)
	d.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	d.background.Go(func() { _ = d.server.Serve(listener) }) // It ends with an error, always.
	return nil
}

// Environ are the variables that lead the pipelines to this demo.
func (d *Demo) Environ() []string {
	url := d.URL() + "/api/v1/write"
	return []string{
		"KAFKA2PROM_KAFKA__BROKERS=" + d.cluster.address(),
		"KAFKA2PROM_PIPELINES__SENSORS__REMOTE_WRITE__URL=" + url,
		"KAFKA2PROM_PIPELINES__METERS__REMOTE_WRITE__URL=" + url,
	}
}

// URL is the base of the query API: what a Prometheus data source wants.
func (d *Demo) URL() string { return "http://" + d.address }

// Verify compares everything that was produced with the database and the dead
// letters. The pipelines must have settled.
func (d *Demo) Verify(ctx context.Context) (Report, error) {
	entries, err := d.ledger.snapshot()
	if err != nil {
		return Report{}, err
	}
	letters, err := d.letters.snapshot()
	if err != nil {
		return Report{}, err
	}
	answers, err := d.database.answers(ctx)
	if err != nil {
		return Report{}, err
	}
	report := compare(entries, answers, letters)
	for _, v := range d.receiver.Violations() {
		report.Wrong++
		report.accuse("wrong: what was sent breaks the protocol: %s", v)
	}
	return report, nil
}

// Close stops everything. The pipelines must have stopped.
func (d *Demo) Close() error {
	d.stop()
	var errs []error
	if d.server != nil {
		errs = append(errs, d.server.Close())
	}
	if d.producer != nil {
		d.producer.Close()
	}
	if d.letters != nil {
		d.letters.client.Close()
	}
	d.background.Wait()
	if d.cluster != nil {
		d.cluster.close()
	}
	if d.database != nil {
		errs = append(errs, d.database.close())
	}
	if d.dir != "" {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}
