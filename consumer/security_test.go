package consumer

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"
)

// login gives the first message that the mechanism sends to a broker.
func login(t *testing.T, cfg SASLConfig, broker string) (string, error) {
	t.Helper()
	mechanism, err := cfg.mechanism()
	require.NoError(t, err)
	require.Equal(t, cfg.Mechanism, mechanism.Name())
	_, message, err := mechanism.Authenticate(t.Context(), broker)
	return string(message), err
}

func TestMistakesInTheSASLSectionAreNamed(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"no mechanism", "{username: u}", []string{`mechanism: "" is unknown: want one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM`}},
		{"another mechanism", "{mechanism: GSSAPI}", []string{`mechanism: "GSSAPI" is unknown: want one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM`}},
		{"nobody", "{mechanism: SCRAM-SHA-256, password: p}", []string{"username: SCRAM-SHA-256 needs a user name"}},
		{"no password", "{mechanism: SCRAM-SHA-512, username: u}", []string{"password: SCRAM-SHA-512 needs one of password and password_file"}},
		{"two passwords", "{mechanism: PLAIN, username: u, password: p, password_file: f}", []string{"password: PLAIN needs one of password and password_file"}},
		{"a section of another mechanism", "{mechanism: PLAIN, username: u, password: p, oauth: {token: t}, aws: {region: r}}", []string{
			"oauth: is for the mechanism OAUTHBEARER, and this is PLAIN", "aws: is for the mechanism AWS_MSK_IAM, and this is PLAIN",
		}},
		{"no token", "{mechanism: OAUTHBEARER}", []string{"oauth: OAUTHBEARER needs the section, with token, token_file or token_url"}},
		{"an empty section", "{mechanism: OAUTHBEARER, oauth: {}}", []string{"oauth: want exactly one of token, token_file and token_url"}},
		{"two tokens", "{mechanism: OAUTHBEARER, oauth: {token: t, token_file: f}}", []string{"oauth: want exactly one of token, token_file and token_url"}},
		{"a grant without a client", "{mechanism: OAUTHBEARER, oauth: {token_url: 'https://a/t'}}", []string{
			"oauth.client_id: token_url needs it", "oauth.client_secret: token_url needs one of client_secret and client_secret_file",
		}},
		{"an endpoint that is none", "{mechanism: OAUTHBEARER, oauth: {token_url: a/t, client_id: i, client_secret: s}}", []string{"oauth.token_url: is no URL of a token endpoint: want https://…"}},
		{"credentials in the URL", "{mechanism: OAUTHBEARER, oauth: {token_url: 'https://u:p@a/t', client_id: i, client_secret: s}}", []string{"oauth.token_url: credentials in the URL end up in logs: use client_id and client_secret"}},
		{"an extension that is the token", "{mechanism: OAUTHBEARER, oauth: {token: t, extensions: {auth: x}}}", []string{"oauth.extensions.auth: is no valid SASL extension: the name has letters only, the value printable ASCII"}},
		{"an extension with a dash", "{mechanism: OAUTHBEARER, oauth: {token: t, extensions: {logical-cluster: x}}}", []string{"oauth.extensions.logical-cluster: is no valid SASL extension: the name has letters only, the value printable ASCII"}},
		{"two AWS secrets", "{mechanism: AWS_MSK_IAM, aws: {access_key: a, secret_key: s, secret_key_file: f}}", []string{"aws.secret_key: want one of secret_key and secret_key_file"}},
		{"half an AWS key", "{mechanism: AWS_MSK_IAM, aws: {access_key: a}}", []string{"aws.access_key: access_key and its secret_key (or secret_key_file) belong together"}},
		{"the other half", "{mechanism: AWS_MSK_IAM, aws: {secret_key_file: a}}", []string{"aws.access_key: access_key and its secret_key (or secret_key_file) belong together"}},
		{"a session without a key", "{mechanism: AWS_MSK_IAM, aws: {session_token: a}}", []string{"aws.session_token: belongs to an access_key"}},
		{"a profile beside a key", "{mechanism: AWS_MSK_IAM, aws: {access_key: a, secret_key: s, profile: p}}", []string{"aws.profile: want one of profile and access_key"}},
		{"the default chain", "{mechanism: AWS_MSK_IAM}", nil},
		{"a role", "{mechanism: AWS_MSK_IAM, aws: {role_arn: r}}", nil},
		{"a whole grant", "{mechanism: OAUTHBEARER, oauth: {token_url: 'https://a/t', client_id: i, client_secret_file: s, extensions: {logicalCluster: lkc-1}}}", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := decodeKafka(t, "{brokers: [a], tls: {}, sasl: "+test.text+"}")
			var texts []string
			for _, err := range cfg.Validate() {
				texts = append(texts, err.Error())
			}
			for i := range test.want {
				test.want[i] = "sasl." + test.want[i]
			}
			require.Equal(t, test.want, texts)
		})
	}
}

func TestSecretsAreNotSentInPlaintextUnlessAllowed(t *testing.T) {
	for _, test := range []struct {
		section string
		refused bool
	}{
		{"mechanism: PLAIN, username: u, password: p", true},
		{"mechanism: OAUTHBEARER, oauth: {token: t}", true},
		{"mechanism: SCRAM-SHA-256, username: u, password: p", false},
		{"mechanism: AWS_MSK_IAM", false},
	} {
		f := func(text string) []error {
			cfg := decodeKafka(t, text)
			return cfg.Validate()
		}
		errs := f("{brokers: [a], sasl: {" + test.section + "}}")
		require.Equal(t, test.refused, len(errs) == 1, test.section)
		if test.refused {
			require.ErrorContains(t, errs[0], "sasl.mechanism: ")
			require.ErrorContains(t, errs[0], "add the tls section (or allow_plaintext: true)")
		}
		require.Empty(t, f("{brokers: [a], sasl: {allow_plaintext: true, "+test.section+"}}"))
		require.Empty(t, f("{brokers: [a], tls: {}, sasl: {"+test.section+"}}"))
	}
}

func TestPasswordsAreReadForEachLogin(t *testing.T) {
	file := writeFile(t, "password", "one\n")
	mechanism, err := (&SASLConfig{Mechanism: mechanismPlain, Username: "me", PasswordFile: file}).mechanism()
	require.NoError(t, err)
	for _, password := range []string{"one", "two"} {
		require.NoError(t, os.WriteFile(file, []byte(" "+password+"\n"), 0o600))
		_, message, err := mechanism.Authenticate(t.Context(), "broker:9092")
		require.NoError(t, err)
		require.Equal(t, "\x00me\x00"+password, string(message))
	}
}

func TestScramNamesTheUserAndNotThePassword(t *testing.T) {
	for _, mechanism := range []string{mechanismScram256, mechanismScram512} {
		message, err := login(t, SASLConfig{Mechanism: mechanism, Username: "a,b=c", Password: canary}, "broker:9092")
		require.NoError(t, err)
		require.Regexp(t, `^n,,n=a=2Cb=3Dc,r=.+`, message)
		require.NotContains(t, message, canary)
	}
}

func TestAnUnknownMechanismGivesNoClient(t *testing.T) {
	_, err := clientOptions(KafkaConfig{SASL: &SASLConfig{Mechanism: "GSSAPI"}})
	require.EqualError(t, err, "preparing the login with GSSAPI: the mechanism is unknown")
}

func TestOtherErrorsAreLeftAsTheyAre(t *testing.T) {
	err := errors.New("something else")
	require.Same(t, err, KafkaConfig{}.explain(err))
	require.Same(t, err, KafkaConfig{SASL: &SASLConfig{Mechanism: mechanismPlain}}.explain(err))
}

func TestBrokersThatNeverAnswerAreExplained(t *testing.T) {
	silent := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	cfg := KafkaConfig{Brokers: []string{silent}}
	cfg.SetDefaults()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := Ping(ctx, cfg)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "the brokers at "+silent+" do not answer: is this a Kafka listener, and does it want TLS")

	cfg.TLS = &commoncfg.TLSConfig{}
	cfg.DialTimeout = 50 * time.Millisecond
	_, err = ping(t, cfg)
	require.ErrorContains(t, err, "broker "+silent+" does not answer")
}
