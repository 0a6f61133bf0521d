package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/config"
)

func TestThePlanHasEveryShapeWithItsGoals(t *testing.T) {
	goals := func(short bool) map[string]int {
		n := map[string]int{}
		for _, s := range plan(short, 0) {
			require.NotNil(t, s.measure, s.name)
			require.NotEmpty(t, s.title, s.name)
			n[s.name] += len(s.goals)
			for _, l := range append(s.sweep, s.load) {
				if l.records > 0 {
					require.Zero(t, l.records%max(1, l.series), "shape %s: every series has as many samples", s.name)
				}
			}
		}
		return n
	}
	require.Equal(t, map[string]int{"A": 2, "B": 3, "C": 1, "D": 3, "E": 1, "F": 1, "G": 1, "H": 2, "I": 1, "J": 3}, goals(false))
	require.Equal(t, map[string]int{"A": 2, "B": 3, "C": 1, "D": 2, "E": 1, "F": 1, "G": 1, "H": 2, "I": 1, "J": 3}, goals(true))
}

func TestASizeReplacesTheRecordsOfBacklogs(t *testing.T) {
	for _, s := range plan(true, 70_000) {
		switch s.name {
		case "A", "C", "E", "F", "G":
			require.Equal(t, 70_000, s.load.records, s.name)
		case "H":
			require.Equal(t, 10_000, s.load.records)
		}
	}
}

func TestTheSweepsShareOneLoad(t *testing.T) {
	for _, short := range []bool{false, true} {
		common, seen := 0, map[load]bool{}
		for _, l := range sweep(short) {
			require.False(t, seen[l], "%v stands there twice", l)
			seen[l] = true
			require.True(t, l.records == sweepRecords || l.partitions == sweepPartitions, "%v belongs to no sweep", l)
			if l.records == sweepRecords && l.partitions == sweepPartitions {
				common++
			}
		}
		require.Equal(t, 1, common)
	}
}

func TestShapesAreChosenByName(t *testing.T) {
	f := func(args []string, want string) {
		t.Helper()
		o, err := parse(args)
		require.NoError(t, err)
		shapes, err := o.chosen()
		require.NoError(t, err)
		got := ""
		for _, s := range shapes {
			got += s.name
		}
		require.Equal(t, want, got)
	}
	f(nil, "ABCDDEFGHIJ")
	f([]string{"-short"}, "ABCDEFGHIJ")
	f([]string{"-shapes", "f,A"}, "AF")

	o, err := parse([]string{"-shapes", "A,Q"})
	require.NoError(t, err)
	_, err = o.chosen()
	require.EqualError(t, err, `there is no shape "Q"`)
}

func TestFlagsHaveDefaultsAndLimits(t *testing.T) {
	o, err := parse(nil)
	require.NoError(t, err)
	require.Equal(t, 5, o.runs)
	o, err = parse([]string{"-short"})
	require.NoError(t, err)
	require.Equal(t, 1, o.runs)
	o, err = parse([]string{"-short", "-runs", "3"})
	require.NoError(t, err)
	require.Equal(t, 3, o.runs)

	f := func(want string, args ...string) {
		t.Helper()
		_, err := parse(args)
		require.EqualError(t, err, want)
	}
	f(`there is no argument "extra"`, "extra")
	f("-runs and -records are not negative", "-runs", "-1")
	f(`there is no remote write "3.0"`, "-protocol", "3.0")
}

func TestEveryConfigurationIsOneThatTheProgramTakes(t *testing.T) {
	b := &bench{options: options{protocol: "1.0"}, registry: &registry{url: "http://127.0.0.1:1"}}
	for _, s := range plan(false, 0) {
		loads := s.sweep
		if len(loads) == 0 {
			loads = []load{s.load}
		}
		for _, l := range loads {
			text := b.configuration(assignment{topic: &topic{load: l, addresses: []string{"127.0.0.1:9092"}}, url: "http://127.0.0.1:2/x", settings: s.settings})
			requireValid(t, s.name, text)
		}
	}
}

func requireValid(t *testing.T, shape string, text []byte) {
	t.Helper()
	file := t.TempDir() + "/bench.yaml"
	require.NoError(t, save(file, text))
	_, err := config.Load(config.Source{Path: file})
	require.NoError(t, err, "shape %s:\n%s", shape, text)
}
