package config

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// hidden stands in the place of a secret.
const hidden = "<secret>"

// YAML is the effective configuration: everything that was set and every default,
// with <secret> in the place of secrets.
func (c *Config) YAML() ([]byte, error) {
	var node yaml.Node
	if err := node.Encode(c); err != nil {
		return nil, fmt.Errorf("writing the configuration as YAML: %w", err)
	}
	redact(&node, false)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return nil, fmt.Errorf("writing the configuration as YAML: %w", err)
	}
	return out.Bytes(), nil
}

// freeForm are the sections whose names are the user's, so that no type says
// which of the values are secrets.
var freeForm = regexp.MustCompile(`^(headers|http_headers|proxy_connect_header|endpoint_params|extensions|claims)$`)

// redact hides what the types of the values do not hide themselves: everything in
// free-form sections, of which the node is a part where free is set, and what may
// be a password in a URL.
func redact(node *yaml.Node, free bool) {
	switch node.Kind {
	case yaml.ScalarNode:
		if free {
			node.SetString(hidden)
		} else if strings.Contains(node.Value, "://") {
			node.Value = redactURL(node.Value)
		}
	case yaml.SequenceNode:
		for _, item := range node.Content {
			redact(item, free)
		}
	case yaml.MappingNode:
		redactMapping(node, free)
	default: // An encoded tree has no others.
	}
}

// redactMapping also leaves out keys that are not set.
func redactMapping(node *yaml.Node, free bool) {
	kept := node.Content[:0]
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if value.ShortTag() != "!!null" {
			redact(value, free || freeForm.MatchString(key.Value))
			kept = append(kept, key, value)
		}
	}
	node.Content = kept
}

// redactURL hides the credentials of a URL, and the values of its query, where
// tokens are put.
func redactURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return hidden
	}
	if u.User == nil && u.RawQuery == "" {
		return text
	}
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += hidden + "@"
	}
	shown += u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		shown += "?" + hidden
	}
	return shown
}
