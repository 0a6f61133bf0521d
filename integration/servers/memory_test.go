package servers

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPeakMemoryIsReadFromTheStatus(t *testing.T) {
	got, err := parsePeak("VmPeak:\t  999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n")
	require.NoError(t, err)
	require.Equal(t, int64(2<<20), got)
	_, err = parsePeak("State:\tZ (zombie)\n")
	require.ErrorContains(t, err, "no VmHWM")
	_, err = parsePeak("VmHWM:\tmuch kB\n")
	require.ErrorContains(t, err, "reading VmHWM")
}

func TestARunningProcessHasMemory(t *testing.T) {
	p := shell(t, "while :; do sleep 0.01; done")
	require.NoError(t, p.awaitReady(isUp(p)))
	got, err := p.PeakMemory()
	require.NoError(t, err)
	require.Greater(t, got, int64(100<<10))
	require.NoError(t, p.Kill())
	_, err = p.PeakMemory()
	require.ErrorContains(t, err, "reading the memory of shell")
}
