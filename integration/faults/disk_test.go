//go:build faults

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// disk is a small one, in memory.
type disk struct {
	*testing.T
	filler string // The file that fills it up.
}

// mount makes a disk of so many MiB at a directory. It ends with the test.
func mount(t *testing.T, dir string, mebibytes int) *disk {
	t.Helper()
	require.NoError(t, os.Mkdir(dir, 0o750))
	require.NoError(t, command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", mebibytes), "tmpfs", dir))
	t.Cleanup(func() { require.NoError(t, command("umount", dir)) })
	return &disk{T: t, filler: filepath.Join(dir, "filler")}
}

// tryDisk says why this machine cannot make small disks.
func tryDisk() error {
	dir, err := os.MkdirTemp("", "kafka2prom-disk-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir); err != nil {
		return err
	}
	return command("umount", dir)
}

// fill leaves no space.
func (d *disk) fill() {
	d.Helper()
	file, err := os.Create(d.filler)
	require.NoError(d, err)
	defer file.Close()
	for err == nil {
		_, err = file.Write(make([]byte, 1<<12))
	}
	require.ErrorIs(d, err, syscall.ENOSPC)
}

// free gives the space back.
func (d *disk) free() {
	d.Helper()
	require.NoError(d, os.Remove(d.filler))
}

// Prometheus is killed and reads its log again; then it cannot write the log for a
// while. It is not killed after that: it has half a record in its log then,
// and drops all that is behind it when it starts, acknowledged or not.
func TestDiskFull(t *testing.T) {
	if lacking[smallDisks] != nil {
		return // TestMain names it.
	}
	dir, kills := t.TempDir(), scaled(3, 1)
	d := mount(t, filepath.Join(dir, "data"), 64)
	tr := begin(t, plan{
		name: "disk full", injured: fmt.Sprintf("kill -9 and restart of Prometheus, %d times, then no space for it for 8 s", kills),
		dir: dir, outOfOrder: time.Hour, duplicates: 4 * inFlight,
	})
	tr.flow(1000)
	tr.start()
	for range kills {
		tr.awaitCommitted(tr.committed() + 4000)
		require.NoError(t, tr.prometheus.Kill())
		time.Sleep(time.Second)
		require.NoError(t, tr.prometheus.Start())
	}
	tr.awaitCommitted(tr.committed() + 4000)
	d.fill()
	tr.awaitStatus(500)
	held := tr.committed()
	time.Sleep(8 * time.Second)
	require.Less(t, tr.committed(), held+inFlight, "commits while nothing can be written")
	d.free()
	tr.awaitCommitted(tr.committed() + 4000)
	tr.calm()
	tr.finish()
}

// awaitStatus waits until the sender has got a status.
func (tr *trial) awaitStatus(status int) {
	tr.Helper()
	require.Eventually(tr, func() bool {
		_, statuses := tr.proxy.Requests()
		return statuses[status] > 0
	}, tr.plan.catchUp, scrapeInterval, "status %d", status)
}
