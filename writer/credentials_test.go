package writer

import (
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/storage/remote/azuread"
	"github.com/prometheus/sigv4"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCredentialsThatContradictEachOtherAreRefused(t *testing.T) {
	for _, test := range []struct{ name, section, want string }{
		{"two methods", "basic_auth: {username: u}\nauthorization: {credentials: c}", "authorization: at most one way to authenticate may be set, and there are basic_auth and authorization"},
		{"a signature beside a token", "bearer_token: t\nsigv4: {region: r}", "sigv4: at most one way to authenticate may be set, and there are bearer_token and sigv4"},
		{"a password beside its file", "basic_auth: {username: u, password: p, password_file: f}", "at most one of basic_auth password, password_file & password_ref must be configured"},
		{"basic as a type", "authorization: {type: Basic, credentials: c}", `authorization type cannot be set to "basic", use "basic_auth" instead`},
		{"credentials in the URL", "url: http://user:" + canary + "@a.example/w", "url: credentials in the URL end up in logs: move them to basic_auth"},
		{"redirects", "follow_redirects: true", "follow_redirects: redirects are never followed, a write would lose its body: set url to the final address"},
		{"an old TLS", "tls_config: {min_version: TLS11}", "tls_config: TLS before 1.2 is broken: want TLS12 or TLS13"},
		{"an old TLS at most", "oauth2: {client_id: a, token_url: 'https://b/t', tls_config: {max_version: TLS10}}", "oauth2.tls_config: TLS before 1.2 is broken: want TLS12 or TLS13"},
		{"an empty rule", "write_relabel_configs: [null]", "write_relabel_configs[0]: the rule is empty"},
		{"a secret manager", "basic_auth: {username_ref: u}", "basic_auth.username_ref: there is no secret manager here: use the key that ends in _file"},
		{"a secret manager for TLS", "tls_config: {ca_ref: x}", "tls_config.ca_ref: there is no secret manager here: use the key that ends in _file"},
		{"a secret manager for a token", "authorization: {credentials_ref: x}", "authorization.credentials_ref: there is no secret manager here: use the key that ends in _file"},
		{"a secret manager for OAuth", "oauth2: {client_id: a, token_url: 'https://b/t', client_secret_ref: x}", "oauth2.client_secret_ref: there is no secret manager here: use the key that ends in _file"},
		{"a token endpoint that is none", "oauth2: {client_id: a, token_url: b/t}", "oauth2.token_url: want https://host/path, without credentials"},
		{"credentials in the token endpoint", "oauth2: {client_id: a, token_url: 'https://u:" + canary + "@b/t'}", "oauth2.token_url: want https://host/path, without credentials"},
		{"headers for a proxy that is not there", "proxy_connect_header: {A: [" + canary + "]}", "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, err := decodeStrict(test.section, RemoteWriteConfig{})
			require.NoError(t, err)
			errs := validateAuth(cfg)
			require.Len(t, errs, 1)
			require.EqualError(t, errs[0], test.want)
			require.NotContains(t, errs[0].Error(), canary)
		})
	}
}

func TestSectionsOfOtherProjectsAreCheckedWithoutYAMLToo(t *testing.T) {
	errs := validateAuth(RemoteWriteConfig{SigV4Config: &sigv4.SigV4Config{AccessKey: "a"}})
	require.Len(t, errs, 1)
	require.ErrorContains(t, errs[0], "sigv4: must provide")
	errs = validateAuth(RemoteWriteConfig{AzureADConfig: &azuread.AzureADConfig{}})
	require.Len(t, errs, 1)
	require.ErrorContains(t, errs[0], "azuread: must provide")
}

func TestHeadersThatTheProgramSetsAreRefused(t *testing.T) {
	const reserved = "the header is reserved: the program sets it itself"
	for _, test := range []struct{ name, header, want string }{
		{"the encoding", "content-encoding", reserved},
		{"the type", "Content-Type", reserved},
		{"the version", "X-Prometheus-Remote-Write-Version", reserved},
		{"the user agent", "User-Agent", reserved},
		{"the host", "Host", reserved},
		{"the attempt", "retry-attempt", reserved},
		{"a signature", "X-Amz-Date", reserved},
		{"any of a signature", "x-amz-anything", reserved},
		{"the connection", "Connection", reserved},
		{"the framing", "transfer-encoding", "the header belongs to the connection: the HTTP client sets it itself"},
		{"an invalid name", "X Y", "this is no valid name of an HTTP header"},
		{"an empty name", "", "this is no valid name of an HTTP header"},
		{"one that is there already", "x-extra", "the header is given twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, err := decodeStrict("http_headers: {X-Extra: {values: [a]}}", RemoteWriteConfig{})
			require.NoError(t, err)
			cfg.Headers = map[string]string{test.header: "value", "X-Scope-OrgID": "plant"}
			errs := validateAuth(cfg)
			require.Len(t, errs, 1)
			require.ErrorContains(t, errs[0], "headers")
			require.ErrorContains(t, errs[0], test.want)
		})
	}
}

func TestAHeaderIsGivenOnceWhateverItsCase(t *testing.T) {
	errs := validateAuth(RemoteWriteConfig{Headers: map[string]string{"X-A": "1", "x-a": "2"}})
	require.Len(t, errs, 1)
	require.EqualError(t, errs[0], "headers.x-a: the header is given twice")
}

func TestTheAuthorizationHeaderIsAllowedOnlyWithoutAMethod(t *testing.T) {
	cfg := RemoteWriteConfig{Headers: map[string]string{"authorization": "Bearer " + canary}}
	require.Empty(t, validateAuth(cfg))
	cfg.HTTPClientConfig.BearerToken = "t"
	errs := validateAuth(cfg)
	require.Len(t, errs, 1)
	require.EqualError(t, errs[0], "headers.authorization: bearer_token sets this header already: remove one of the two")
}

func TestTheValueOfAHeaderIsNotRepeatedInItsError(t *testing.T) {
	errs := validateAuth(RemoteWriteConfig{Headers: map[string]string{"X-Key": canary + "\n"}})
	require.Len(t, errs, 1)
	require.EqualError(t, errs[0], "headers.X-Key: the value holds characters that an HTTP header must not have")
}

// Whatever headers pass the validation arrive, and leave the headers of the
// protocol alone.
func TestHeadersThatAreAllowedArrive(t *testing.T) {
	receiver := newRecorder(t)
	name := rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9-]{1,12}`),
		rapid.SampledFrom([]string{"Content-Type", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Cookie", "Expect", "Content-Length", "Accept-Encoding"}),
		rapid.String(),
	)
	rapid.Check(t, func(rt *rapid.T) {
		headers := rapid.MapOfN(name, rapid.OneOf(rapid.StringMatching(`[ -~]{0,12}`), rapid.String()), 0, 3).Draw(rt, "headers")
		cfg := RemoteWriteConfig{Headers: headers}
		if len(validateAuth(cfg)) > 0 {
			maps.DeleteFunc(headers, func(name, value string) bool {
				return len(validateAuth(RemoteWriteConfig{Headers: map[string]string{name: value}})) > 0
			})
			if len(validateAuth(cfg)) > 0 {
				return // One header twice.
			}
		}
		transport, err := newRoundTripper(cfg, 0)
		require.NoError(rt, err)
		defer transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
		_, err = post(t, transport, receiver.URL)
		require.NoError(rt, err)
		got := receiver.last()
		for name, value := range headers {
			require.Equal(rt, strings.TrimSpace(value), strings.TrimSpace(got.Get(name)))
		}
		require.Equal(rt, "application/x-protobuf", got.Get("Content-Type"))
		require.Equal(rt, "samples", receiver.bodies[len(receiver.bodies)-1])
	})
}
