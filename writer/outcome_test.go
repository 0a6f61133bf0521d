package writer

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOutcomesOfAnswers(t *testing.T) {
	f := func(status int, v1, v2 outcome) {
		t.Helper()
		require.Equal(t, v1, classify(answer{status: status}, protocol1, 10), "%d under 1.0", status)
		require.Equal(t, v2, classify(answer{status: status}, protocol2, 10), "%d under 2.0", status)
	}
	for _, s := range []int{200, 202, 204} {
		f(s, landed, unsupported) // Without *-Written headers a 1.x receiver has answered, and stored nothing.
	}
	for _, s := range []int{0, 408, 425, 429, 500, 501, 502, 503, 504, 599} {
		f(s, retry, retry)
	}
	for _, s := range []int{100, 301, 302, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 411, 414, 418, 421, 426, 431, 451} {
		f(s, misconfigured, misconfigured)
	}
	for _, s := range []int{400, 409, 422} {
		f(s, refused, refused)
	}
	f(413, tooLarge, tooLarge)
	f(415, unsupported, unsupported)
}

func TestOutcomesOf2_0DependOnWhatWasWritten(t *testing.T) {
	f := func(a answer, sent int, want outcome) {
		t.Helper()
		require.Equal(t, want, classify(a, protocol2, sent))
	}
	f(answer{status: 204, counted: true, written: 10}, 10, landed)
	f(answer{status: 204, counted: true, written: 11}, 10, landed)
	f(answer{status: 204, counted: true, written: 9}, 10, partial)
	f(answer{status: 204, counted: true}, 10, partial)
	f(answer{status: 204}, 10, unsupported)
	f(answer{status: 204}, 0, landed) // An empty request loses nothing.
	f(answer{status: 400, counted: true, written: 9}, 10, refused)
}

func TestEveryOutcomeHasAName(t *testing.T) {
	seen := map[string]bool{}
	for o := landed; o <= abandoned; o++ {
		require.NotEmpty(t, o.String())
		require.False(t, seen[o.String()])
		seen[o.String()] = true
	}
}
