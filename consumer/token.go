package consumer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

// tokenTimeout bounds one request to a token endpoint.
const tokenTimeout = 10 * time.Second

// extensionKey and extensionValue are what RFC 7628 allows, section 3.1; brokers
// refuse the login otherwise. The key auth would replace the token.
var (
	extensionKey   = regexp.MustCompile(`^[A-Za-z]+$`)
	extensionValue = regexp.MustCompile(`^[\x21-\x7E \t\r\n]+$`)
)

func (o *OAuthConfig) validate() []error {
	if o == nil {
		return []error{fielderr.New("oauth", "%s needs the section, with token, token_file or token_url", mechanismOAuthBearer)}
	}
	var errs []error
	given := 0
	for _, way := range []string{string(o.Token), o.TokenFile, o.TokenURL} {
		if way != "" {
			given++
		}
	}
	if given != 1 {
		errs = append(errs, fielderr.New("", "want exactly one of token, token_file and token_url"))
	}
	if o.TokenURL != "" {
		errs = append(errs, o.validateGrant()...)
	}
	for key, value := range o.Extensions {
		if !extensionKey.MatchString(key) || key == "auth" || !extensionValue.MatchString(value) {
			errs = append(errs, fielderr.New(fielderr.Join("extensions", key), "is no valid SASL extension: the name has letters only, the value printable ASCII"))
		}
	}
	return fielderr.Under("oauth", errs)
}

// validateGrant checks what the client credentials grant needs.
func (o *OAuthConfig) validateGrant() []error {
	var errs []error
	if u, err := url.Parse(o.TokenURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		errs = append(errs, fielderr.New("token_url", "is no URL of a token endpoint: want https://…"))
	} else if u.User != nil {
		errs = append(errs, fielderr.New("token_url", "credentials in the URL end up in logs: use client_id and client_secret"))
	}
	if o.ClientID == "" {
		errs = append(errs, fielderr.New("client_id", "token_url needs it"))
	}
	if (o.ClientSecret == "") == (o.ClientSecretFile == "") {
		errs = append(errs, fielderr.New("client_secret", "token_url needs one of client_secret and client_secret_file"))
	}
	return errs
}

// tokens gives the token for each login.
type tokens struct {
	cfg    OAuthConfig
	client *http.Client

	mu     sync.Mutex
	secret string // The one that source uses.
	source oauth2.TokenSource
}

func newTokens(cfg OAuthConfig) *tokens {
	return &tokens{cfg: cfg, client: &http.Client{Timeout: tokenTimeout}}
}

// auth is called for each login, of any broker.
func (t *tokens) auth(context.Context) (oauth.Auth, error) {
	token, err := t.token() // See sourceFor.
	return oauth.Auth{Token: token, Extensions: t.cfg.Extensions}, err
}

func (t *tokens) token() (string, error) {
	if t.cfg.TokenURL == "" {
		return readSecret(t.cfg.Token, t.cfg.TokenFile)
	}
	secret, err := readSecret(t.cfg.ClientSecret, t.cfg.ClientSecretFile)
	if err != nil {
		return "", err
	}
	token, err := t.sourceFor(secret).Token()
	if err != nil {
		return "", t.explain(err)
	}
	return token.AccessToken, nil
}

// sourceFor keeps a token until shortly before it expires, or until the client
// secret has been changed.
//
// The source outlives the login that asks first: its requests are bounded by the
// client's timeout, not by a context.
func (t *tokens) sourceFor(secret string) oauth2.TokenSource {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.source != nil && t.secret == secret {
		return t.source
	}
	params := make(url.Values, len(t.cfg.EndpointParams))
	for key, value := range t.cfg.EndpointParams {
		params.Set(key, value)
	}
	grant := clientcredentials.Config{
		ClientID: t.cfg.ClientID, ClientSecret: secret, TokenURL: t.cfg.TokenURL,
		Scopes: t.cfg.Scopes, EndpointParams: params,
	}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, t.client)
	t.secret, t.source = secret, grant.TokenSource(ctx)
	return t.source
}

// explain leaves out the answer's body, which the error of the library holds
// whole: it may repeat the secret, and have any length.
func (t *tokens) explain(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return fmt.Errorf("asking %s for a token: %w", t.cfg.TokenURL, err)
	}
	status := "an unusable answer"
	if refused.Response != nil {
		status = refused.Response.Status
	}
	if errorCode.MatchString(refused.ErrorCode) {
		status += ", " + refused.ErrorCode
	}
	return fmt.Errorf("asking %s for a token as client %q: %s", t.cfg.TokenURL, t.cfg.ClientID, status)
}

// errorCode are the error codes of RFC 6749, section 5.2.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)
