package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/bench/limit"
)

// The benchmark starts itself as its broker and as its limit program; here that is the
// test binary.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "broker" || os.Args[1] == "limit") {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestTheCPUTimeIsReadBehindAnyName(t *testing.T) {
	f := func(stat string, want int64, problem string) {
		t.Helper()
		got, err := parseCPU(stat)
		if problem != "" {
			require.ErrorContains(t, err, problem)
			return
		}
		require.NoError(t, err)
		require.Equal(t, want, got.Milliseconds())
	}
	f("12 (kafka2prom) S 1 12 12 0 -1 4194304 900 0 0 0 150 25 0 0 20 0 9 0", 1750, "")
	f("12 (a) 7 (b) c) S 1 12 12 0 -1 4194304 900 0 0 0 1 2 0 0", 30, "")
	f("12 (cut) S 1", 0, "too few")
	f("12 (odd) S 1 12 12 0 -1 4194304 900 0 0 0 x 2 0 0", 0, "invalid syntax")
	f("12 (odd) S 1 12 12 0 -1 4194304 900 0 0 0 1 y 0 0", 0, "invalid syntax")
}

func TestMemoryIsReadInKibibytes(t *testing.T) {
	got, err := kibibytes("VmPeak:\t  999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n", "VmHWM:")
	require.NoError(t, err)
	require.Equal(t, int64(2<<20), got)
	_, err = kibibytes("VmRSS:\t 1 kB\n", "VmHWM:")
	require.ErrorContains(t, err, "it is not there")
	_, err = kibibytes("VmHWM:\tmuch kB\n", "VmHWM:")
	require.ErrorContains(t, err, "invalid syntax")
}

func TestAProcessIsAccountedFor(t *testing.T) {
	p, err := start(t.Context(), "sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
	require.NoError(t, err)
	used, err := p.wait()
	require.NoError(t, err)
	require.Positive(t, used.CPU)
	require.Positive(t, used.Peak)

	p, err = start(t.Context(), "sh", "-c", "echo reason >&2; exit 3")
	require.NoError(t, err)
	_, err = p.wait()
	require.ErrorContains(t, err, "exit status 3\nreason")
	_, err = start(t.Context(), "/there/is/no/such/program")
	require.ErrorContains(t, err, "starting /there/is/no/such/program")
}

func TestATopicHoldsWhatItSays(t *testing.T) {
	topic, err := filledTopic(t.Context(), load{records: 100, series: 10, partitions: 2, format: flatJSON}, "")
	require.NoError(t, err)
	defer topic.close()
	require.Equal(t, int64(100), topic.produced)
	client, err := kgo.NewClient(kgo.SeedBrokers(topic.addresses...), kgo.ConsumeTopics(topicName), kgo.ConsumerGroup("g"))
	require.NoError(t, err)
	defer client.Close()
	seen := map[string]int32{}
	for n := 0; n < 100; {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		n += fetches.NumRecords()
		fetches.EachRecord(func(r *kgo.Record) {
			series, _, _ := strings.Cut(string(r.Value), `},"value"`)
			if partition, ok := seen[series]; ok {
				require.Equal(t, partition, r.Partition, "a series stays in its partition")
			}
			seen[series] = r.Partition
		})
	}
	require.Len(t, seen, 10)
	require.False(t, topic.joined().IsZero(), "the broker tells when a member has joined")
}

func TestTheLimitProgramLosesNothing(t *testing.T) {
	for _, in := range []format{flatJSON, wideJSON, avroFramed} {
		topic, err := filledTopic(t.Context(), load{records: 5000, series: 100, partitions: 3, format: in}, "")
		require.NoError(t, err)
		defer topic.close()
		b, err := newBench(options{})
		require.NoError(t, err)
		defer b.close()
		used, err := b.readAllAtTheLimit(t.Context(), topic, 0)
		require.NoError(t, err, in)
		require.Positive(t, used.CPU)
		require.Equal(t, int64(5000), used.Records)
	}
}

func TestTheLimitProgramSaysWhatFails(t *testing.T) {
	topic, err := filledTopic(t.Context(), load{records: 10, series: 10, partitions: 1, format: flatJSON}, "")
	require.NoError(t, err)
	defer topic.close()
	f := func(want, url, format string) {
		t.Helper()
		err := limit.Run(t.Context(), limit.Options{Brokers: topic.addresses, Topic: topicName, URL: url, Format: format, Records: 10, Batch: 5})
		require.ErrorContains(t, err, want)
	}
	refusing, err := newSink("1.0", 0)
	require.NoError(t, err)
	refusing.close()
	f("posting: ", refusing.url, "json")
	f(`there is no format "xml"`, refusing.url, "xml")
}
