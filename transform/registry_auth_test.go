package transform

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

const (
	basicHeader  = "Basic dXNlcjpodW50ZXIy" // user and hunter2.
	bearerHeader = "Bearer hunter2"
)

func writeSecret(tb testing.TB, name, secret string) {
	tb.Helper()
	require.NoError(tb, os.WriteFile(name, []byte(secret), 0o600))
}

func TestRegistryCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	writeSecret(t, file, "hunter2\n")
	f := func(header string, cfg commoncfg.HTTPClientConfig) {
		t.Helper()
		require.NoError(t, cfg.Validate())
		reg := newFakeRegistry(t, srfake.WithAuth(header))
		reg.seed(1, sampleSchema)
		s := newTestSchemas(t, RegistryConfig{URL: []string{reg.URL()}, HTTPClientConfig: cfg})
		_, err := s.find(context.Background(), 1)
		require.NoError(t, err)
		require.NoError(t, s.Ping(context.Background()))
	}
	f(basicHeader, commoncfg.HTTPClientConfig{BasicAuth: &commoncfg.BasicAuth{Username: "user", Password: "hunter2"}})
	f(basicHeader, commoncfg.HTTPClientConfig{BasicAuth: &commoncfg.BasicAuth{Username: "user", PasswordFile: file}})
	f(bearerHeader, commoncfg.HTTPClientConfig{Authorization: &commoncfg.Authorization{Credentials: "hunter2"}})
	f(bearerHeader, commoncfg.HTTPClientConfig{Authorization: &commoncfg.Authorization{CredentialsFile: file}})
	f(bearerHeader, commoncfg.HTTPClientConfig{BearerToken: "hunter2"})
}

func TestRegistryGetsATokenByOAuth2(t *testing.T) {
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, secret, ok := r.BasicAuth(); !ok || id != "id" || secret != "client-secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token": "hunter2", "token_type": "Bearer", "expires_in": 60}`))
	}))
	defer tokens.Close()
	reg := newFakeRegistry(t, srfake.WithAuth(bearerHeader))
	s := newTestSchemas(t, RegistryConfig{
		URL: []string{reg.URL()},
		HTTPClientConfig: commoncfg.HTTPClientConfig{
			OAuth2: &commoncfg.OAuth2{ClientID: "id", ClientSecret: "client-secret", TokenURL: tokens.URL},
		},
	})
	require.NoError(t, s.Ping(context.Background()))
}

func TestRegistryReadsASecretThatChanged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	writeSecret(t, file, "old")
	reg := newFakeRegistry(t, srfake.WithAuth(basicHeader))
	s := newTestSchemas(t, RegistryConfig{
		URL:              []string{reg.URL()},
		HTTPClientConfig: commoncfg.HTTPClientConfig{BasicAuth: &commoncfg.BasicAuth{Username: "user", PasswordFile: file}},
	})
	require.ErrorContains(t, s.Ping(context.Background()), "answers 403 Forbidden")
	writeSecret(t, file, "hunter2")
	require.NoError(t, s.Ping(context.Background()))
}

func TestRegistryErrorsHoldNoSecrets(t *testing.T) {
	const canary = "canary-7f3a"
	gone := httptest.NewServer(nil)
	gone.Close()
	denied := newFakeRegistry(t, srfake.WithAuth("Bearer other"))
	for name, cfg := range map[string]commoncfg.HTTPClientConfig{
		"basic":  {BasicAuth: &commoncfg.BasicAuth{Username: "user", Password: canary}},
		"bearer": {Authorization: &commoncfg.Authorization{Type: "Bearer", Credentials: canary}},
		"proxy":  {ProxyConfig: commoncfg.ProxyConfig{ProxyURL: parseURL(t, "http://user:"+canary+"@"+gone.Listener.Addr().String())}},
	} {
		for _, url := range []string{gone.URL, denied.URL()} {
			core, logs := observer.New(zap.DebugLevel)
			s, err := NewSchemas(RegistryConfig{URL: []string{url}, HTTPClientConfig: cfg}, zap.New(core))
			require.NoError(t, err)
			_, err = s.find(context.Background(), 1)
			requireRetry(t, err, "looking up schema 1")
			require.NotContains(t, err.Error(), canary, name)
			err = s.Ping(context.Background())
			require.Error(t, err)
			require.NotContains(t, err.Error(), canary, name)
			require.Len(t, logs.FilterMessageSnippet("out of reach").All(), 1)
			for _, entry := range logs.All() {
				require.NotContains(t, entry.ContextMap()["error"], canary, name)
			}
			s.Close()
		}
	}
}

func parseURL(tb testing.TB, text string) commoncfg.URL {
	tb.Helper()
	u, err := url.Parse(text)
	require.NoError(tb, err)
	return commoncfg.URL{URL: u}
}

func TestRegistryOverTLS(t *testing.T) {
	reg := newFakeRegistry(t)
	reg.seed(1, sampleSchema)
	var shown atomic.Int32 // Certificates of the client that asked last.
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown.Store(int32(len(r.TLS.PeerCertificates)))
		reg.Handler().ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = zap.NewStdLog(zap.NewNop()) // It logs failed handshakes.
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()

	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, ca, "CERTIFICATE", server.Certificate().Raw)
	writePEM(t, cert, "CERTIFICATE", server.Certificate().Raw)
	private, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	writePEM(t, key, "PRIVATE KEY", private)

	core, logs := observer.New(zap.InfoLevel)
	find := func(cfg commoncfg.TLSConfig) error {
		s, err := NewSchemas(RegistryConfig{URL: []string{server.URL}, HTTPClientConfig: commoncfg.HTTPClientConfig{TLSConfig: cfg}}, zap.New(core))
		require.NoError(t, err)
		defer s.Close()
		_, err = s.find(context.Background(), 1)
		return err
	}
	requireRetry(t, find(commoncfg.TLSConfig{}), "certificate")
	requireRetry(t, find(commoncfg.TLSConfig{CAFile: ca, ServerName: "elsewhere.test"}), "certificate is valid for example.com")
	require.Empty(t, logs.FilterMessageSnippet("not verified").All())
	require.NoError(t, find(commoncfg.TLSConfig{CAFile: ca}))
	require.Zero(t, shown.Load())
	require.NoError(t, find(commoncfg.TLSConfig{CAFile: ca, CertFile: cert, KeyFile: key}))
	require.EqualValues(t, 1, shown.Load())
	require.NoError(t, find(commoncfg.TLSConfig{InsecureSkipVerify: true}))
	require.Len(t, logs.FilterMessageSnippet("not verified").All(), 1)

	_, err = NewSchemas(RegistryConfig{
		URL:              []string{server.URL},
		HTTPClientConfig: commoncfg.HTTPClientConfig{TLSConfig: commoncfg.TLSConfig{CAFile: filepath.Join(dir, "missing.pem")}},
	}, zap.NewNop())
	require.ErrorContains(t, err, "setting up the schema registry: ")
}

func writePEM(tb testing.TB, name, kind string, der []byte) {
	tb.Helper()
	writeSecret(tb, name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

func TestRegistryNeedsAURL(t *testing.T) {
	_, err := NewSchemas(RegistryConfig{}, zap.NewNop())
	require.EqualError(t, err, "setting up the schema registry: no URL is set")
}
