package writer

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/storage/remote/azuread"
	"github.com/prometheus/sigv4"
	"golang.org/x/oauth2"
)

// newRoundTripper builds the transport of one destination as Prometheus builds
// its own: TLS, proxy, credentials and headers from the shared HTTP client
// configuration, then the signatures of AWS and Azure around it. Secrets in files
// are read again for every request, certificates for every change.
//
// The TCP connection is bounded by connectTimeout; the TLS handshake has ten
// seconds of its own. The transport keeps up to 1000 idle connections to the host, more than
// there are shards. It never follows redirects, and its caller must not either
// (http.Client.CheckRedirect): a redirected POST would lose its body or take the
// credentials to another host.
//
// The AWS credential chain is asked once here, so that missing credentials stop
// the start instead of every request.
func newRoundTripper(cfg RemoteWriteConfig, connectTimeout time.Duration) (http.RoundTripper, error) {
	client := cfg.HTTPClientConfig
	// This also fills in the default type of an authorization.
	if err := client.Validate(); err != nil {
		return nil, fmt.Errorf("checking the HTTP client configuration: %w", err)
	}
	client.HTTPHeaders = withHeaders(client.HTTPHeaders, cfg.Headers)

	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
	rt, err := commoncfg.NewRoundTripperFromConfig(client, "remote_write",
		commoncfg.WithDialContextFunc(dialer.DialContext),
		commoncfg.WithIdleConnTimeout(cfg.IdleTimeout),
	)
	if err != nil {
		return nil, fmt.Errorf("building the HTTP transport: %w", err)
	}
	if client.OAuth2 != nil {
		rt = &tokenErrors{next: rt, endpoint: client.OAuth2.TokenURL}
	}
	if cfg.SigV4Config != nil {
		rt, err = sigv4.NewSigV4RoundTripper(cfg.SigV4Config, rt)
		if err != nil {
			return nil, fmt.Errorf("preparing to sign requests for AWS: %w", err)
		}
	}
	if cfg.AzureADConfig != nil {
		rt, err = azuread.NewAzureADRoundTripper(cfg.AzureADConfig, rt)
		if err != nil {
			return nil, fmt.Errorf("preparing to sign in to Azure: %w", err)
		}
	}
	return rt, nil
}

// tokenErrors leaves out the answer's body from the errors of a token endpoint: it
// may repeat the client secret, and have any length.
type tokenErrors struct {
	next     http.RoundTripper
	endpoint string
}

// RoundTrip is that of the transport below.
func (t *tokenErrors) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return resp, err
	}
	status := "an unusable answer"
	if refused.Response != nil {
		status = refused.Response.Status
	}
	return resp, fmt.Errorf("asking %s for a token: %s", t.endpoint, status)
}

// CloseIdleConnections is called by http.Client.
func (t *tokenErrors) CloseIdleConnections() {
	if closer, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// withHeaders adds the plain headers to a copy of the http_headers section.
func withHeaders(section *commoncfg.Headers, plain map[string]string) *commoncfg.Headers {
	if len(plain) == 0 {
		return section
	}
	joined := &commoncfg.Headers{Headers: make(map[string]commoncfg.Header)}
	if section != nil {
		maps.Copy(joined.Headers, section.Headers)
	}
	for name, value := range plain {
		joined.Headers[name] = commoncfg.Header{Secrets: []commoncfg.Secret{commoncfg.Secret(value)}}
	}
	return joined
}
