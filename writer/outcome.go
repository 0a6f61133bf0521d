package writer

import "net/http"

// outcome is what one attempt came to. The table of outcomes is classify.
type outcome uint8

const (
	landed        outcome = iota // The receiver has stored every sample.
	partial                      // It says itself that it has stored only some of them.
	retry                        // Nothing is said about the data: the same bytes again.
	misconfigured                // Nothing is said about the data, and somebody has to mend something.
	tooLarge                     // The request is, not a sample of it.
	unsupported                  // The receiver does not speak this protocol, and has stored nothing.
	refused                      // Some samples are at fault.
	poisonous                    // Nothing but 5xx for long, while other requests land.
	abandoned                    // The writer has been told to stop before there was an answer.
)

// String is the value of the metric label.
func (o outcome) String() string {
	return [...]string{
		"landed", "partial", "retry", "misconfigured", "too_large", "unsupported", "refused", "poisonous", "abandoned",
	}[o]
}

// answer is what a receiver says in status and headers. Status 0: it did not
// answer.
type answer struct {
	status  int
	counted bool // There was a *-Written header.
	written int  // Samples, as the header says.
}

// classify is the table of outcomes: what an answer means for a request in a
// protocol that carried this many samples.
func classify(a answer, p protocol, sent int) outcome {
	switch s := a.status; {
	case s >= 200 && s <= 299:
		return classifySuccess(a, p, sent)
	case s == http.StatusRequestEntityTooLarge:
		return tooLarge
	case s == http.StatusUnsupportedMediaType:
		return unsupported
	case s == http.StatusBadRequest, s == http.StatusConflict, s == http.StatusUnprocessableEntity:
		return refused
	case s == 0, s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests, s >= 500:
		return retry
	}
	// 401, 403, 404, 405, 407, every redirect and what is left of 4xx.
	return misconfigured
}

// classifySuccess looks behind a 2xx: receivers that know 1.0 only answer 204 to
// 2.0 and store nothing.
func classifySuccess(a answer, p protocol, sent int) outcome {
	switch {
	case p != protocol2 || sent == 0:
		return landed
	case !a.counted:
		return unsupported
	case a.written < sent:
		return partial
	}
	return landed
}
