package main

import (
	"bytes"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// demoReport is the last line that the demo prints.
var demoReport = regexp.MustCompile(`(?m)^produced=(\d+) stored=(\d+) dead_lettered=(\d+) missing=0 wrong=0 filtered=(\d+) samples=(\d+)\n\z`)

// The whole way: broker, pipelines, remote write, database; and every record is
// compared.
func TestTheDemoComparesEveryRecordThatItHasProduced(t *testing.T) {
	for _, window := range []string{"0s", "2h"} {
		t.Run("out-of-order window "+window, func(t *testing.T) {
			var out, log bytes.Buffer
			env := &environment{stdout: &out, stderr: &log}
			require.Equal(t, exitDone, execute(t.Context(), env, []string{"demo", "--records", "10000", "--exit", "--out-of-order-window", window}), out.String()+log.String())
			found := demoReport.FindStringSubmatch(out.String())
			require.NotNil(t, found, out.String())
			var n [6]int
			for i := 1; i < len(n); i++ {
				var err error
				n[i], err = strconv.Atoi(found[i])
				require.NoError(t, err)
			}
			produced, stored, deadLettered, filtered, samples := n[1], n[2], n[3], n[4], n[5]
			require.Equal(t, 10000, produced)
			require.Equal(t, produced, stored+deadLettered+filtered)
			require.Positive(t, deadLettered)
			require.Positive(t, filtered)
			require.Greater(t, samples, stored)
			require.Contains(t, out.String(), "query: http://127.0.0.1:")
			require.Contains(t, out.String(), "metrics: http://127.0.0.1:")
		})
	}
}

func TestTheDemoEndsByItselfWithoutATerminal(t *testing.T) {
	for _, row := range []struct {
		given, want demoCommand
		terminal    bool
	}{
		{demoCommand{}, demoCommand{Rate: demoRate}, true},
		{demoCommand{Rate: 7}, demoCommand{Rate: 7}, true},
		{demoCommand{Records: 5}, demoCommand{Records: 5}, true},
		{demoCommand{Exit: true}, demoCommand{Exit: true, Records: demoRecords}, true},
		{demoCommand{}, demoCommand{Exit: true, Records: demoRecords}, false},
		{demoCommand{Records: 5, Rate: 7}, demoCommand{Exit: true, Records: 5, Rate: 7}, false},
	} {
		require.NoError(t, row.given.complete(row.terminal))
		require.Equal(t, row.want, row.given)
	}
}

func TestTheDemoRefusesWhatMakesNoSense(t *testing.T) {
	for _, args := range [][]string{
		{"demo", "--records=-1"}, {"demo", "--rate=-1"}, {"demo", "--out-of-order-window=-1s"}, {"demo", "--records=x"},
	} {
		var out, log bytes.Buffer
		require.Equal(t, exitUsage, execute(t.Context(), &environment{stdout: &out, stderr: &log}, args))
	}
	var out, log bytes.Buffer
	require.Equal(t, exitFailed, execute(t.Context(), &environment{stdout: &out, stderr: &log}, []string{"demo", "--listen", "nowhere:x", "--exit"}))
	require.Contains(t, log.String(), "listening for queries")
}
