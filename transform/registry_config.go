package transform

import (
	"net/url"
	"time"

	commoncfg "github.com/prometheus/common/config"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

// UnmarshalYAML reads the section over the defaults of its HTTP client, which the
// client's own UnmarshalYAML would set if it were not inlined.
func (c *RegistryConfig) UnmarshalYAML(unmarshal func(any) error) error {
	c.HTTPClientConfig = commoncfg.DefaultHTTPClientConfig
	type plain RegistryConfig
	return unmarshal((*plain)(c))
}

// SetDefaults fills in what the configuration leaves out.
func (c *RegistryConfig) SetDefaults() {
	setDefault(&c.Timeout, 10*time.Second)
	setDefault(&c.NegativeTTL, time.Minute)
	setDefault(&c.MaxSchemas, 1000)
}

// Validate returns what is wrong with the section. Nothing of a URL that could be a
// password is repeated.
func (c *RegistryConfig) Validate() []error {
	var errs []error
	if len(c.URL) == 0 {
		errs = append(errs, fielderr.New("url", "is missing"))
	}
	for i, text := range c.URL {
		if msg := urlFault(text); msg != "" {
			errs = append(errs, fielderr.New(fielderr.Index("url", i), "%s", msg))
		}
	}
	if c.Timeout < 0 {
		errs = append(errs, fielderr.New("timeout", "%s is negative", c.Timeout))
	}
	if c.NegativeTTL < 0 {
		errs = append(errs, fielderr.New("negative_ttl", "%s is negative", c.NegativeTTL))
	}
	if c.MaxSchemas < 0 {
		errs = append(errs, fielderr.New("max_schemas", "%d is negative", c.MaxSchemas))
	}
	if err := c.HTTPClientConfig.Validate(); err != nil {
		errs = append(errs, fielderr.New("", "%v", err))
	}
	return errs
}

// urlFault says what is wrong with a registry's URL; empty: nothing.
func urlFault(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return "is not a URL such as http://localhost:8081"
	case u.Scheme != "http" && u.Scheme != "https":
		return "starts with neither http:// nor https://"
	case u.User != nil:
		return "holds a user name: put it, and the password, in basic_auth"
	case u.RawQuery != "" || u.Fragment != "":
		return "has a query or a fragment, which no registry has"
	}
	return ""
}
