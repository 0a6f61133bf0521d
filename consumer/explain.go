package consumer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// explain puts a sentence in front of the errors that wrong settings give: what
// happened, with which broker, and which key mends it. Any other error is returned
// as it is. The cause stays in the chain.
func (c KafkaConfig) explain(err error) error {
	var dialing *brokerError
	if errors.As(err, &dialing) {
		if sentence := c.explainDialing(dialing.err); sentence != "" {
			return fmt.Errorf("broker %s %s (%w)", dialing.addr, sentence, dialing.err)
		}
		return dialing
	}
	if sentence := c.explainSession(err); sentence != "" {
		return fmt.Errorf("%s (%w)", sentence, err)
	}
	return err
}

// explainDialing is for errors before the first request.
func (c KafkaConfig) explainDialing(err error) string {
	var (
		dns     *net.DNSError
		timeout net.Error
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "has a name that cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses connections: is it running, and is the port right?"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "does not answer: is the address right, and does a firewall let us through?"
	case errors.As(err, &record), c.TLS != nil && hungUp(err):
		return "does not speak TLS on this port: use the port of its TLS listener, or remove kafka.tls"
	}
	return explainCertificate(err)
}

// explainCertificate is for the errors of a TLS handshake.
func explainCertificate(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		alert   tls.AlertError
	)
	switch {
	case errors.As(err, &unknown):
		return "has a certificate of an authority that is not trusted here: name it in kafka.tls.ca_file"
	case errors.As(err, &name):
		return "has a certificate for another name: use a name that is in it, or set kafka.tls.server_name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "has a certificate that is not valid now: look at its dates and at the clock"
	case errors.As(err, &alert):
		return "ended the TLS handshake: does it want a client certificate (kafka.tls.cert_file, key_file), of an authority that it trusts?"
	}
	return ""
}

// explainSession is for errors on a connection that stands.
func (c KafkaConfig) explainSession(err error) string {
	var (
		first *kgo.ErrFirstReadEOF
		alert tls.AlertError
	)
	brokers := "the brokers at " + strings.Join(c.Brokers, ", ")
	switch {
	case errors.As(err, &alert):
		return "a broker " + explainCertificate(err)
	// kgo has no type for these two.
	case strings.Contains(err.Error(), "appear to be a tls alert"):
		return brokers + " speak TLS on this port: add the section kafka.tls (an empty one is enough), or use the plaintext port"
	case strings.Contains(err.Error(), "'HTTP' in ascii"):
		return brokers + " speak HTTP on this port: it is not a Kafka listener"
	case c.SASL != nil && c.refused(err):
		return fmt.Sprintf("%s refuse the login %s with %s: wrong name, secret or mechanism", brokers, c.SASL.identity(), c.SASL.Mechanism)
	case errors.Is(err, kerr.UnsupportedSaslMechanism) && c.SASL != nil:
		return fmt.Sprintf("%s do not offer %s: ask which mechanism this listener has", brokers, c.SASL.Mechanism)
	case errors.As(err, &first) && c.TLS == nil:
		return brokers + " hang up: they want TLS (kafka.tls) or a login (kafka.sasl) that is not set"
	case errors.As(err, &first):
		return brokers + " hang up: they want a login (kafka.sasl) that is not set"
	case strings.Contains(err.Error(), "cannot determine the region"):
		return "the name of a broker does not say its AWS region: set AWS_REGION in the environment"
	case errors.Is(err, context.DeadlineExceeded):
		return brokers + " do not answer: is this a Kafka listener, and does it want TLS (kafka.tls)?"
	}
	return ""
}

// refused says that a broker did not accept the login. Kafka says so; some others
// hang up.
func (c KafkaConfig) refused(err error) bool {
	return errors.Is(err, kerr.SaslAuthenticationFailed) || errors.Is(err, kerr.IllegalSaslState) ||
		strings.Contains(err.Error(), "server sent authentication error") || hungUp(err)
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}
