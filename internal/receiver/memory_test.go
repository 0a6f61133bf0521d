package receiver

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
)

func TestOfTwoConcurrentRequestsTheOlderIsLostWithoutAWord(t *testing.T) {
	for window, want := range map[time.Duration][]Point{
		0:             {{2, 2}},
		2 * time.Hour: {{1, 1}, {2, 2}},
	} {
		m := NewMemory(window)
		a := labels.FromStrings("__name__", "a")
		older, newer := m.Appender(), m.Appender()
		require.NoError(t, older.Append(a, 1, 1))
		require.NoError(t, newer.Append(a, 2, 2))
		require.NoError(t, newer.Commit())
		require.NoError(t, older.Commit())
		require.Equal(t, want, m.Samples()[a.String()])
	}
}

func TestWhatWasStoredInOrderWinsOverALaterValue(t *testing.T) {
	m := NewMemory(2 * time.Hour)
	a := labels.FromStrings("__name__", "a")
	for _, p := range []Point{{1, 1}, {2, 2}, {1, 9}} {
		appender := m.Appender()
		require.NoError(t, appender.Append(a, p.Timestamp, p.Value))
		require.NoError(t, appender.Commit())
	}
	require.Equal(t, []Point{{1, 1}, {2, 2}}, m.Samples()[a.String()])
}

func TestTheFirstSampleSetsTheBoundsEvenWhenItIsRolledBack(t *testing.T) {
	m := NewMemory(0)
	a := labels.FromStrings("__name__", "a")
	first := m.Appender()
	require.NoError(t, first.Append(a, 10*inOrderSpan, 1))
	require.NoError(t, first.Rollback())
	require.Empty(t, m.Samples())

	second := m.Appender()
	require.ErrorIs(t, second.Append(a, 9*inOrderSpan-1, 1), storage.ErrOutOfBounds)
	require.NoError(t, second.Append(a, 9*inOrderSpan, 1))
}

func TestEmptyLabelsAreNoPartOfASeries(t *testing.T) {
	m := NewMemory(0)
	appender := m.Appender()
	require.NoError(t, appender.Append(labels.FromStrings("__name__", "a", "b", ""), 1, 1))
	require.NoError(t, appender.Append(labels.FromStrings("__name__", "a"), 2, 2))
	require.NoError(t, appender.Commit())
	require.Equal(t, map[string][]Point{`{__name__="a"}`: {{1, 1}, {2, 2}}}, m.Samples())
}
