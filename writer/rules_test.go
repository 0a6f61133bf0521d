package writer

// The rules for senders of remote write 1.0 and 2.0 that apply to kafka2prom, each
// with the test that shows it. Those that start with TestSender are below and in
// answers_test.go; the others say more than the rule. Where a rule is not kept,
// docs/compliance.md says so, and why.
//
//	MUST    POST, protobuf, the reserved headers         TestARequestSaysWhatTheSpecificationAsksFor
//	MUST    no custom header in place of a reserved one  TestHeadersThatTheProgramSetsAreRefused
//	MUST    the snappy block format                      every test with a receiver that is told to be empty of violations
//	MUST    the schema of 1.0, of 2.0                    TestARequestOf1_0IsThatOfPrompbByteForByte, TestARequestOf2_0MeansTheSame
//	MUST    symbols: "" first, deduplicated, in range    TestARequestOf2_0MeansTheSame, TestSymbolsStartAnewWhenThereAreTooMany
//	MUST    float64 values, int64 milliseconds           TestNegativeZeroStaysNegative and the two above
//	MUST    labels are sorted                            TestSenderMustSortLabels
//	MUST    label names are not repeated                 TestSenderMustNotRepeatLabelNames
//	MUST    no empty label names or values               TestSenderMustNotSendEmptyLabels
//	MUST    valid names (1.0), UTF-8 (2.0)               TestSenderMustSendValidNames
//	SHOULD  a metric name                                TestSenderShouldSendAMetricName
//	SHOULD  no label names that start with __            TestSenderShouldNotSendReservedLabels
//	MUST    no stale marker for another NaN              TestSenderMustNotSendStaleMarkersForOtherNaNs
//	MUST    the samples of a series in order             TestSenderMustSendSamplesOfASeriesInOrder
//	MUST    a sample in each series of 2.0               TestARequestOf2_0MeansTheSame
//	MUST    retries on 5xx, with a back-off              TestSenderMustRetryOn5xxWithBackoff
//	MUST    no retry on 2xx, whose body is ignored       TestSenderMustNotRetryOn2xx
//	MUST    no retry on 4xx but 429                      TestSenderMustNotRetryOn4xxExcept429
//	MUST    the error text is not interpreted            TestSenderMustNotLetTheErrorTextDecideWhatIsSent
//	SHOULD  the error text is logged                     TestSenderShouldLogTheErrorText
//	MAY     Retry-After                                  TestRetryAfterIsWaitedFor
//	SHOULD  2xx without *-Written is 415                 TestSamplesThatAnOldReceiverHasSwallowedAreSentAgain
//	CAN     a missing *-Written is 0                     TestSenderCanTakeAMissingCountForZero
//	MUST    but not under 1.0                            TestSenderMustNotTakeAMissingCountForZeroUnder1_0
//	MUST    no version from response headers             TestSenderMustNotTakeTheVersionFromResponseHeaders
//	MUST    5xx after a partial write: all of it again   TestSenderMustRetryTheWholeRequestAfterAPartialWrite
//	MAY     415: another protocol                        TestSamplesThatAnOldReceiverHasSwallowedAreSentAgain

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

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
		rec := &kgo.Record{Topic: "t", Offset: int64(i), Value: []byte(text), Timestamp: time.UnixMilli(int64(2000 + i))}
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

func TestSenderMustSortLabels(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		refused := pass(t, mapper(t, "sanitize"), start(t, r.RoundTripper(), speaking(t.protocol)),
			`{"v":1,"l":{"b":"2","_":"0","a":"1","B":"3","__name__":"x","aa":"4"}}`,
			`{"v":2,"l":{"aa":"4","__name__":"x","B":"3","a":"1","_":"0","b":"2"}}`)
		require.Empty(t, refused)
		requireSeries(t, r, `{B="3", _="0", __name__="x", a="1", aa="4", b="2"}`)
	})
}

func TestSenderMustNotRepeatLabelNames(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		refused := pass(t, mapper(t, "sanitize"), start(t, r.RoundTripper(), speaking(t.protocol)),
			`{"v":1,"l":{"__name__":"x","a.b":"1","a_b":"2"}}`,
			`{"v":1,"l":{"__name__":"x","a":"1","a":"2"}}`,
			`{"v":1,"l":{"__name__":"x","a.b":"1"}}`)
		require.Equal(t, []transform.Reason{transform.ReasonDuplicateLabel, transform.ReasonDuplicateLabel}, refused)
		requireSeries(t, r, `{__name__="x", a_b="1"}`)
	})
}

func TestSenderMustNotSendEmptyLabels(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		refused := pass(t, mapper(t, "sanitize"), start(t, r.RoundTripper(), speaking(t.protocol)),
			`{"v":1,"l":{"__name__":"x","a":"","b":null,"c":"1"}}`,
			`{"v":1,"l":{"__name__":"x","":"1"}}`)
		require.Equal(t, []transform.Reason{transform.ReasonBadName}, refused)
		requireSeries(t, r, `{__name__="x", c="1"}`)
	})
}

// TestSenderMustSendValidNames takes any labels there may be through the mapper.
// Under 2.0 any UTF-8 will do, and only label_names: utf8 makes use of it.
func TestSenderMustSendValidNames(t *testing.T) {
	valid := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	underBoth(t, func(t underProtocol) {
		naming := map[string]string{protocolV1: "sanitize", protocolV2: "utf8"}[t.protocol]
		r := clockwork(receiver.Modern, 0)
		m, w := mapper(t, naming), start(t, r.RoundTripper(), speaking(t.protocol))
		word := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z.:/ -]{0,4}`))
		rapid.Check(inBubble{t.T}, func(t *rapid.T) {
			labels := rapid.MapOfN(word, word, 0, 8).Draw(t, "labels")
			labels["__name__"] = word.Draw(t, "name")
			record, err := json.Marshal(map[string]any{"v": 1, "l": labels})
			require.NoError(t, err)
			pass(t, m, w, string(record))
		})
		seen := 0
		for _, q := range r.Requests() {
			for _, s := range q.Series {
				seen++
				for name := range s.Labels.Map() {
					require.True(t, naming == "utf8" || valid.MatchString(name), "%q", name)
				}
			}
		}
		require.NotZero(t, seen)
		require.Empty(t, r.Violations())
	})
}

func TestSenderShouldSendAMetricName(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		refused := pass(t, mapper(t, "sanitize"), start(t, r.RoundTripper(), speaking(t.protocol)),
			`{"v":1,"l":{"a":"1"}}`, `{"v":1,"l":{"__name__":"","a":"1"}}`, `{"v":1,"l":{"__name__":"x"}}`)
		require.Equal(t, []transform.Reason{transform.ReasonNoName, transform.ReasonNoName}, refused)
		requireSeries(t, r, `{__name__="x"}`)
	})
}

func TestSenderShouldNotSendReservedLabels(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		refused := pass(t, mapper(t, "sanitize"), start(t, r.RoundTripper(), speaking(t.protocol)),
			`{"v":1,"l":{"__name__":"x","__tenant__":"1"}}`, `{"v":1,"l":{"__name__":"x","_tenant":"1"}}`)
		require.Equal(t, []transform.Reason{transform.ReasonReservedLabel}, refused)
		requireSeries(t, r, `{__name__="x", _tenant="1"}`)
	})
}

func TestSenderMustNotSendStaleMarkersForOtherNaNs(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := clockwork(receiver.Modern, 0)
		refused := pass(t, mapper(t, "sanitize"), start(t, r.RoundTripper(), speaking(t.protocol)), `{"v":"NaN","l":{"__name__":"x"}}`)
		require.Empty(t, refused)
		requireSeries(t, r, `{__name__="x"}`)
	})
}

// TestSenderMustSendSamplesOfASeriesInOrder has several requests on the way at once,
// which take any time and fail now and then.
func TestSenderMustSendSamplesOfASeriesInOrder(t *testing.T) {
	underBoth(t, func(t underProtocol) {
		r := receiver.New(receiver.Config{Hook: func(*receiver.Request) receiver.Answer {
			a := receiver.Answer{Before: rand.N(200 * time.Millisecond), After: rand.N(200 * time.Millisecond)}
			if rand.N(4) == 0 {
				a.Status = 503
			}
			return a
		}})
		w := start(t, r.RoundTripper(), func(c *Config) { c.RemoteWrite.Protocol, c.Shards, c.MaxSamples = t.protocol, 8, 100 })
		c := catalogue{}
		var batches []*Batch
		for batch := range int64(20) {
			var samples []transform.Sample
			for i := range 90 {
				samples = append(samples, sample(c.named(fmt.Sprintf("x%d", i%30)), 10*batch+int64(i/30)+1, 1))
			}
			if batch%2 == 0 { // In no order, but not more than a request takes.
				rand.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
				time.Sleep(time.Minute) // Nothing is queued any more.
			}
			batches = append(batches, submit(w, samples...))
		}
		for _, b := range batches {
			<-b.Landed()
			require.Empty(t, b.Refused())
		}
		require.Greater(t, r.MaxInFlight(), 1)
		require.Empty(t, r.Violations())
		requireInOrder(t, r.Requests(), 30)
	})
}

// requireInOrder looks at the samples of all requests in the order in which they
// came, those of retries left out: they are the bytes of the attempt before them.
func requireInOrder(t tester, requests []receiver.Request, series int) {
	t.Helper()
	newest := map[string]int64{}
	for _, q := range requests {
		for _, s := range q.Series {
			for _, p := range s.Points {
				name := s.Labels.String()
				require.True(t, q.Attempt != "" || p.Timestamp > newest[name], "request %d: %s at %d after %d", q.Number, name, p.Timestamp, newest[name])
				newest[name] = p.Timestamp
			}
		}
	}
	require.Len(t, newest, series)
}
