package transform

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestRegistryConfigReadsTheKeysOfPrometheus(t *testing.T) {
	var c RegistryConfig
	require.NoError(t, yaml.Unmarshal([]byte(`
url: [http://a:8081, "https://b/registry"]
timeout: 3s
basic_auth: {username: u, password: canary-7f3a}
tls_config: {insecure_skip_verify: true}
proxy_url: http://proxy:3128
`), &c))
	c.SetDefaults()
	require.Empty(t, c.Validate())
	require.EqualValues(t, []string{"http://a:8081", "https://b/registry"}, c.URL)
	require.Equal(t, 3*time.Second, c.Timeout)
	require.Equal(t, time.Minute, c.NegativeTTL)
	require.Equal(t, 1000, c.MaxSchemas)
	require.Equal(t, "u", c.HTTPClientConfig.BasicAuth.Username)
	require.True(t, c.HTTPClientConfig.FollowRedirects, "as in Prometheus")
	require.True(t, c.HTTPClientConfig.EnableHTTP2, "as in Prometheus")

	shown, err := yaml.Marshal(c)
	require.NoError(t, err)
	require.NotContains(t, string(shown), "canary-7f3a")
	require.Contains(t, string(shown), "password: <secret>")
}

func TestRegistryConfigKeepsWhatIsSet(t *testing.T) {
	c := RegistryConfig{Timeout: 1, NegativeTTL: 2, MaxSchemas: 3}
	c.SetDefaults()
	require.Equal(t, RegistryConfig{Timeout: 1, NegativeTTL: 2, MaxSchemas: 3}, c)
}

func TestRegistryConfigFaultsNameTheKey(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		var c RegistryConfig
		require.NoError(t, yaml.Unmarshal([]byte(text), &c))
		var got []string
		for _, err := range c.Validate() {
			got = append(got, err.Error())
			require.NotContains(t, err.Error(), "canary-7f3a")
		}
		require.Equal(t, want, got)
	}
	f("url: http://localhost:8081")
	f("timeout: 1s", "url: is missing")
	f("url: [http://a, localhost:8081]", "url[1]: is not a URL such as http://localhost:8081")
	f("url: ftp://a", "url[0]: starts with neither http:// nor https://")
	f(`url: "http://a:8081:canary-7f3a"`, "url[0]: is not a URL such as http://localhost:8081")
	f("url: http://u:canary-7f3a@a", "url[0]: holds a user name: put it, and the password, in basic_auth")
	f("url: http://a?token=canary-7f3a", "url[0]: has a query or a fragment, which no registry has")
	f("{url: http://a, timeout: -1s, negative_ttl: -1s, max_schemas: -1}",
		"timeout: -1s is negative", "negative_ttl: -1s is negative", "max_schemas: -1 is negative")
	f("{url: http://a, basic_auth: {username: u}, authorization: {credentials: canary-7f3a}}",
		"at most one of basic_auth, oauth2 & authorization must be configured")
}
