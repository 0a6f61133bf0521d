package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOffsetsThatGoBackAreTold(t *testing.T) {
	o := Offsets{}
	require.Empty(t, o.advance(Offsets{0: 5}))
	require.Empty(t, o.advance(Offsets{0: 5, 1: 7}))
	require.Equal(t, []string{"partition 0: 4 after 5"}, o.advance(Offsets{0: 4, 1: 8}))
	require.Empty(t, o.advance(Offsets{0: 5}), "forward again")
	require.Equal(t, Offsets{0: 5, 1: 8}, o)
}
