package writer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"
)

// prometheusOnly answers the keys of prometheus.yml that people paste and that
// have another name, or no meaning, here.
func prometheusOnly(key string) (answer string, ok bool) {
	switch key {
	case "queue_config":
		return "the queue belongs to the pipeline: max_samples_per_send is batch.max_samples, " +
			"batch_send_deadline is batch.max_age, min_shards and max_shards are shards, " +
			"min_backoff and max_backoff are retry.min_backoff and retry.max_backoff; " +
			"429 is always retried, and no sample is dropped for its age", true
	case "name":
		return "logs and metrics carry the name of the pipeline: leave it out", true
	case "send_exemplars", "send_native_histograms":
		return "records give float samples only: leave it out", true
	case "metadata_config":
		return "records carry no metric metadata: leave it out", true
	case "failed_request_logging":
		return "refused samples go to the dead-letter topic with the receiver's words: leave it out", true
	case "round_robin_dns":
		return "connections are kept open, one for each shard: put a load balancer in front of the receivers, or leave it out", true
	case "google_iam":
		return "not supported: use authorization with a credentials_file, or a proxy that signs", true
	}
	return "", false
}

// UnmarshalYAML reads the section over the values that c already has, so that
// defaults which are set before stay where the section says nothing. Unknown keys
// are errors whether or not the decoder is strict.
//
// It has the signature of the older interface of the YAML library on purpose: it
// hands on the strictness of the decoder to the sections below, and inlining
// HTTPClientConfig leaves out that type's own UnmarshalYAML, which would set
// follow_redirects and enable_http2.
func (c *RemoteWriteConfig) UnmarshalYAML(unmarshal func(any) error) error {
	var source rawNode
	if err := unmarshal(&source); err != nil {
		return err
	}
	node := source.node
	type plain RemoteWriteConfig
	section := struct {
		Known plain          `yaml:",inline"`
		Rest  map[string]any `yaml:",inline"`
	}{Known: plain(*c)}

	err := unmarshal(&section)
	*c = RemoteWriteConfig(section.Known)
	messages := unknownKeys(node, section.Rest)
	var wrongTypes *yaml.TypeError
	switch {
	case errors.As(err, &wrongTypes):
		messages = append(wrongTypes.Errors, messages...)
	case err != nil:
		messages = append([]string{fmt.Sprintf("line %d: %v", node.Line, err)}, messages...)
	}
	if len(messages) > 0 {
		return &yaml.TypeError{Errors: messages}
	}
	return nil
}

// rawNode takes over the node that it is decoded from. A yaml.Node as the target
// would be filled field by field.
type rawNode struct{ node *yaml.Node }

// UnmarshalYAML keeps the node.
func (r *rawNode) UnmarshalYAML(node *yaml.Node) error {
	r.node = node
	return nil
}

// unknownKeys gives one message for each key that the section does not have, in
// the words of the YAML library where there is nothing better to say.
func unknownKeys(node *yaml.Node, rest map[string]any) []string {
	var messages []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if _, unknown := rest[key.Value]; !unknown {
			continue
		}
		delete(rest, key.Value)
		messages = append(messages, unknownKey(key.Line, key.Value))
	}
	// What is left came in by a merge key.
	var merged []string
	for key := range rest {
		merged = append(merged, unknownKey(node.Line, key))
	}
	slices.Sort(merged)
	return append(messages, merged...)
}

func unknownKey(line int, key string) string {
	if answer, ok := prometheusOnly(key); ok {
		return fmt.Sprintf("line %d: %s is not a key of remote_write here: %s", line, key, answer)
	}
	return fmt.Sprintf("line %d: field %s not found in type writer.RemoteWriteConfig", line, key)
}

// MarshalYAML writes the section without secrets. The values of headers count as
// secrets, since tokens are put there.
func (c RemoteWriteConfig) MarshalYAML() (any, error) {
	type plain RemoteWriteConfig
	shown := plain(c)
	if len(c.Headers) > 0 {
		shown.Headers = make(map[string]string, len(c.Headers))
		for name := range c.Headers {
			shown.Headers[name] = "<secret>"
		}
	}
	return shown, nil
}

// MarshalJSON writes the section as String does: the JSON forms of the types
// inside keep the password of a URL.
func (c RemoteWriteConfig) MarshalJSON() ([]byte, error) {
	return json.Marshal(c.String())
}

// String is the section as YAML, without secrets.
func (c RemoteWriteConfig) String() string {
	text, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Sprintf("<remote_write cannot be written as YAML: %v>", err)
	}
	return string(text)
}

// SetDirectory makes the paths of files relative to dir, the directory of the
// configuration file.
func (c *RemoteWriteConfig) SetDirectory(dir string) {
	c.HTTPClientConfig.SetDirectory(dir)
	if o := c.HTTPClientConfig.OAuth2; o != nil {
		// Left out by SetDirectory of OAuth2.
		o.ClientCertificateKeyFile = commoncfg.JoinDir(dir, o.ClientCertificateKeyFile)
	}
	if c.AzureADConfig == nil {
		return
	}
	if w := c.AzureADConfig.WorkloadIdentity; w != nil {
		w.TokenFilePath = commoncfg.JoinDir(dir, w.TokenFilePath)
	}
	if x := c.AzureADConfig.Certificate; x != nil {
		x.CertificatePath = commoncfg.JoinDir(dir, x.CertificatePath)
		x.CertificateKeyPath = commoncfg.JoinDir(dir, x.CertificateKeyPath)
	}
}

// Warnings says what is allowed but dangerous. The program logs each once, at the
// start.
func (c RemoteWriteConfig) Warnings() []string {
	var warnings []string
	if c.HTTPClientConfig.TLSConfig.InsecureSkipVerify {
		warnings = append(warnings, "remote_write.tls_config.insecure_skip_verify: "+
			"anybody on the path can read and change what is sent, the credentials included")
	}
	if o := c.HTTPClientConfig.OAuth2; o != nil && o.TLSConfig.InsecureSkipVerify {
		warnings = append(warnings, "remote_write.oauth2.tls_config.insecure_skip_verify: "+
			"anybody on the path to the token endpoint can read the client secret")
	}
	methods := c.authMethods()
	if c.URL != nil && c.URL.URL != nil && c.URL.Scheme == "http" && len(methods) > 0 && !loopback(c.URL.Hostname()) {
		warnings = append(warnings, fmt.Sprintf("remote_write.%s: credentials travel unencrypted to %s: use https",
			strings.Join(methods, ", "), c.URL.Host))
	}
	return warnings
}
