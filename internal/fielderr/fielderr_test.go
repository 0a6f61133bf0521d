package fielderr_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

func TestErrorNamesTheKeyBeforeTheFault(t *testing.T) {
	require.EqualError(t, fielderr.New("limits.depth", "%d is negative", -1), "limits.depth: -1 is negative")
	require.EqualError(t, fielderr.New("", "nothing is set"), "nothing is set")
}

func TestUnderCompletesPathsOnTheWayToTheRoot(t *testing.T) {
	errs := fielderr.Under(fielderr.Index("samples", 2), []error{
		fielderr.New("value", "is empty"),
		fielderr.New("[0]", "is no path"),
		fielderr.New("", "sets two values"),
		errors.New("plain"),
	})
	errs = fielderr.Under("pipelines[0]", errs)
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
		var fault *fielderr.Error
		require.ErrorAs(t, err, &fault)
	}
	require.Equal(t, []string{
		"pipelines[0].samples[2].value: is empty",
		"pipelines[0].samples[2][0]: is no path",
		"pipelines[0].samples[2]: sets two values",
		"pipelines[0].samples[2]: plain",
	}, texts)
}

func TestUnderKeepsNoErrorsEmpty(t *testing.T) {
	require.Empty(t, fielderr.Under("samples", nil))
}

func TestUnderLeavesTheGivenErrorsAlone(t *testing.T) {
	e := fielderr.New("value", "is empty")
	fielderr.Under("samples", []error{e})
	require.Equal(t, "value", e.Path)
}
