package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Kind is a receiver of remote write that Home may hold.
type Kind string

// The kinds of receivers.
const (
	// Prometheus is the newest one that Go can build; it speaks remote write 2.0.
	Prometheus Kind = "prometheus"
	// Prometheus2 is a distribution's, and VictoriaMetrics too: they speak 1.0, answer
	// 204 to 2.0 and store nothing.
	Prometheus2     Kind = "prometheus-2"
	VictoriaMetrics Kind = "victoria-metrics"
)

// Kinds are all kinds of receivers.
func Kinds() []Kind { return []Kind{Prometheus, Prometheus2, VictoriaMetrics} }

// Present says whether a receiver has been fetched, and if not, why it cannot be
// used.
func (k Kind) Present() error {
	_, err := k.binary()
	return err
}

func (k Kind) binary() (string, error) {
	switch k {
	case Prometheus2:
		return find("debian-prometheus", "usr", "bin", "prometheus")
	case VictoriaMetrics:
		return find("debian-victoria-metrics", "usr", "bin", "victoria-metrics")
	default:
		return find(prometheusDir, "prometheus")
	}
}

// ReceiverOptions are those that a test may want to differ.
type ReceiverOptions struct {
	// Kind; left out: Prometheus.
	Kind Kind
	// OutOfOrder is how far behind its newest sample a series takes another. 0: not at
	// all. VictoriaMetrics takes everything.
	OutOfOrder time.Duration
}

// Receiver is a real receiver of remote write with an empty database, on which
// nothing but remote write writes. It keeps its port and its data over Kill, Stop
// and Start.
type Receiver struct {
	*Process
	Kind Kind
	// URL is its root.
	URL string
}

// retention is long enough that no sample of a test is ever too old to be kept.
const retention = "100y"

// StartReceiver starts a receiver with its data in dir, which has to be empty.
func StartReceiver(dir string, opts ReceiverOptions) (*Receiver, error) {
	if opts.Kind == "" {
		opts.Kind = Prometheus
	}
	binary, err := opts.Kind.binary()
	if err != nil {
		return nil, err
	}
	addresses, err := FreeAddresses(1)
	if err != nil {
		return nil, err
	}
	args := victoriaArgs(addresses[0], dir)
	if opts.Kind != VictoriaMetrics {
		if args, err = prometheusArgs(addresses[0], dir, opts); err != nil {
			return nil, err
		}
	}
	process, err := Start(Command{Name: string(opts.Kind), Path: binary, Args: args, Dir: dir})
	if err != nil {
		return nil, err
	}
	r := &Receiver{Process: process, Kind: opts.Kind, URL: "http://" + addresses[0]}
	return r, r.awaitReady(answers(r.healthURL()))
}

func prometheusArgs(address, dir string, opts ReceiverOptions) ([]string, error) {
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("storage: {tsdb: {out_of_order_time_window: %ds}}\n", int(opts.OutOfOrder.Seconds()))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration of %s: %w", opts.Kind, err)
	}
	return []string{
		"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--storage.tsdb.retention.time=" + retention, "--web.listen-address=" + address,
		"--web.enable-remote-write-receiver",
	}, nil
}

func victoriaArgs(address, dir string) []string {
	return []string{
		"-httpListenAddr=" + address, "-storageDataPath=" + filepath.Join(dir, "data"),
		"-retentionPeriod=" + retention, "-loggerLevel=WARN",
	}
}

func (r *Receiver) healthURL() string {
	if r.Kind == VictoriaMetrics {
		return r.URL + "/health"
	}
	return r.URL + "/-/ready"
}

// WriteURL is where it takes remote write.
func (r *Receiver) WriteURL() string { return r.URL + "/api/v1/write" }

// Start starts the receiver again on the same port and the same data.
func (r *Receiver) Start() error {
	if err := r.Process.Start(); err != nil {
		return err
	}
	return r.awaitReady(answers(r.healthURL()))
}
