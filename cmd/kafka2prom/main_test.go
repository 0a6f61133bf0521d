package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/internal/receiver"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kafka2prom": main})
}

// TestScripts runs the program as a user does: the scripts are in testdata. Each has
// a broker ($BROKERS) and a receiver ($URL) of its own, and these commands besides:
//
//	produce TOPIC FILE     produces each line of a file
//	stored TEXT            fails unless a stored series contains the text
//	await-stored TEXT      waits until one does
//	committed GROUP N      fails unless the group has committed N of partition 0; -1: nothing
//	nothing-stored         fails if anything was stored
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "sensors"),
				kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
			if err != nil {
				return err
			}
			env.Defer(cluster.Close)
			recv := receiver.New(receiver.Config{})
			server := httptest.NewServer(recv)
			env.Defer(server.Close)
			env.Setenv("BROKERS", strings.Join(cluster.ListenAddrs(), ","))
			env.Setenv("KAFKA2PROM_KAFKA__BROKERS", strings.Join(cluster.ListenAddrs(), ","))
			env.Setenv("URL", server.URL)
			env.Setenv("KAFKA2PROM_PIPELINES__sensors__REMOTE_WRITE__URL", server.URL)
			env.Setenv("KAFKA2PROM_SERVER__LISTEN", "127.0.0.1:0")
			env.Values["receiver"] = recv
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"produce": produce, "stored": stored, "nothing-stored": nothingStored,
			"await-stored": awaitStored, "committed": committed,
		},
	})
}

func produce(ts *testscript.TestScript, _ bool, args []string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(ts.Getenv("BROKERS")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	ts.Check(err)
	defer client.Close()
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		record := &kgo.Record{Topic: args[0], Value: []byte(strings.TrimSpace(line))}
		ts.Check(client.ProduceSync(context.Background(), record).FirstErr())
	}
}

func stored(ts *testscript.TestScript, _ bool, args []string) {
	var all []string
	for series := range ts.Value("receiver").(*receiver.Receiver).Samples() {
		if strings.Contains(series, args[0]) {
			return
		}
		all = append(all, series)
	}
	ts.Fatalf("no stored series contains %s; there are %v", args[0], all)
}

// patience bounds what the scripts wait for.
const patience = 30 * time.Second

func await(ts *testscript.TestScript, what string, ok func() bool) {
	for began := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			ts.Fatalf("waited in vain for %s", what)
		}
	}
}

func awaitStored(ts *testscript.TestScript, _ bool, args []string) {
	await(ts, "a series with "+args[0], func() bool {
		for series := range ts.Value("receiver").(*receiver.Receiver).Samples() {
			if strings.Contains(series, args[0]) {
				return true
			}
		}
		return false
	})
}

func committed(ts *testscript.TestScript, _ bool, args []string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(ts.Getenv("BROKERS")))
	ts.Check(err)
	defer client.Close()
	at := int64(-1)
	offsets, err := kadm.NewClient(client).FetchOffsets(context.Background(), args[0])
	if !errors.Is(err, kerr.GroupIDNotFound) {
		ts.Check(err)
	}
	if o, ok := offsets.Lookup("sensors", 0); ok {
		at = o.At
	}
	if strconv.FormatInt(at, 10) != args[1] {
		ts.Fatalf("group %s has committed %d, want %s", args[0], at, args[1])
	}
}

func nothingStored(ts *testscript.TestScript, _ bool, _ []string) {
	if n := len(ts.Value("receiver").(*receiver.Receiver).Samples()); n > 0 {
		ts.Fatalf("%d series are stored", n)
	}
}

func TestTheDocumentedConfigurationRunsAsItStands(t *testing.T) {
	env := &environment{stdin: strings.NewReader(""), stdout: &strings.Builder{}, stderr: &strings.Builder{}}
	require.Equal(t, exitDone, execute(t.Context(), env, []string{"check", "-c", "../../config.yaml"}), env.stderr)
}

func TestTheReadmeConfigurationsAreValid(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```yaml\nkafka:")
	require.True(t, found)
	block, _, _ := strings.Cut(rest, "```")
	file := t.TempDir() + "/sensors.yaml"
	require.NoError(t, os.WriteFile(file, []byte("kafka:"+block), 0o600))
	env := &environment{stdin: strings.NewReader(""), stdout: &strings.Builder{}, stderr: &strings.Builder{}}
	require.Equal(t, exitDone, execute(t.Context(), env, []string{"check", "-c", file}), env.stderr)
}
