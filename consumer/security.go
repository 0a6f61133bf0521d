package consumer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	commoncfg "github.com/prometheus/common/config"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

// The mechanisms of SASL.
const (
	mechanismPlain       = "PLAIN"
	mechanismScram256    = "SCRAM-SHA-256"
	mechanismScram512    = "SCRAM-SHA-512"
	mechanismOAuthBearer = "OAUTHBEARER"
	mechanismMSKIAM      = "AWS_MSK_IAM"
)

// brokerError says which broker could not be connected to.
type brokerError struct {
	addr string
	err  error
}

func (e *brokerError) Error() string { return "broker " + e.addr + ": " + e.err.Error() }
func (e *brokerError) Unwrap() error { return e.err }

// dialer connects to brokers, with TLS where the section is there. The files of
// certificates and keys are read again for every connection, so that they may be
// renewed while the program runs.
func dialer(cfg KafkaConfig) func(ctx context.Context, network, addr string) (net.Conn, error) {
	tcp := &net.Dialer{Timeout: cfg.DialTimeout}
	dial := tcp.DialContext
	if cfg.TLS != nil {
		dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			config, err := commoncfg.NewTLSConfigWithContext(ctx, cfg.TLS)
			if err != nil {
				return nil, fmt.Errorf("preparing TLS: %w", err)
			}
			// The timeout of tcp bounds the handshake, too.
			return (&tls.Dialer{NetDialer: tcp, Config: config}).DialContext(ctx, network, addr)
		}
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, &brokerError{addr: addr, err: err}
		}
		return conn, nil
	}
}

// validateTLS refuses what common/config lets pass: versions that are broken, and
// names of secrets in a secret manager, which only Prometheus itself has.
func validateTLS(cfg *commoncfg.TLSConfig) []error {
	var errs []error
	if err := cfg.Validate(); err != nil {
		errs = append(errs, err)
	}
	tls12 := commoncfg.TLSVersions["TLS12"]
	if cfg.MinVersion != 0 && cfg.MinVersion < tls12 {
		errs = append(errs, fielderr.New("min_version", "TLS before 1.2 is broken: want TLS12 or TLS13"))
	}
	if cfg.MaxVersion != 0 && cfg.MaxVersion < tls12 {
		errs = append(errs, fielderr.New("max_version", "TLS before 1.2 is broken: want TLS12 or TLS13"))
	}
	if cfg.MinVersion != 0 && cfg.MaxVersion != 0 && cfg.MaxVersion < cfg.MinVersion {
		errs = append(errs, fielderr.New("max_version", "is below min_version"))
	}
	for _, ref := range []struct{ key, value string }{
		{"ca_ref", cfg.CARef}, {"cert_ref", cfg.CertRef}, {"key_ref", cfg.KeyRef},
	} {
		if ref.value != "" {
			errs = append(errs, fielderr.New(ref.key, "there is no secret manager here: use the key that ends in _file"))
		}
	}
	return errs
}

// validate checks the section, for a connection with TLS or without.
func (s *SASLConfig) validate(encrypted bool) []error {
	var errs []error
	switch s.Mechanism {
	case mechanismPlain, mechanismScram256, mechanismScram512:
		errs = s.validatePassword()
	case mechanismOAuthBearer:
		errs = s.OAuth.validate()
	case mechanismMSKIAM:
		errs = s.AWS.validate()
	default:
		return []error{fielderr.New("mechanism", "%q is unknown: want one of %s", s.Mechanism, strings.Join([]string{
			mechanismPlain, mechanismScram256, mechanismScram512, mechanismOAuthBearer, mechanismMSKIAM,
		}, ", "))}
	}
	if s.OAuth != nil && s.Mechanism != mechanismOAuthBearer {
		errs = append(errs, fielderr.New("oauth", "is for the mechanism %s, and this is %s", mechanismOAuthBearer, s.Mechanism))
	}
	if s.AWS != nil && s.Mechanism != mechanismMSKIAM {
		errs = append(errs, fielderr.New("aws", "is for the mechanism %s, and this is %s", mechanismMSKIAM, s.Mechanism))
	}
	if s.sendsSecret() && !encrypted && !s.AllowPlaintext {
		errs = append(errs, fielderr.New("mechanism",
			"%s sends the secret itself, which anybody on the path could read: add the tls section (or allow_plaintext: true)", s.Mechanism))
	}
	return errs
}

// sendsSecret says that the login can be repeated by whoever sees it.
func (s *SASLConfig) sendsSecret() bool {
	return s.Mechanism == mechanismPlain || s.Mechanism == mechanismOAuthBearer
}

func (s *SASLConfig) validatePassword() []error {
	var errs []error
	if s.Username == "" {
		errs = append(errs, fielderr.New("username", "%s needs a user name", s.Mechanism))
	}
	if (s.Password == "") == (s.PasswordFile == "") {
		errs = append(errs, fielderr.New("password", "%s needs one of password and password_file", s.Mechanism))
	}
	return errs
}

// mechanism makes what kgo logs in with. Secrets in files are read again for
// every login.
func (s *SASLConfig) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case mechanismPlain:
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := s.password()
			return plain.Auth{User: s.Username, Pass: password}, err
		}), nil
	case mechanismScram256:
		return scram.Sha256(s.scram), nil
	case mechanismScram512:
		return scram.Sha512(s.scram), nil
	case mechanismOAuthBearer:
		return oauth.Oauth(newTokens(*s.OAuth).auth), nil
	case mechanismMSKIAM:
		credentials, err := newAWSCredentials(s.AWS)
		if err != nil {
			return nil, err
		}
		return aws.ManagedStreamingIAM(credentials.auth), nil
	default:
		return nil, errors.New("the mechanism is unknown")
	}
}

func (s *SASLConfig) scram(context.Context) (scram.Auth, error) {
	password, err := s.password()
	return scram.Auth{User: s.Username, Pass: password}, err
}

func (s *SASLConfig) password() (string, error) {
	return readSecret(s.Password, s.PasswordFile)
}

// identity names who logs in, for messages; it holds no secret.
func (s *SASLConfig) identity() string {
	switch {
	case s.Username != "":
		return fmt.Sprintf("of user %q", s.Username)
	case s.OAuth != nil && s.OAuth.ClientID != "":
		return fmt.Sprintf("of client %q", s.OAuth.ClientID)
	case s.Mechanism == mechanismMSKIAM:
		return "of the AWS identity"
	default:
		return "with the given token"
	}
}

// readSecret is the secret itself, or the content of its file without the space
// around it.
func readSecret(secret commoncfg.Secret, file string) (string, error) {
	if file == "" {
		return string(secret), nil
	}
	content, err := os.ReadFile(file) //nolint:gosec // The path comes from the configuration.
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	trimmed := strings.TrimSpace(string(content))
	if trimmed == "" {
		return "", fmt.Errorf("reading a secret: %s is empty", file)
	}
	return trimmed, nil
}
