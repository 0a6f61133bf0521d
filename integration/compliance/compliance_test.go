package compliance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/compliance/remotewrite/sender"
	"github.com/stretchr/testify/require"
)

// notApplicable names the cases of the suite that are left out, and why. Each is a
// SHOULD.
var notApplicable = map[string]string{
	"samples/start_timestamp for counters":   "a record says nothing about when its counter began; start timestamps are not written yet",
	"samples/start_timestamp for histograms": "a record says nothing about when its histogram began; start timestamps are not written yet",
}

// kafka2prom is set by TestMain, before any test.
var kafka2prom program

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kafka2prom-compliance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if kafka2prom.binary, err = build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build makes the binary under test. $INTEGRATION_BINARY names one that is there
// already.
func build(dir string) (string, error) {
	if binary := os.Getenv("INTEGRATION_BINARY"); binary != "" {
		return filepath.Abs(binary)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	binary := filepath.Join(dir, "kafka2prom")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/kafka2prom")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building kafka2prom: %w\n%s", err, out)
	}
	return binary, nil
}

// TestOfficialSuite runs all of the official suite but the cases that do not apply.
func TestOfficialSuite(t *testing.T) {
	tests, left := applicable(sender.ComplianceTests())
	require.Len(t, left, len(notApplicable), "a case that does not apply is not there any more; left out are %q", left)
	sender.RunTests(t, watch(t), tests)
}

// TestOwnCases runs what the official suite does not have (yet), for 1.0 too.
func TestOwnCases(t *testing.T) {
	sender.RunTests(t, watch(t), ownCases())
}

// watched keeps what the runs of the program come to: the suite passes over the
// exit status of a sender that it has stopped itself.
type watched struct {
	program
	mu   sync.Mutex
	runs int
	errs []error
}

// watch returns the program, and requires at the end of the test that it has run
// and ended in order each time.
func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{program: kafka2prom}
	t.Cleanup(func() {
		require.NotZero(t, w.runs)
		require.Empty(t, w.errs)
	})
	return w
}

// Run implements sender.Sender.
func (w *watched) Run(ctx context.Context, opts sender.Options) error {
	err := w.program.Run(ctx, opts)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs++
	if err != nil {
		w.errs = append(w.errs, err)
	}
	return err
}

// applicable takes the cases out that do not apply, and names them.
func applicable(tests []sender.Test) (rest []sender.Test, left []string) {
	for _, test := range tests {
		test.ValidateCases = slices.DeleteFunc(slices.Clone(test.ValidateCases), func(c sender.ValidateCase) bool {
			name := test.Name + "/" + c.Name
			_, ok := notApplicable[name]
			if ok {
				left = append(left, name)
			}
			return ok
		})
		rest = append(rest, test)
	}
	return rest, left
}
