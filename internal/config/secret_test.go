package config

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"

	"github.com/kafka2prom/kafka2prom/internal/units"
)

// canary is what every secret is in these tests.
const canary = "hunter2canary"

// fillSecrets makes every section and sets every secret in it, those included
// whose types do not say so. It returns the paths of the secrets.
func fillSecrets(v reflect.Value, path string) []string {
	var filled []string
	switch {
	case strings.HasSuffix(path, ".tags"): // Of an AWS session; they are names of teams.
	case v.Type() == secretType:
		v.SetString(canary)
		return []string{path}
	case v.Type() == reflect.TypeFor[commoncfg.ProxyHeader]():
		v.Set(reflect.ValueOf(commoncfg.ProxyHeader{"X": {canary}}))
		return []string{path}
	case v.Type() == reflect.TypeFor[map[string]string]() || v.Type() == reflect.TypeFor[map[string]any]():
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("X"), reflect.ValueOf(canary))
		return []string{path}
	case v.Type() == reflect.TypeFor[*commoncfg.Headers]():
		v.Set(reflect.ValueOf(&commoncfg.Headers{Headers: map[string]commoncfg.Header{"X": {
			Values: []string{canary}, Secrets: []commoncfg.Secret{canary},
		}}}))
		return []string{path}
	case v.Type() == reflect.PointerTo(urlType) || v.Type() == urlType:
		u := commoncfg.URL{URL: &url.URL{Scheme: "http", Host: "host", User: url.UserPassword("user", canary), RawQuery: "token=" + canary}}
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.ValueOf(&u))
		} else {
			v.Set(reflect.ValueOf(u))
		}
		return []string{path}
	case strings.HasSuffix(path, "schema_registry.url"):
		v.Set(reflect.ValueOf(units.StringList{"http://user:" + canary + "@host", "http://" + canary + "@host:x"}))
		return []string{path}
	}
	switch {
	case v.Kind() == reflect.Pointer && isSection(v.Type().Elem()):
		v.Set(reflect.New(v.Type().Elem()))
		filled = fillSecrets(v.Elem(), path)
	case v.Kind() == reflect.Slice && isSection(deref(v.Type().Elem())):
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		filled = fillSecrets(v.Index(0), path+"[0]")
	case isSection(v.Type()):
		for _, k := range sectionOf(v.Type()).keys {
			filled = append(filled, fillSecrets(v.FieldByIndex(k.index), join(path, k.name))...)
		}
	}
	return filled
}

func TestNoSecretLeavesTheConfiguration(t *testing.T) {
	c := load(t, minimal)
	filled := fillSecrets(reflect.ValueOf(c).Elem(), "")
	require.Greater(t, len(filled), 35, "the sections have many secrets: %v", filled)
	for i := range c.Pipelines {
		// A regular expression cannot be empty.
		c.Pipelines[i].RemoteWrite.WriteRelabelConfigs = nil
	}

	text, err := c.YAML()
	require.NoError(t, err)
	require.NotContains(t, string(text), canary)
	require.Contains(t, string(text), "<secret>")
	require.NotContains(t, describe(c), canary)
	for _, warning := range c.Warnings() {
		require.NotContains(t, warning, canary)
	}
	for _, err := range c.Validate() {
		require.NotContains(t, err.Error(), canary)
	}
}

func TestWhatIsNoSecretIsShown(t *testing.T) {
	text, err := load(t, minimal+"      basic_auth: {username: shown, password: "+canary+"}\n      headers: {X-Key: "+canary+"}\n").YAML()

	require.NoError(t, err)
	require.Contains(t, string(text), "username: shown\n        password: <secret>")
	require.Contains(t, string(text), "X-Key: <secret>")
	require.NotContains(t, string(text), canary)
}

func TestURLsAreShownWithoutTheirSecrets(t *testing.T) {
	for text, want := range map[string]string{
		"http://host:9090/api/v1/write":          "http://host:9090/api/v1/write",
		"https://u:" + canary + "@host/a%20b":    "https://<secret>@host/a%20b",
		"https://" + canary + "@host":            "https://<secret>@host",
		"https://host/p?a=" + canary:             "https://host/p?<secret>",
		"https://u:" + canary + "@host:x/":       "<secret>",
		"https://u:p@host/p?x=" + canary + "#hi": "https://<secret>@host/p?<secret>",
	} {
		require.Equal(t, want, redactURL(text))
	}
}

func TestTheEffectiveConfigurationCanBeLoadedAgain(t *testing.T) {
	unusual := with("dead_letter: {topic: d, create: true}", "start: -7d", "max_skew: 1d", "shards: 9", "limits: {depth: 3}", "exclude_topics: [x]",
		"schema_registry: {url: [http://a, http://b], enable_http2: false}")
	unusual += "      write_relabel_configs: [{source_labels: [a], regex: 'x.*', action: drop}]\n      tls_config: {min_version: TLS12}\n"
	for _, text := range []string{minimal, unusual} {
		first := load(t, text)
		once, err := first.YAML()
		require.NoError(t, err)
		twice, err := load(t, string(once)).YAML()
		require.NoError(t, err)

		require.Equal(t, string(once), string(twice))
	}
}
