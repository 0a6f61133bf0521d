package servers

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shell starts a shell script as a server. It prints "up" when it runs.
func shell(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(Command{Name: "shell", Path: "/bin/sh", Args: []string{"-c", "echo up; " + script}, Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Kill()) })
	return p
}

// isUp is a probe.
func isUp(p *Process) func(context.Context) error {
	return func(context.Context) error {
		if strings.Contains(p.Log(), "up") {
			return nil
		}
		return errors.New("not yet")
	}
}

func TestStopAsksAndKillDoesNot(t *testing.T) {
	polite := shell(t, `trap 'echo asked; exit 3' TERM; echo armed; while :; do sleep 0.01; done`)
	awaitArmed(t, polite)
	require.NoError(t, polite.Stop())
	require.Equal(t, 3, polite.ExitCode())
	require.Contains(t, polite.Log(), "asked")

	forced := shell(t, `trap 'echo asked' TERM; echo armed; while :; do sleep 0.01; done`)
	awaitArmed(t, forced)
	require.NoError(t, forced.Kill())
	require.Equal(t, -1, forced.ExitCode())
	require.NotContains(t, forced.Log(), "asked")
	require.NoError(t, forced.Kill(), "a process that has ended already")
}

// awaitArmed waits until the trap of a script is set: a signal before that ends it.
func awaitArmed(t *testing.T, p *Process) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(p.Log(), "armed") }, readyTimeout, readyPause)
}

func TestAStartedAgainProcessAppendsToItsLog(t *testing.T) {
	p := shell(t, "exit 0")
	<-p.Done()
	require.NoError(t, p.Start())
	<-p.Done()
	require.Equal(t, "up\nup\n", p.Log())
	require.Equal(t, 0, p.ExitCode())
}

func TestAProcessThatEndsIsNotWaitedFor(t *testing.T) {
	p := shell(t, "echo because; exit 7")
	err := p.awaitReady(func(context.Context) error { return errors.New("never") })
	require.ErrorContains(t, err, "ended with status 7")
	require.ErrorContains(t, err, "because")
}

func TestAPausedProcessStandsStill(t *testing.T) {
	p := shell(t, "while :; do echo tick; sleep 0.01; done")
	require.NoError(t, p.awaitReady(isUp(p)))
	require.NoError(t, p.Pause())
	require.Eventually(t, func() bool { return state(t, p) == "T" }, readyTimeout, readyPause)
	require.NoError(t, p.Resume())
	require.Eventually(t, func() bool { return state(t, p) != "T" }, readyTimeout, readyPause)
}

// state is the letter that ps shows for a process.
func state(t *testing.T, p *Process) string {
	t.Helper()
	ps, err := Start(Command{
		Name: "ps", Path: "/bin/ps", Dir: t.TempDir(),
		Args: []string{"-o", "state=", "-p", strconv.Itoa(p.cmd.Process.Pid)},
	})
	require.NoError(t, err)
	<-ps.Done()
	return strings.TrimSpace(ps.Log())[:1]
}

func TestTailIsTheEndOfTheLog(t *testing.T) {
	p := shell(t, "echo one; echo two; echo three")
	<-p.Done()
	require.Equal(t, "--- the end of "+p.log+"\ntwo\nthree\n", p.Tail(2))
	require.Equal(t, "--- the end of "+p.log+"\nup\none\ntwo\nthree\n", p.Tail(100))
}

func TestFreeAddressesDifferAndAreFree(t *testing.T) {
	addresses, err := FreeAddresses(5)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, a := range addresses {
		seen[a] = true
		var config net.ListenConfig
		l, err := config.Listen(t.Context(), "tcp", a)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
	require.Len(t, seen, 5)
}

func TestMissingServersAreToldHowToBeFetched(t *testing.T) {
	home := t.TempDir()
	t.Setenv("INTEGRATION_SERVERS", home)
	for _, kind := range Kinds() {
		require.ErrorContains(t, kind.Present(), "run integration/servers/fetch")
	}
	_, err := StartKafka(t.TempDir())
	require.ErrorContains(t, err, "run integration/servers/fetch")
	_, err = StartRegistry(t.TempDir())
	require.ErrorContains(t, err, "run integration/servers/fetch")

	require.NoError(t, os.MkdirAll(filepath.Join(home, prometheusDir), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(home, prometheusDir, "prometheus"), nil, 0o600))
	require.NoError(t, Prometheus.Present())
}

func TestHomeIsInTheRepositoryUnlessItIsSet(t *testing.T) {
	t.Setenv("INTEGRATION_SERVERS", "")
	root, err := Root()
	require.NoError(t, err)
	require.DirExists(t, filepath.Join(root, "integration", "servers"))
	home, err := Home()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "build", "servers"), home)
	t.Setenv("INTEGRATION_SERVERS", "elsewhere")
	home, err = Home()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "elsewhere"), home)
}
