package writer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/storage/remote/azuread"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

// decodeStrict reads a remote_write section as the configuration loader does: as
// part of a larger document, unknown keys refused.
func decodeStrict(text string, into RemoteWriteConfig) (RemoteWriteConfig, error) {
	document := struct {
		RemoteWrite RemoteWriteConfig `yaml:"remote_write"`
	}{into}
	decoder := yaml.NewDecoder(strings.NewReader("remote_write:\n" + indent(text)))
	decoder.KnownFields(true)
	err := decoder.Decode(&document)
	return document.RemoteWrite, err
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}

func TestASectionOfPrometheusYMLIsReadAsItStands(t *testing.T) {
	cfg, err := decodeStrict(`
url: https://mimir.example/api/v1/push
remote_timeout: 45s
headers: {X-Scope-OrgID: plant}
protobuf_message: io.prometheus.write.v2.Request
basic_auth: {username: u, password_file: secrets/password}
tls_config: {ca_file: ca.pem, min_version: TLS13}
proxy_url: http://proxy.example:3128
proxy_connect_header: {X-Proxy-Token: [abc]}
http_headers: {X-Extra: {values: [a], secrets: [b], files: [extra]}}
sigv4: {region: eu-north-1, access_key: a, secret_key: b}
azuread: {sdk: {tenant_id: t}}
write_relabel_configs:
  - {source_labels: [device], regex: "test-.*", action: drop}
`, RemoteWriteConfig{})
	require.NoError(t, err)
	require.Equal(t, "https://mimir.example/api/v1/push", cfg.URL.String())
	require.Equal(t, 45*time.Second, cfg.RemoteTimeout)
	require.Equal(t, map[string]string{"X-Scope-OrgID": "plant"}, cfg.Headers)
	require.Equal(t, "io.prometheus.write.v2.Request", cfg.ProtobufMessage)
	require.Equal(t, "secrets/password", cfg.HTTPClientConfig.BasicAuth.PasswordFile)
	require.Equal(t, commoncfg.TLSVersions["TLS13"], cfg.HTTPClientConfig.TLSConfig.MinVersion)
	require.Equal(t, "proxy.example:3128", cfg.HTTPClientConfig.ProxyURL.Host)
	require.Equal(t, []commoncfg.Secret{"b"}, cfg.HTTPClientConfig.HTTPHeaders.Headers["X-Extra"].Secrets)
	require.Equal(t, "eu-north-1", cfg.SigV4Config.Region)
	require.Equal(t, azuread.AzurePublic, cfg.AzureADConfig.Cloud)
	require.Equal(t, relabel.Drop, cfg.WriteRelabelConfigs[0].Action)
	require.Equal(t, ";", cfg.WriteRelabelConfigs[0].Separator, "a rule keeps the defaults of its own type")
}

func TestRedirectsAndHTTP2AreOffUnlessAskedFor(t *testing.T) {
	cfg, err := decodeStrict("url: http://localhost:9090/api/v1/write", RemoteWriteConfig{})
	require.NoError(t, err)
	require.False(t, cfg.HTTPClientConfig.FollowRedirects)
	require.False(t, cfg.HTTPClientConfig.EnableHTTP2)

	cfg, err = decodeStrict("enable_http2: true", cfg)
	require.NoError(t, err)
	require.True(t, cfg.HTTPClientConfig.EnableHTTP2)
}

func TestDefaultsStayWhereTheSectionSaysNothing(t *testing.T) {
	defaults := RemoteWriteConfig{
		RemoteTimeout: 30 * time.Second, Protocol: "auto", MaxRequestBytes: 8 << 20, IdleTimeout: 90 * time.Second,
	}
	cfg, err := decodeStrict("protocol: \"2.0\"\nmax_request_bytes: 1MiB", defaults)
	require.NoError(t, err)
	require.Equal(t, "2.0", cfg.Protocol)
	require.Equal(t, units.Bytes(1<<20), cfg.MaxRequestBytes)
	require.Equal(t, 30*time.Second, cfg.RemoteTimeout)
	require.Equal(t, 90*time.Second, cfg.IdleTimeout)
}

func TestKeysThatAreNotOursAreRefusedWithTheirLine(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"a typing error", "url: http://a/b\nremote_timout: 3s", []string{
			"line 3: field remote_timout not found in type writer.RemoteWriteConfig",
		}},
		{"a typing error further down", "basic_auth:\n  user: me", []string{
			"line 3: field user not found in type config.plain",
		}},
		{"several at once", "foo: 1\nremote_timeout: often\nbar: 2", []string{
			"line 3: cannot unmarshal !!str `often` into time.Duration",
			"line 2: field foo not found", "line 4: field bar not found",
		}},
		{"the queue", "url: http://a/b\nqueue_config:\n  max_shards: 4", []string{
			"line 3: queue_config", "batch.max_samples", "batch.max_age", "shards", "retry.min_backoff", "retry.max_backoff",
		}},
		{"the name", "name: x", []string{"line 2: name", "pipeline"}},
		{"exemplars", "send_exemplars: true", []string{"line 2: send_exemplars", "float samples only"}},
		{"native histograms", "send_native_histograms: true", []string{"line 2: send_native_histograms", "float samples only"}},
		{"metadata", "metadata_config: {send: false}", []string{"line 2: metadata_config", "leave it out"}},
		{"round robin", "round_robin_dns: true", []string{"line 2: round_robin_dns", "load balancer"}},
		{"request logging", "failed_request_logging: true", []string{"line 2: failed_request_logging", "dead-letter"}},
		{"Google", "google_iam: {credentials_file: x}", []string{"line 2: google_iam", "not supported"}},
		{"a merge key", "<<: {mistyped: 1}", []string{"line 2: field mistyped not found"}},
		{"an unknown action", "write_relabel_configs: [{action: explode}]", []string{"line 2", `unknown relabel action "explode"`}},
		{"half a credential", "sigv4: {access_key: x}", []string{"line 2", "Secret Key"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := decodeStrict(test.text, RemoteWriteConfig{})
			var typeError *yaml.TypeError
			require.ErrorAs(t, err, &typeError)
			rest := strings.Join(typeError.Errors, "\n")
			for _, want := range test.want {
				_, after, found := strings.Cut(rest, want)
				require.Truef(t, found, "%q should follow in %q", want, rest)
				rest = after
			}
		})
	}
}

func TestUnknownKeysAreRefusedByALaxDecoderToo(t *testing.T) {
	var cfg RemoteWriteConfig
	require.ErrorContains(t, yaml.Unmarshal([]byte("urls: x"), &cfg), "field urls not found")
}

func TestFilesAreRelativeToTheConfigurationFile(t *testing.T) {
	cfg, err := decodeStrict(`
basic_auth: {password_file: password, username_file: /run/user}
authorization: {credentials_file: credentials}
bearer_token_file: bearer
oauth2: {client_id: a, token_url: b, client_secret_file: client, client_certificate_key_file: key, tls_config: {ca_file: oauth-ca}}
tls_config: {ca_file: ca, cert_file: cert, key_file: key}
http_headers: {X: {files: [header]}}
azuread: {certificate: {client_id: 00000000-0000-0000-0000-000000000001, tenant_id: t, certificate_path: azure.pem, certificate_key_path: azure.key}}
`, RemoteWriteConfig{})
	require.NoError(t, err)
	cfg.AzureADConfig.WorkloadIdentity = &azuread.WorkloadIdentityConfig{TokenFilePath: "token"}
	cfg.SetDirectory("/etc/kafka2prom")
	client := cfg.HTTPClientConfig
	require.Equal(t, []string{
		"/etc/kafka2prom/password", "/run/user", "/etc/kafka2prom/credentials", "/etc/kafka2prom/bearer",
		"/etc/kafka2prom/client", "/etc/kafka2prom/key", "/etc/kafka2prom/oauth-ca",
		"/etc/kafka2prom/ca", "/etc/kafka2prom/cert", "/etc/kafka2prom/key", "/etc/kafka2prom/header",
		"/etc/kafka2prom/azure.pem", "/etc/kafka2prom/azure.key", "/etc/kafka2prom/token",
	}, []string{
		client.BasicAuth.PasswordFile, client.BasicAuth.UsernameFile, client.Authorization.CredentialsFile, client.BearerTokenFile,
		client.OAuth2.ClientSecretFile, client.OAuth2.ClientCertificateKeyFile, client.OAuth2.TLSConfig.CAFile,
		client.TLSConfig.CAFile, client.TLSConfig.CertFile, client.TLSConfig.KeyFile, client.HTTPHeaders.Headers["X"].Files[0],
		cfg.AzureADConfig.Certificate.CertificatePath, cfg.AzureADConfig.Certificate.CertificateKeyPath,
		cfg.AzureADConfig.WorkloadIdentity.TokenFilePath,
	})
}

const canary = "canary-in-the-mine"

// plantCanaries fills every secret below v, and every pointer and map on the way
// to one, and counts them.
func plantCanaries(v reflect.Value) (planted int) {
	switch {
	case v.Type() == reflect.TypeFor[commoncfg.Secret]():
		v.SetString(canary)
		return 1
	case v.Type() == reflect.TypeFor[commoncfg.URL]():
		var u commoncfg.URL
		if err := yaml.Unmarshal([]byte("http://user:"+canary+"@proxy.example"), &u); err != nil {
			return 0
		}
		v.Set(reflect.ValueOf(u))
		return 1
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return plantCanaries(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() && v.Type().Field(i).Name != "WriteRelabelConfigs" {
				planted += plantCanaries(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return plantCanaries(v.Index(0))
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		planted = plantCanaries(element)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), element)
	}
	return planted
}

func TestSecretsAreNeverShown(t *testing.T) {
	var cfg RemoteWriteConfig
	planted := plantCanaries(reflect.ValueOf(&cfg).Elem())
	require.Greater(t, planted, 10, "the canaries reach the secrets")
	cfg.Headers = map[string]string{"Authorization": canary}
	require.Equal(t, commoncfg.Secret(canary), cfg.HTTPClientConfig.BasicAuth.Password)
	require.Equal(t, commoncfg.Secret(canary), cfg.SigV4Config.SecretKey)
	require.Equal(t, commoncfg.Secret(canary), cfg.AzureADConfig.OAuth.ClientSecret)

	asYAML, err := yaml.Marshal(map[string]any{"value": cfg, "pointer": &cfg})
	require.NoError(t, err)
	asJSON, err := json.Marshal(map[string]any{"value": cfg, "pointer": &cfg})
	require.NoError(t, err)
	whole := Config{RemoteWrite: cfg}
	shown := []string{
		string(asYAML), string(asJSON), cfg.String(), fmt.Sprint(cfg), fmt.Sprintf("%+v", &cfg), fmt.Sprintf("%+v", whole),
		strings.Join(cfg.Warnings(), "\n"),
	}
	for _, err := range validateAuth(cfg) {
		shown = append(shown, err.Error())
	}
	_, err = newRoundTripper(cfg, time.Second)
	require.Error(t, err)
	shown = append(shown, err.Error())
	for _, text := range shown {
		require.NotContains(t, text, canary)
	}
	require.Contains(t, cfg.String(), "Authorization: <secret>")
	require.Equal(t, canary, cfg.Headers["Authorization"], "hiding changes nothing in the configuration itself")
}

func TestSecretsStayOutOfDecodingErrors(t *testing.T) {
	_, err := decodeStrict("basic_auth: {password: ["+canary+"]}", RemoteWriteConfig{})
	require.Error(t, err)
	require.NotContains(t, err.Error(), canary)
}

func TestWarningsNameWhatIsDangerous(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		cfg, err := decodeStrict(text, RemoteWriteConfig{})
		require.NoError(t, err)
		warnings := cfg.Warnings()
		require.Len(t, warnings, len(want))
		for i := range want {
			require.Contains(t, warnings[i], want[i])
		}
	}
	f("url: https://a.example/w")
	f("url: http://a.example/w")
	f("url: http://localhost:9090/w\nbasic_auth: {username: u}")
	f("url: http://[::1]:9090/w\nbasic_auth: {username: u}")
	f("url: http://a.example/w\nbasic_auth: {username: u}", "remote_write.basic_auth: credentials travel unencrypted to a.example")
	f("tls_config: {insecure_skip_verify: true}", "remote_write.tls_config.insecure_skip_verify")
	f("oauth2: {client_id: a, token_url: b, tls_config: {insecure_skip_verify: true}}", "remote_write.oauth2.tls_config.insecure_skip_verify")
}

// writeFile puts text into a file of the test's own directory.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
