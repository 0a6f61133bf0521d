package receiver

import (
	"net/http"
	"strings"
)

// Behaviour is the kind of receiver that is imitated.
type Behaviour int

// The behaviours. What is measured is in the appendix of the project's notes on
// delivery; the others follow their documentation.
const (
	// Modern is Prometheus 3: 1.0 takes all of a request or nothing, 2.0 takes the
	// good samples and says how many.
	Modern Behaviour = iota
	// Legacy is Prometheus 2.42: it takes everything for 1.0, answers 204 to 2.0
	// and stores nothing. It stores a series without a name.
	Legacy
	// VictoriaLike is VictoriaMetrics: it accepts any 1.0 sample, as often as it
	// comes, answers 204 to 2.0 and stores nothing.
	VictoriaLike
	// MimirLike takes the good samples of a 1.0 request and answers 400 with the
	// first error. It answers 415 to 2.0.
	MimirLike
	// ThanosLike takes the good samples of a 1.0 request and answers 409 with the
	// number of the others by cause. It answers 415 to 2.0.
	ThanosLike
)

// accepts says whether the behaviour takes requests of a content type.
func (b Behaviour) accepts(contentType string, p Protocol) bool {
	switch b {
	case Legacy, VictoriaLike:
		return true // They do not look at it.
	case Modern:
		return acceptable(contentType)
	default:
		return p == V1 && acceptable(contentType)
	}
}

// acceptable is Prometheus' reading of a content type: any parameter, but only the
// two messages.
func acceptable(contentType string) bool {
	media, parameters, _ := strings.Cut(contentType, ";")
	if media != "" && media != "application/x-protobuf" {
		return false
	}
	for parameter := range strings.SplitSeq(parameters, ";") {
		key, message, _ := strings.Cut(parameter, "=")
		if key == "proto" && message != "prometheus.WriteRequest" && message != "io.prometheus.write.v2.Request" {
			return false
		}
	}
	return true
}

// write deals with a decoded request.
func (r *Receiver) write(msg message, q *Request) Answer {
	w := writing{
		appender: r.cfg.Store.Appender(),
		latest:   q.Time.Add(maxAhead).UnixMilli(),
	}
	var a Answer
	switch b := r.cfg.Behaviour; {
	case q.Protocol == V2 && b == Modern:
		a = w.partial(msg.series)
		a.Header = writtenHeader(w.written)
	case q.Protocol == V2:
		a = Answer{Status: http.StatusNoContent}
	case b == MimirLike:
		a = w.mimir(msg.series)
	case b == ThanosLike:
		a = w.thanos(msg.series)
	case b == VictoriaLike:
		w.latest = 1<<63 - 1
		a = w.whole(msg.series, anyLabels)
	case b == Legacy:
		a = w.whole(msg.series, nameless)
	default:
		a = w.whole(msg.series, named)
	}
	r.mu.Lock()
	q.Written = w.written
	r.mu.Unlock()
	return a
}
