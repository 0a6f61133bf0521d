package writer

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	commoncfg "github.com/prometheus/common/config"
	"golang.org/x/net/http/httpguts"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

// authMethods names the sections that set the Authorization header.
func (c RemoteWriteConfig) authMethods() []string {
	var names []string
	for _, method := range []struct {
		name string
		set  bool
	}{
		{"basic_auth", c.HTTPClientConfig.BasicAuth != nil},
		{"authorization", c.HTTPClientConfig.Authorization != nil},
		{"bearer_token", c.HTTPClientConfig.BearerToken != ""},
		{"bearer_token_file", c.HTTPClientConfig.BearerTokenFile != ""},
		{"oauth2", c.HTTPClientConfig.OAuth2 != nil},
		{"sigv4", c.SigV4Config != nil},
		{"azuread", c.AzureADConfig != nil},
	} {
		if method.set {
			names = append(names, method.name)
		}
	}
	return names
}

// validateAuth checks how the program proves who it is, and everything else that
// decides about the transport. The errors carry the path below remote_write.
func validateAuth(cfg RemoteWriteConfig) []error {
	var errs []error
	methods := cfg.authMethods()
	if len(methods) > 1 {
		errs = append(errs, fielderr.New(methods[1],
			"at most one way to authenticate may be set, and there are %s", strings.Join(methods, " and ")))
	}
	if cfg.URL != nil && cfg.URL.URL != nil && cfg.URL.User != nil {
		errs = append(errs, fielderr.New("url",
			"credentials in the URL end up in logs: move them to basic_auth"))
	}
	if cfg.HTTPClientConfig.FollowRedirects {
		errs = append(errs, fielderr.New("follow_redirects",
			"redirects are never followed, a write would lose its body: set url to the final address"))
	}
	errs = append(errs, validateSections(cfg)...)
	errs = append(errs, validateReferences(cfg.HTTPClientConfig)...)
	errs = append(errs, validateHeaders(cfg, methods)...)
	return errs
}

// validateSections asks the sections that come from other projects.
func validateSections(cfg RemoteWriteConfig) []error {
	var errs []error
	check := func(path string, err error) {
		if err != nil {
			errs = append(errs, fielderr.New(path, "%v", err))
		}
	}
	client := cfg.HTTPClientConfig
	if len(cfg.authMethods()) <= 1 {
		check("", client.Validate())
	}
	check("tls_config", validateTLS(client.TLSConfig))
	if client.OAuth2 != nil {
		check("oauth2.tls_config", validateTLS(client.OAuth2.TLSConfig))
		if u, err := url.Parse(client.OAuth2.TokenURL); err != nil || u.Host == "" || u.User != nil {
			errs = append(errs, fielderr.New("oauth2.token_url", "want https://host/path, without credentials"))
		}
	}
	if cfg.SigV4Config != nil {
		check("sigv4", cfg.SigV4Config.Validate())
	}
	if cfg.AzureADConfig != nil {
		check("azuread", cfg.AzureADConfig.Validate())
	}
	for i, rule := range cfg.WriteRelabelConfigs {
		if rule == nil {
			errs = append(errs, fielderr.New(fielderr.Index("write_relabel_configs", i), "the rule is empty"))
		}
	}
	return errs
}

// validateTLS refuses what common/config lets pass.
func validateTLS(cfg commoncfg.TLSConfig) error {
	tls12 := commoncfg.TLSVersions["TLS12"]
	for _, version := range []commoncfg.TLSVersion{cfg.MinVersion, cfg.MaxVersion} {
		if version != 0 && version < tls12 {
			return errors.New("TLS before 1.2 is broken: want TLS12 or TLS13")
		}
	}
	return cfg.Validate()
}

// validateReferences refuses names of secrets in a secret manager, which only
// Prometheus itself has.
func validateReferences(c commoncfg.HTTPClientConfig) []error {
	found := map[string]string{
		"tls_config.ca_ref":   c.TLSConfig.CARef,
		"tls_config.cert_ref": c.TLSConfig.CertRef,
		"tls_config.key_ref":  c.TLSConfig.KeyRef,
	}
	if a := c.BasicAuth; a != nil {
		found["basic_auth.username_ref"], found["basic_auth.password_ref"] = a.UsernameRef, a.PasswordRef
	}
	if a := c.Authorization; a != nil {
		found["authorization.credentials_ref"] = a.CredentialsRef
	}
	if o := c.OAuth2; o != nil {
		found["oauth2.client_secret_ref"] = o.ClientSecretRef
		found["oauth2.client_certificate_key_ref"] = o.ClientCertificateKeyRef
		found["oauth2.tls_config.ca_ref"] = o.TLSConfig.CARef
		found["oauth2.tls_config.cert_ref"] = o.TLSConfig.CertRef
		found["oauth2.tls_config.key_ref"] = o.TLSConfig.KeyRef
	}
	var errs []error
	for _, path := range sortedKeys(found) {
		if found[path] != "" {
			errs = append(errs, fielderr.New(path,
				"there is no secret manager here: use the key that ends in _file"))
		}
	}
	return errs
}

// validateHeaders refuses headers that the protocol, the connection or the
// authentication sets. It never repeats a value: tokens are put there.
func validateHeaders(cfg RemoteWriteConfig, methods []string) []error {
	var errs []error
	taken := make(map[string]bool)
	if section := cfg.HTTPClientConfig.HTTPHeaders; section != nil {
		for _, name := range slices.Sorted(maps.Keys(section.Headers)) {
			canonical := http.CanonicalHeaderKey(name)
			taken[canonical] = true
			if _, known := commoncfg.ReservedHeaders[canonical]; known {
				continue // The section itself refuses it.
			}
			if problem := headerProblem(canonical, "", methods); problem != "" {
				errs = append(errs, fielderr.New(fielderr.Join("http_headers", name), "%s", problem))
			}
		}
	}
	for _, name := range sortedKeys(cfg.Headers) {
		canonical := http.CanonicalHeaderKey(name)
		if problem := headerProblem(canonical, cfg.Headers[name], methods); problem != "" {
			errs = append(errs, fielderr.New(fielderr.Join("headers", name), "%s", problem))
		} else if taken[canonical] {
			errs = append(errs, fielderr.New(fielderr.Join("headers", name), "the header is given twice"))
		}
		taken[canonical] = true
	}
	return errs
}

func headerProblem(canonical, value string, methods []string) string {
	_, reserved := commoncfg.ReservedHeaders[canonical]
	switch {
	case !httpguts.ValidHeaderFieldName(canonical):
		return "this is no valid name of an HTTP header"
	case !httpguts.ValidHeaderFieldValue(value):
		return "the value holds characters that an HTTP header must not have"
	case canonical == "Authorization" && len(methods) == 0:
		return ""
	case canonical == "Authorization":
		return methods[0] + " sets this header already: remove one of the two"
	case reserved, canonical == "Retry-Attempt", strings.HasPrefix(canonical, "X-Amz-"):
		return "the header is reserved: the program sets it itself"
	case slices.Contains([]string{"Expect", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}, canonical):
		return "the header belongs to the connection: the HTTP client sets it itself"
	}
	return ""
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// loopback says whether packets to the host stay on this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
