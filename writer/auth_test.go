package writer

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/kafka2prom/kafka2prom/internal/certtest"
)

// transport reads the section and builds its transport.
func transport(t *testing.T, section string) http.RoundTripper {
	t.Helper()
	cfg, err := decodeStrict(section, RemoteWriteConfig{IdleTimeout: time.Minute})
	require.NoError(t, err)
	require.Empty(t, validateAuth(cfg))
	rt, err := newRoundTripper(cfg, 5*time.Second)
	require.NoError(t, err)
	return rt
}

// received is what came back for a request.
type received struct {
	Status int
	Header http.Header
}

// post sends one small request as the writer does.
func post(t *testing.T, rt http.RoundTripper, target string) (received, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("samples"))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return received{}, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return received{resp.StatusCode, resp.Header}, nil
}

// recorder is a receiver that remembers the headers of each request.
type recorder struct {
	*httptest.Server
	mu      sync.Mutex
	headers []http.Header
	bodies  []string
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	header := req.Header.Clone()
	header.Set("Host", req.Host)
	r.headers = append(r.headers, header)
	r.bodies = append(r.bodies, string(body))
	w.WriteHeader(http.StatusNoContent)
}

func (r *recorder) last() http.Header {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.headers[len(r.headers)-1]
}

func TestEveryWayToAuthenticateSetsTheHeader(t *testing.T) {
	receiver := newRecorder(t)
	token := writeFile(t, "token", " from-a-file \n")
	for _, test := range []struct{ name, section, want string }{
		{"basic", "basic_auth: {username: me, password: pass}", "Basic bWU6cGFzcw=="},
		{"basic from files", "basic_auth: {username_file: " + writeFile(t, "user", "me\n") + ", password_file: " + writeFile(t, "pass", "pass\n") + "}", "Basic bWU6cGFzcw=="},
		{"bearer is the default type", "authorization: {credentials: abc}", "Bearer abc"},
		{"another type", "authorization: {type: Token, credentials: abc}", "Token abc"},
		{"credentials from a file", "authorization: {credentials_file: " + token + "}", "Bearer from-a-file"},
		{"the old key", "bearer_token: abc", "Bearer abc"},
		{"the old key for a file", "bearer_token_file: " + token, "Bearer from-a-file"},
		{"a header", "headers: {authorization: Bearer abc}", "Bearer abc"},
		{"none", "remote_timeout: 3s", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := post(t, transport(t, test.section), receiver.URL)
			require.NoError(t, err)
			require.Equal(t, test.want, receiver.last().Get("Authorization"))
		})
	}
}

func TestSecretsInFilesMayChange(t *testing.T) {
	receiver := newRecorder(t)
	for _, test := range []struct{ name, section, before, after string }{
		{"basic", "basic_auth: {username: me, password_file: %s}", "Basic bWU6b25l", "Basic bWU6dHdv"},
		{"bearer", "authorization: {credentials_file: %s}", "Bearer one", "Bearer two"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := writeFile(t, "secret", "one")
			rt := transport(t, fmt.Sprintf(test.section, file))
			_, err := post(t, rt, receiver.URL)
			require.NoError(t, err)
			require.Equal(t, test.before, receiver.last().Get("Authorization"))

			require.NoError(t, os.WriteFile(file, []byte("two"), 0o600))
			_, err = post(t, rt, receiver.URL)
			require.NoError(t, err)
			require.Equal(t, test.after, receiver.last().Get("Authorization"))

			require.NoError(t, os.Remove(file))
			_, err = post(t, rt, receiver.URL)
			require.ErrorContains(t, err, file, "a missing secret is an error, not an anonymous request")
		})
	}
}

func TestHeadersOfBothSectionsAreSent(t *testing.T) {
	receiver := newRecorder(t)
	rt := transport(t, `
headers: {X-Scope-OrgID: plant}
http_headers: {X-Value: {values: [a]}, X-Secret: {secrets: [b]}, X-File: {files: [`+writeFile(t, "header", "c\n")+`]}}
`)
	_, err := post(t, rt, receiver.URL)
	require.NoError(t, err)
	got := receiver.last()
	require.Equal(t, []string{"plant", "a", "b", "c"},
		[]string{got.Get("X-Scope-OrgID"), got.Get("X-Value"), got.Get("X-Secret"), got.Get("X-File")})
	require.Equal(t, "application/x-protobuf", got.Get("Content-Type"))
}

// tokenEndpoint gives a new token for each right request of the client
// credentials grant.
func tokenEndpoint(t *testing.T, secret func() string) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		id, given, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		if id != "client" || given != secret() || r.FormValue("grant_type") != "client_credentials" ||
			r.FormValue("scope") != "write push" || r.FormValue("audience") != "metrics" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, "client %s with %s is unknown", id, given)
			return
		}
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":3600}`, n)
	}))
	t.Cleanup(server.Close)
	return server, &asked
}

const oauth2Section = `oauth2: {client_id: client, client_secret_file: %s, token_url: %s, scopes: [write, push], endpoint_params: {audience: metrics}}`

func TestOAuth2KeepsItsTokenUntilTheSecretChanges(t *testing.T) {
	file := writeFile(t, "secret", "one")
	var right atomic.Value
	right.Store("one")
	endpoint, asked := tokenEndpoint(t, func() string { return right.Load().(string) })
	receiver := newRecorder(t)
	rt := transport(t, fmt.Sprintf(oauth2Section, file, endpoint.URL))

	for range 3 {
		_, err := post(t, rt, receiver.URL)
		require.NoError(t, err)
		require.Equal(t, "Bearer token-1", receiver.last().Get("Authorization"))
	}
	require.EqualValues(t, 1, asked.Load())

	right.Store("two")
	require.NoError(t, os.WriteFile(file, []byte("two"), 0o600))
	_, err := post(t, rt, receiver.URL)
	require.NoError(t, err)
	require.Equal(t, "Bearer token-2", receiver.last().Get("Authorization"))
}

func TestARefusedOAuth2ClientIsAnErrorWithoutTheSecret(t *testing.T) {
	endpoint, _ := tokenEndpoint(t, func() string { return "another" })
	receiver := newRecorder(t)
	_, err := post(t, transport(t, fmt.Sprintf(oauth2Section, writeFile(t, "secret", canary), endpoint.URL)), receiver.URL)
	require.EqualError(t, err, "asking "+endpoint.URL+" for a token: 401 Unauthorized")
	require.NotContains(t, err.Error(), canary)
	require.Empty(t, receiver.headers)
}

func TestAzureManagedIdentityGetsATokenOnce(t *testing.T) {
	var asked atomic.Int64
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("X-Identity-Header") != "identity" || r.URL.Query().Get("resource") != "https://monitor.azure.com/" {
			http.Error(w, r.URL.String(), http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{
			"access_token": "azure-token", "token_type": "Bearer", "resource": "https://monitor.azure.com/",
			"expires_on": strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10),
		})
	}))
	t.Cleanup(endpoint.Close)
	// The names under which Azure's App Service offers its identity.
	t.Setenv("IDENTITY_ENDPOINT", endpoint.URL)
	t.Setenv("IDENTITY_HEADER", "identity")

	receiver := newRecorder(t)
	// The library keeps tokens by client for the whole process: each run has its own.
	client := fmt.Sprintf("00000000-0000-4000-8000-%012x", time.Now().UnixNano()&0xffffffffffff)
	rt := transport(t, "azuread: {managed_identity: {client_id: "+client+"}}")
	for range 2 {
		_, err := post(t, rt, receiver.URL)
		require.NoError(t, err)
		require.Equal(t, "Bearer azure-token", receiver.last().Get("Authorization"))
	}
	require.EqualValues(t, 1, asked.Load())
}

// isolateAWS keeps the machine's own AWS configuration out of a test.
func isolateAWS(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// signature computes what AWS Signature Version 4 asks for, from the request as
// it arrived.
func signature(header http.Header, path, body, secret string) string {
	_, fields, _ := strings.Cut(header.Get("Authorization"), " ")
	parts := map[string]string{}
	for field := range strings.SplitSeq(fields, ", ") {
		key, value, _ := strings.Cut(field, "=")
		parts[key] = value
	}
	scope := strings.Split(parts["Credential"], "/")[1:] // Date, region, service, aws4_request.

	canonical := "POST\n" + path + "\n\n"
	for name := range strings.SplitSeq(parts["SignedHeaders"], ";") {
		value := header.Get(name)
		if name == "content-length" {
			value = strconv.Itoa(len(body))
		}
		canonical += name + ":" + value + "\n"
	}
	sum := sha256.Sum256([]byte(body))
	canonical += "\n" + parts["SignedHeaders"] + "\n" + hex.EncodeToString(sum[:])

	sum = sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{
		"AWS4-HMAC-SHA256", header.Get("X-Amz-Date"), strings.Join(scope, "/"), hex.EncodeToString(sum[:]),
	}, "\n")
	key := []byte("AWS4" + secret)
	for _, step := range append(scope, toSign) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(step))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

func TestSigV4SignsTheRequestThatArrives(t *testing.T) {
	isolateAWS(t)
	receiver := newRecorder(t)
	rt := transport(t, "sigv4: {region: eu-north-1, access_key: AKID, secret_key: "+canary+"}\nheaders: {X-Scope-OrgID: plant}")
	_, err := post(t, rt, receiver.URL+"/workspaces/ws-1/api/v1/remote_write")
	require.NoError(t, err)

	got := receiver.last()
	authorization := got.Get("Authorization")
	date := got.Get("X-Amz-Date")
	require.Regexp(t, `^AWS4-HMAC-SHA256 Credential=AKID/`+date[:8]+`/eu-north-1/aps/aws4_request, SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, Signature=`, authorization)
	require.Equal(t, signature(got, "/workspaces/ws-1/api/v1/remote_write", "samples", canary), authorization[len(authorization)-64:])
	require.NotEqual(t, signature(got, "/workspaces/ws-1/api/v1/remote_write", "others", canary), authorization[len(authorization)-64:])
	require.Equal(t, []string{"samples"}, receiver.bodies, "signing reads the body and still sends it")
	require.Equal(t, "plant", got.Get("X-Scope-OrgID"))
	require.NotContains(t, fmt.Sprint(got), canary)
}

func TestMissingAWSCredentialsStopTheStart(t *testing.T) {
	isolateAWS(t)
	cfg, err := decodeStrict("sigv4: {region: eu-north-1}", RemoteWriteConfig{})
	require.NoError(t, err)
	_, err = newRoundTripper(cfg, time.Second)
	require.ErrorContains(t, err, "preparing to sign requests for AWS")
}

// tlsReceiver answers with the name in the client's certificate and the HTTP
// version.
func tlsReceiver(t *testing.T, config *tls.Config) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, cert := range r.TLS.PeerCertificates {
			w.Header().Set("X-Client", cert.Subject.CommonName)
		}
		w.Header().Set("X-Proto", r.Proto)
	}))
	server.TLS = config
	server.EnableHTTP2 = true
	server.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestMutualTLSFollowsTheFiles(t *testing.T) {
	authority := certtest.New(t)
	receiver := tlsReceiver(t, &tls.Config{
		Certificates: []tls.Certificate{authority.Server(t)},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool(),
	})
	cert, key := authority.ClientFiles(t, "first")
	rt := transport(t, fmt.Sprintf("tls_config: {ca_file: %s, cert_file: %s, key_file: %s}", authority.File(t), cert, key))
	resp, err := post(t, rt, receiver.URL)
	require.NoError(t, err)
	require.Equal(t, "first", resp.Header.Get("X-Client"))

	renewedCert, renewedKey := authority.ClientFiles(t, "second")
	require.NoError(t, os.Rename(renewedCert, cert))
	require.NoError(t, os.Rename(renewedKey, key))
	resp, err = post(t, rt, receiver.URL)
	require.NoError(t, err)
	require.Equal(t, "second", resp.Header.Get("X-Client"), "a renewed certificate is used without a restart")
}

func TestCertificatesThatDoNotFitAreRefused(t *testing.T) {
	authority, stranger := certtest.New(t), certtest.New(t)
	receiver := tlsReceiver(t, &tls.Config{Certificates: []tls.Certificate{authority.Server(t)}})
	elsewhere := tlsReceiver(t, &tls.Config{Certificates: []tls.Certificate{authority.Server(t, "elsewhere.example")}})
	mutual := tlsReceiver(t, &tls.Config{
		Certificates: []tls.Certificate{authority.Server(t)},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool(),
	})
	trusting := "tls_config: {ca_file: " + authority.File(t) + "}"

	_, err := post(t, transport(t, "tls_config: {ca_file: "+stranger.File(t)+"}"), receiver.URL)
	require.ErrorContains(t, err, "certificate signed by unknown authority")
	_, err = post(t, transport(t, trusting), elsewhere.URL)
	require.ErrorContains(t, err, "cannot validate certificate for 127.0.0.1")
	_, err = post(t, transport(t, trusting), mutual.URL)
	require.ErrorContains(t, err, "certificate required")

	_, err = post(t, transport(t, "tls_config: {ca_file: "+authority.File(t)+", server_name: elsewhere.example}"), elsewhere.URL)
	require.NoError(t, err)
	_, err = post(t, transport(t, "tls_config: {insecure_skip_verify: true}"), receiver.URL)
	require.NoError(t, err)
}

func TestHTTP2IsUsedOnlyWhereItIsAskedFor(t *testing.T) {
	authority := certtest.New(t)
	receiver := tlsReceiver(t, &tls.Config{Certificates: []tls.Certificate{authority.Server(t)}})
	for section, want := range map[string]string{"remote_timeout: 1s": "HTTP/1.1", "enable_http2: true": "HTTP/2.0"} {
		rt := transport(t, section+"\ntls_config: {ca_file: "+authority.File(t)+"}")
		resp, err := post(t, rt, receiver.URL)
		require.NoError(t, err)
		require.Equal(t, want, resp.Header.Get("X-Proto"))
	}
}

// proxy forwards plain requests and tunnels, and remembers what it was asked for.
func proxy(t *testing.T) (*httptest.Server, *[]string) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, strings.TrimSpace(r.Method+" "+r.URL.Host+" "+r.Header.Get("X-Proxy-Token")))
		mu.Unlock()
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		target, err := (&net.Dialer{}).DialContext(context.WithoutCancel(r.Context()), "tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		client, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = target.Close()
			return
		}
		tunnel(client, buffered.Reader, target)
	}))
	t.Cleanup(server.Close)
	return server, &asked
}

// tunnel copies both ways until either end is closed.
func tunnel(client net.Conn, buffered *bufio.Reader, target net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(target, buffered); _ = target.Close() })
	both.Go(func() { _, _ = io.Copy(client, target); _ = client.Close() })
	both.Wait()
}

func TestRequestsGoThroughTheProxy(t *testing.T) {
	authority := certtest.New(t)
	secure := tlsReceiver(t, &tls.Config{Certificates: []tls.Certificate{authority.Server(t)}})
	server, asked := proxy(t)
	rt := transport(t, "proxy_url: "+server.URL+"\nproxy_connect_header: {X-Proxy-Token: [secret]}\ntls_config: {ca_file: "+authority.File(t)+"}")

	resp, err := post(t, rt, "http://mimir.invalid/api/v1/push")
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, resp.Status)
	resp, err = post(t, rt, secure.URL)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1", resp.Header.Get("X-Proto"))

	host, err := url.Parse(secure.URL)
	require.NoError(t, err)
	require.Equal(t, []string{"POST mimir.invalid", "CONNECT " + host.Host + " secret"}, *asked)
	if closer, ok := rt.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

func TestTheProxyOfTheEnvironmentIsUsedOnlyWhereItIsAskedFor(t *testing.T) {
	server, asked := proxy(t)
	t.Setenv("HTTP_PROXY", server.URL)
	t.Setenv("NO_PROXY", "")
	_, err := post(t, transport(t, "remote_timeout: 1s"), "http://mimir.invalid/")
	require.ErrorContains(t, err, "mimir.invalid")
	require.Empty(t, *asked)
	_, err = post(t, transport(t, "proxy_from_environment: true"), "http://mimir.invalid/")
	require.NoError(t, err)
	require.Equal(t, []string{"POST mimir.invalid"}, *asked)
}

func TestConnectionsOfManyShardsAreKept(t *testing.T) {
	const shards = 64
	var opened atomic.Int64
	arrived := make(chan struct{}, shards)
	release := make(chan struct{})
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	receiver.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	receiver.Start()
	t.Cleanup(receiver.Close)

	rt := transport(t, "remote_timeout: 1s")
	for range 3 {
		var all sync.WaitGroup
		for range shards {
			all.Go(func() {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, receiver.URL, strings.NewReader("samples"))
				if err != nil {
					return
				}
				if resp, err := rt.RoundTrip(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		}
		for range shards {
			<-arrived
		}
		for range shards {
			release <- struct{}{}
		}
		all.Wait()
	}
	require.EqualValues(t, shards, opened.Load(), "each round finds the connections of the one before")
}

func TestAClosedPortIsAnErrorThatNamesIt(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, err = post(t, transport(t, "basic_auth: {username: me, password: "+canary+"}"), "http://"+address)
	require.ErrorContains(t, err, address)
	require.NotContains(t, err.Error(), canary)
}

func TestFilesThatAreMissingStopTheStart(t *testing.T) {
	cfg, err := decodeStrict("tls_config: {ca_file: /nowhere/ca.pem}", RemoteWriteConfig{})
	require.NoError(t, err)
	_, err = newRoundTripper(cfg, time.Second)
	require.ErrorContains(t, err, "/nowhere/ca.pem")
}

func TestJoiningHeadersLeavesTheConfigurationAlone(t *testing.T) {
	section := &commoncfg.Headers{Headers: map[string]commoncfg.Header{"X-A": {Values: []string{"1"}}}}
	joined := withHeaders(section, map[string]string{"X-B": "2"})
	require.Len(t, joined.Headers, 2)
	require.Len(t, section.Headers, 1)
	require.Same(t, section, withHeaders(section, nil))
}
