package writer

// The rules for senders of remote write 1.0 and 2.0. Each that applies to
// kafka2prom has one test, which is named after it and starts with TestSender; all
// of them take samples through the writer and HTTP. docs/compliance.md lists the
// rules with their tests, and says where one is not kept, and why.

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
	"github.com/kafka2prom/kafka2prom/transform"
)

// underProtocol is a test under one version of the protocol.
type underProtocol struct {
	*testing.T
	protocol string
}

// underBoth runs a test for each version of the protocol, in time of its own.
func underBoth(t *testing.T, test func(t underProtocol)) {
	t.Helper()
	for _, protocol := range []string{protocolV1, protocolV2} {
		t.Run(protocol, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(underProtocol{T: t, protocol: protocol}) })
		})
	}
}

// speaking configures a protocol.
func speaking(protocol string) func(*Config) {
	return func(c *Config) { c.RemoteWrite.Protocol = protocol }
}

// mapper makes a sample of each record: its labels are in l, the value is in v.
func mapper(t tester, naming string) *transform.Mapper {
	t.Helper()
	m, err := transform.NewMapper(transform.Config{
		LabelNames: naming,
		Samples:    []transform.Rule{{Value: "v", LabelsFrom: []string{"l"}}},
	}, transform.Options{})
	require.NoError(t, err)
	return m
}

// pass takes records from the topic to the receiver, and returns why samples of
// them were refused on the way.
func pass(t tester, m *transform.Mapper, w *Writer, records ...string) (refused []transform.Reason) {
	t.Helper()
	var out transform.Output
	for i, text := range records {
		at := time.Now().Add(time.Duration(i) * time.Millisecond)
		rec := &kgo.Record{Topic: "t", Offset: int64(i), Value: []byte(text), Timestamp: at}
		_, err := m.Apply(rec, 1, &out)
		require.NoError(t, err)
	}
	for _, r := range out.Refused {
		refused = append(refused, r.Reason)
	}
	require.Empty(t, deliver(w, out.Samples...).Refused())
	return refused
}

// requireSeries requires that these are all the series that the receiver has, and
// that nothing was wrong with how they came.
func requireSeries(t tester, r *receiver.Receiver, want ...string) {
	t.Helper()
	var got []string
	for name := range r.Samples() {
		got = append(got, name)
	}
	require.ElementsMatch(t, want, got)
	require.Empty(t, r.Violations())
}

// TestEveryRuleHasOneTest compares the list of docs/compliance.md with the tests
// that there are.
func TestEveryRuleHasOneTest(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "compliance.md"))
	require.NoError(t, err)
	listed := regexp.MustCompile(`TestSender\w+`).FindAllString(string(page), -1)
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var tests []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range regexp.MustCompile(`(?m)^func (TestSender\w+)`).FindAllStringSubmatch(string(source), -1) {
			tests = append(tests, found[1])
		}
	}
	require.ElementsMatch(t, tests, listed)
}
