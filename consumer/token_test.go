package consumer

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

func TestTheTokenAndItsExtensionsAreSent(t *testing.T) {
	message, err := login(t, SASLConfig{Mechanism: mechanismOAuthBearer, OAuth: &OAuthConfig{
		Token: "abc", Extensions: map[string]string{"logicalCluster": "lkc-1", "identityPoolId": "pool-2"},
	}}, "broker:9092")
	require.NoError(t, err)
	require.Equal(t, "n,,\x01auth=Bearer abc\x01identityPoolId=pool-2\x01logicalCluster=lkc-1\x01\x01", message)
}

func TestATokenFileIsReadForEachLogin(t *testing.T) {
	file := writeFile(t, "token", "one")
	mechanism, err := (&SASLConfig{Mechanism: mechanismOAuthBearer, OAuth: &OAuthConfig{TokenFile: file}}).mechanism()
	require.NoError(t, err)
	for _, token := range []string{"one", "two"} {
		require.NoError(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
		_, message, err := mechanism.Authenticate(t.Context(), "broker:9092")
		require.NoError(t, err)
		require.Equal(t, "n,,\x01auth=Bearer "+token+"\x01\x01", string(message))
	}
	require.NoError(t, os.Remove(file))
	_, _, err = mechanism.Authenticate(t.Context(), "broker:9092")
	require.ErrorContains(t, err, file)
}

// issuer is a token endpoint as an http.RoundTripper, so that it works within a
// bubble of fake time.
type issuer struct {
	secret string
	asked  atomic.Int64
	body   string // What it answers instead of a token, with 401.
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Content-Type", "application/json")
	id, secret, _ := r.BasicAuth()
	switch n := i.asked.Add(1); {
	case i.body != "" || id != "client" || secret != i.secret:
		recorder.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprint(recorder, i.body)
	case r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka" || r.FormValue("audience") != "brokers":
		recorder.WriteHeader(http.StatusBadRequest)
	default:
		_, _ = fmt.Fprintf(recorder, `{"access_token":"token-%d","token_type":"Bearer","expires_in":600}`, n)
	}
	return recorder.Result(), nil
}

func grant(t *testing.T, i *issuer) (*tokens, string) {
	t.Helper()
	file := writeFile(t, "secret", i.secret)
	tokens := newTokens(OAuthConfig{
		TokenURL: "https://issuer.example/token", ClientID: "client", ClientSecretFile: file,
		Scopes: []string{"kafka"}, EndpointParams: map[string]string{"audience": "brokers"},
	})
	tokens.client.Transport = i
	return tokens, file
}

func TestAGrantedTokenIsKeptUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{secret: "one"}
		tokens, _ := grant(t, i)
		expect := func(want string) {
			t.Helper()
			auth, err := tokens.auth(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, auth.Token)
		}
		expect("token-1")
		time.Sleep(9 * time.Minute)
		expect("token-1")
		time.Sleep(time.Minute)
		expect("token-2")
		require.EqualValues(t, 2, i.asked.Load())
	})
}

func TestANewClientSecretIsUsedAtTheNextLogin(t *testing.T) {
	i := &issuer{secret: "one"}
	tokens, file := grant(t, i)
	token, err := tokens.token()
	require.NoError(t, err)
	require.Equal(t, "token-1", token)

	i.secret = "two"
	require.NoError(t, os.WriteFile(file, []byte("two"), 0o600))
	token, err = tokens.token()
	require.NoError(t, err)
	require.Equal(t, "token-2", token)
}

func TestARefusedClientIsNamedWithoutTheAnswerOfTheEndpoint(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"with a code", `{"error":"invalid_client","error_description":"` + canary + `"}`, "401 Unauthorized, invalid_client"},
		{"with a code that is none", `{"error":"<b>` + canary + `</b>"}`, "401 Unauthorized"},
		{"with something else", strings.Repeat(canary, 10_000), "401 Unauthorized"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tokens, _ := grant(t, &issuer{secret: canary, body: test.body})
			_, err := tokens.token()
			require.EqualError(t, err, `asking https://issuer.example/token for a token as client "client": `+test.want)
		})
	}
}

func TestAnEndpointThatCannotBeReachedIsNamed(t *testing.T) {
	address := closedPort(t)
	_, err := newTokens(OAuthConfig{TokenURL: "http://" + address, ClientID: "client", ClientSecret: canary}).token()
	require.ErrorContains(t, err, "asking http://"+address+" for a token: ")
	require.NotContains(t, err.Error(), canary)
}

func TestAnAnswerWithoutATokenIsAnError(t *testing.T) {
	require.ErrorContains(t, (&tokens{cfg: OAuthConfig{TokenURL: "u"}}).explain(&oauth2.RetrieveError{}), "an unusable answer")
}

func TestWhoLogsInIsNamedWithoutSecrets(t *testing.T) {
	for want, cfg := range map[string]SASLConfig{
		`of user "me"`:         {Mechanism: mechanismPlain, Username: "me", Password: canary},
		`of client "c"`:        {Mechanism: mechanismOAuthBearer, OAuth: &OAuthConfig{ClientID: "c", ClientSecret: canary}},
		"with the given token": {Mechanism: mechanismOAuthBearer, OAuth: &OAuthConfig{Token: canary}},
		"of the AWS identity":  {Mechanism: mechanismMSKIAM, AWS: &AWSConfig{AccessKey: canary}},
	} {
		require.Equal(t, want, cfg.identity())
	}
}
