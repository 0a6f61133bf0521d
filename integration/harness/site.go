package harness

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/integration/servers"
)

// Site is where a program runs, and how it gets to the broker. The zero value is the
// loopback interface.
type Site struct {
	Kafka  string   // Address of the broker. Left out: those of the lab.
	Host   string   // Where the program listens. Left out: 127.0.0.1.
	Prefix []string // A command, with an absolute path, that becomes the program.
}

// RunAt is Run at another site.
func (l *Lab) RunAt(t *testing.T, site Site, pipelines string, args ...string) *Program {
	t.Helper()
	addresses, err := servers.FreeAddresses(1)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(addresses[0])
	require.NoError(t, err)
	listen := net.JoinHostPort(cmp.Or(site.Host, "127.0.0.1"), port)
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	brokers := cmp.Or(site.Kafka, strings.Join(l.brokers, ", "))
	text := fmt.Sprintf(preamble, brokers, l.Settings, listen) + pipelines
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	command := append(append([]string{}, site.Prefix...), l.binary, "run", "--config", config)
	process, err := servers.Start(servers.Command{
		Name: "kafka2prom", Path: command[0], Dir: dir, Args: append(command[1:], args...),
	})
	require.NoError(t, err)
	endWith(t, process)
	return &Program{Process: process, url: "http://" + listen}
}
