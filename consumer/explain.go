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
)

// explain puts a sentence in front of the errors that wrong settings give: what
// happened, with which broker, and which key mends it. Any other error is returned
// as it is. The cause stays in the chain.
func (c KafkaConfig) explain(err error) error {
	if dialing, ok := errors.AsType[*brokerError](err); ok {
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
	)
	switch {
	case errors.As(err, &unknown):
		return "has a certificate of an authority that is not trusted here: name it in kafka.tls.ca_file"
	case errors.As(err, &name):
		return "has a certificate for another name: use a name that is in it, or set kafka.tls.server_name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "has a certificate that is not valid now: look at its dates and at the clock"
	case alerted(err):
		return "ended the TLS handshake: does it want a client certificate (kafka.tls.cert_file, key_file), of an authority that it trusts?"
	}
	return ""
}

// explainSession is for errors on a connection that stands. Some of them have no
// type in kgo.
func (c KafkaConfig) explainSession(err error) string {
	brokers := "the brokers at " + strings.Join(c.Brokers, ", ")
	text := err.Error()
	switch {
	case alerted(err):
		return "a broker " + explainCertificate(err)
	case strings.Contains(text, "appear to be a tls alert"),
		c.TLS == nil && strings.Contains(text, "immediately during api versions negotiation"):
		return brokers + " speak TLS on this port: add the section kafka.tls (an empty one is enough), or use the plaintext port"
	case strings.Contains(text, "'HTTP' in ascii"):
		return brokers + " speak HTTP on this port: it is not a Kafka listener"
	case strings.Contains(text, "cannot determine the region"):
		return "the name of a broker does not say its AWS region: set AWS_REGION in the environment"
	case errors.Is(err, context.DeadlineExceeded):
		return brokers + " do not answer: is this a Kafka listener, and does it want TLS (kafka.tls)?"
	case c.SASL != nil:
		return c.explainLogin(brokers, err)
	case hungUp(err) && c.TLS == nil:
		return brokers + " hang up: they want TLS (kafka.tls) or a login (kafka.sasl) that is not set"
	case hungUp(err):
		return brokers + " hang up: they want a login (kafka.sasl) that is not set"
	}
	return ""
}

// explainLogin is for errors of SASL.
func (c KafkaConfig) explainLogin(brokers string, err error) string {
	login := fmt.Sprintf("the login %s with %s", c.SASL.identity(), c.SASL.Mechanism)
	switch {
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return fmt.Sprintf("%s do not offer %s: ask which mechanism this listener has", brokers, c.SASL.Mechanism)
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return brokers + " refuse " + login + ": the name or the secret is wrong"
	case errors.Is(err, kerr.IllegalSaslState):
		return brokers + " take no login on this port: use the port of the SASL listener, or remove kafka.sasl"
	case strings.Contains(err.Error(), "unexpected data in oauth response"):
		// The broker says why in a second message, which kgo does not give.
		return brokers + " refuse " + login + ": the token is not valid for them"
	case hungUp(err) && c.TLS == nil:
		return brokers + " hang up at " + login + ": the name or the secret is wrong, or they want TLS (kafka.tls)"
	case hungUp(err):
		return brokers + " hang up at " + login + ": the name or the secret is wrong"
	}
	return ""
}

// alerted says that the other side ended TLS, and told so.
func alerted(err error) bool {
	var remote *net.OpError
	return errors.As(err, &remote) && remote.Op == "remote error"
}

// hungUp says that the other side closed the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}
