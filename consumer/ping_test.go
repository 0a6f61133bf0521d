package consumer

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kafka2prom/kafka2prom/internal/certtest"
)

func ping(t *testing.T, cfg KafkaConfig) (Cluster, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return Ping(ctx, cfg)
}

// writeFile puts text into a file of the test's own directory.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestPingSaysWhatItHasFound(t *testing.T) {
	cfg := startCluster(t, kfake.NumBrokers(3))
	cluster, err := ping(t, cfg)
	require.NoError(t, err)
	require.Equal(t, "plant", cluster.ID)
	require.Equal(t, 3, cluster.Brokers)
	require.Regexp(t, `v\d+\.\d+`, cluster.Version)
}

func TestPingTriesEveryBroker(t *testing.T) {
	cfg := startCluster(t)
	cfg.Brokers = append([]string{closedPort(t)}, cfg.Brokers...)
	_, err := ping(t, cfg)
	require.NoError(t, err)
}

func TestMutualTLSFollowsTheFiles(t *testing.T) {
	authority := certtest.New(t)
	cfg := startCluster(t, kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{authority.Server(t)},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool(),
	}))
	stranger := certtest.New(t)
	cert, key := stranger.ClientFiles(t, "client")
	cfg.TLS = &commoncfg.TLSConfig{CAFile: stranger.File(t), CertFile: cert, KeyFile: key}
	require.Empty(t, cfg.Validate())
	opts, err := clientOptions(cfg)
	require.NoError(t, err)
	require.NotEmpty(t, opts)

	_, err = ping(t, cfg)
	require.ErrorContains(t, err, "broker "+cfg.Brokers[0]+" has a certificate of an authority that is not trusted here: name it in kafka.tls.ca_file")

	require.NoError(t, os.Rename(authority.File(t), cfg.TLS.CAFile))
	_, err = ping(t, cfg)
	require.ErrorContains(t, err, "does it want a client certificate (kafka.tls.cert_file, key_file), of an authority that it trusts?")

	renewedCert, renewedKey := authority.ClientFiles(t, "renewed")
	require.NoError(t, os.Rename(renewedCert, cert))
	require.NoError(t, os.Rename(renewedKey, key))
	_, err = ping(t, cfg)
	require.NoError(t, err)
}

func TestLoginsThatBrokersAccept(t *testing.T) {
	authority := certtest.New(t)
	secured := []kfake.Opt{kfake.EnableSASL(), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{authority.Server(t)}})}
	for _, mechanism := range []string{mechanismPlain, mechanismScram256, mechanismScram512} {
		t.Run(mechanism, func(t *testing.T) {
			cfg := startCluster(t, append(secured, kfake.Superuser(mechanism, "me", "right"))...)
			cfg.TLS = &commoncfg.TLSConfig{CAFile: authority.File(t)}
			cfg.SASL = &SASLConfig{Mechanism: mechanism, Username: "me", PasswordFile: writeFile(t, "password", "right\n")}
			require.Empty(t, cfg.Validate())
			_, err := ping(t, cfg)
			require.NoError(t, err)

			cfg.SASL.Password, cfg.SASL.PasswordFile = "right", ""
			_, err = ping(t, cfg)
			require.NoError(t, err)
		})
	}
}

func TestLoginsThatBrokersRefuseAreExplained(t *testing.T) {
	for _, mechanism := range []string{mechanismPlain, mechanismScram256, mechanismScram512} {
		t.Run(mechanism, func(t *testing.T) {
			cfg := startCluster(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "me", "right"))
			cfg.SASL = &SASLConfig{Mechanism: mechanism, Username: "me", Password: canary, AllowPlaintext: true}
			_, err := ping(t, cfg)
			require.ErrorContains(t, err, fmt.Sprintf(
				"the brokers at %s hang up at the login of user \"me\" with %s: the name or the secret is wrong, or they want TLS", cfg.Brokers[0], mechanism))
			require.NotContains(t, err.Error(), canary)
		})
	}
}

// Apache Kafka 4.4 answers these to logins that it does not accept.
func TestRefusalsInWordsAreExplainedToo(t *testing.T) {
	password := SASLConfig{Mechanism: mechanismScram256, Username: "me", Password: canary}
	token := SASLConfig{Mechanism: mechanismOAuthBearer, OAuth: &OAuthConfig{Token: canary}}
	for _, test := range []struct {
		name            string
		login           SASLConfig
		handshake, auth *kerr.Error
		data, want      string
	}{
		{"a wrong password", password, nil, kerr.SaslAuthenticationFailed, "", `refuse the login of user "me" with SCRAM-SHA-256: the name or the secret is wrong`},
		{"a token", token, nil, nil, `{"status":"invalid_token"}`, "refuse the login with the given token with OAUTHBEARER: the token is not valid for them"},
		{"a listener without SASL", password, kerr.IllegalSaslState, nil, "", "take no login on this port"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			require.NoError(t, err)
			t.Cleanup(cluster.Close)
			cluster.ControlKey(int16(kmsg.SASLHandshake), func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
				resp.ErrorCode = code(test.handshake)
				return resp, nil, true
			})
			cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
				resp.ErrorCode, resp.SASLAuthBytes = code(test.auth), []byte(test.data)
				return resp, nil, true
			})
			cfg := KafkaConfig{Brokers: cluster.ListenAddrs(), SASL: &test.login}
			cfg.SetDefaults()
			_, err = ping(t, cfg)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), canary)
			for _, cause := range []*kerr.Error{test.handshake, test.auth} {
				if cause != nil {
					require.ErrorIs(t, err, cause, "the cause stays in the chain")
				}
			}
		})
	}
}

func code(err *kerr.Error) int16 {
	if err == nil {
		return 0
	}
	return err.Code
}

// A cluster whose listeners advertise an address that is none of ours answers the
// first request and no other.
func TestAnAdvertisedAddressThatCannotBeReachedIsNamed(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	host, port, err := net.SplitHostPort(closedPort(t))
	require.NoError(t, err)
	closed, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		resp.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 7, Host: host, Port: int32(closed)}}
		return resp, nil, true
	})
	cfg := KafkaConfig{Brokers: cluster.ListenAddrs()}
	cfg.SetDefaults()
	_, err = ping(t, cfg)
	address := net.JoinHostPort(host, port)
	require.ErrorContains(t, err, "reaching broker 7 where the cluster advertises it, at "+address+": broker "+address+" refuses connections")
}

func TestAPasswordFileThatIsMissingIsNamed(t *testing.T) {
	cfg := startCluster(t, kfake.EnableSASL())
	cfg.SASL = &SASLConfig{Mechanism: mechanismScram256, Username: "admin", PasswordFile: "/nowhere/password"}
	_, err := ping(t, cfg)
	require.ErrorContains(t, err, "reading a secret: open /nowhere/password")
	cfg.SASL.PasswordFile = writeFile(t, "password", " \n")
	_, err = ping(t, cfg)
	require.ErrorContains(t, err, "is empty")
}

// closedPort is an address where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// listen serves every connection with the same function, and then closes it.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

// hangUp reads the length of a request and closes, as a broker does that takes a
// TLS handshake for a request that is too large.
func hangUp(conn net.Conn) { _, _ = io.ReadFull(conn, make([]byte, 4)) }

func answer(text string) func(net.Conn) {
	return func(conn net.Conn) {
		hangUp(conn)
		_, _ = io.WriteString(conn, text)
	}
}

func TestTheUsualMistakesAreExplained(t *testing.T) {
	authority := certtest.New(t)
	serving := func(cert tls.Certificate) KafkaConfig {
		return startCluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}))
	}
	trusting := &commoncfg.TLSConfig{CA: string(authority.PEM())}
	at := func(address string) KafkaConfig { return KafkaConfig{Brokers: []string{address}} }
	with := func(cfg KafkaConfig, tls *commoncfg.TLSConfig, sasl *SASLConfig) KafkaConfig {
		cfg.TLS, cfg.SASL = tls, sasl
		return cfg
	}
	for _, test := range []struct {
		name string
		cfg  KafkaConfig
		want string
	}{
		{"nothing listens", at(closedPort(t)), "broker {broker} refuses connections: is it running, and is the port right?"},
		{"no such name", at("kafka.invalid:9092"), "broker kafka.invalid:9092 has a name that cannot be resolved"},
		{"plaintext to a TLS port", with(serving(authority.Server(t)), nil, nil), "the brokers at {broker} speak TLS on this port: add the section kafka.tls"},
		{"TLS to a plaintext port of Kafka", with(at(listen(t, hangUp)), trusting, nil), "broker {broker} does not speak TLS on this port"},
		{"TLS to another plaintext port", with(at(listen(t, answer("220 mail.example ESMTP\r\n"))), trusting, nil), "broker {broker} does not speak TLS on this port"},
		{"plaintext to a web server", at(listen(t, answer("HTTP/1.1 400 Bad Request\r\n\r\n"))), "the brokers at {broker} speak HTTP on this port: it is not a Kafka listener"},
		{"plaintext to a TLS port that says so", at(listen(t, answer("\x15\x03\x03\x00\x02\x02\x46"))), "the brokers at {broker} speak TLS on this port: add the section kafka.tls"},
		{"a broker that hangs up", at(listen(t, hangUp)), "the brokers at {broker} hang up: they want TLS (kafka.tls) or a login (kafka.sasl) that is not set"},
		{"an unknown authority", with(serving(certtest.New(t).Server(t)), trusting, nil), "broker {broker} has a certificate of an authority that is not trusted here"},
		{"a certificate for another name", with(serving(authority.Server(t, "elsewhere.example")), trusting, nil), "broker {broker} has a certificate for another name"},
		{"an expired certificate", with(serving(authority.ExpiredServer(t)), trusting, nil), "broker {broker} has a certificate that is not valid now"},
		{"a CA file that is missing", with(at(closedPort(t)), &commoncfg.TLSConfig{CAFile: "/nowhere/ca"}, nil), "broker {broker}: preparing TLS: unable to read CA cert: unable to read file /nowhere/ca"},
		{"no login where one is wanted", startCluster(t, kfake.EnableSASL()), "the brokers at {broker} hang up: they want TLS (kafka.tls) or a login (kafka.sasl) that is not set"},
		{
			"a mechanism that is not offered",
			with(startCluster(t, kfake.EnableSASL()), nil, &SASLConfig{Mechanism: mechanismOAuthBearer, OAuth: &OAuthConfig{Token: "t"}}),
			"the brokers at {broker} do not offer OAUTHBEARER: ask which mechanism this listener has",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.SetDefaults()
			_, err := ping(t, test.cfg)
			require.Error(t, err)
			require.Contains(t, err.Error(), strings.ReplaceAll(test.want, "{broker}", test.cfg.Brokers[0]))
		})
	}
}
