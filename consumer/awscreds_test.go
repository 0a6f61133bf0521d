package consumer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"
)

const mskBroker = "b-1.plant.abc123.c2.kafka.eu-north-1.amazonaws.com:9098"

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

// mskLogin gives the fields of the login.
func mskLogin(t *testing.T, cfg *AWSConfig) map[string]string {
	t.Helper()
	message, err := login(t, SASLConfig{Mechanism: mechanismMSKIAM, AWS: cfg}, mskBroker)
	require.NoError(t, err)
	var fields map[string]string
	require.NoError(t, json.Unmarshal([]byte(message), &fields))
	return fields
}

// mskSignature computes the signature of a login from its other fields, as AWS
// Signature Version 4 asks for with query parameters.
func mskSignature(fields map[string]string, secret string) string {
	names := map[string]string{
		"action": "Action", "x-amz-algorithm": "X-Amz-Algorithm", "x-amz-credential": "X-Amz-Credential", "x-amz-date": "X-Amz-Date",
		"x-amz-expires": "X-Amz-Expires", "x-amz-security-token": "X-Amz-Security-Token", "x-amz-signedheaders": "X-Amz-SignedHeaders",
	}
	var query []string
	for field, name := range names {
		if value, ok := fields[field]; ok {
			query = append(query, name+"="+strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
		}
	}
	slices.Sort(query)
	empty := sha256.Sum256(nil)
	canonical := "GET\n/\n" + strings.Join(query, "&") + "\nhost:" + fields["host"] + "\n\nhost\n" + hex.EncodeToString(empty[:])
	hashed := sha256.Sum256([]byte(canonical))

	scope := strings.Split(fields["x-amz-credential"], "/")[1:]
	toSign := "AWS4-HMAC-SHA256\n" + fields["x-amz-date"] + "\n" + strings.Join(scope, "/") + "\n" + hex.EncodeToString(hashed[:])
	key := []byte("AWS4" + secret)
	for _, step := range append(scope, toSign) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(step))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

func TestMSKLoginsAreSigned(t *testing.T) {
	isolateAWS(t)
	fields := mskLogin(t, &AWSConfig{AccessKey: "AKID", SecretKey: canary, SessionToken: "session/+="})
	date := fields["x-amz-date"]
	for field, want := range map[string]string{
		"version": "2020_10_22", "host": strings.TrimSuffix(mskBroker, ":9098"), "action": "kafka-cluster:Connect",
		"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": "AKID/" + date[:8] + "/eu-north-1/kafka-cluster/aws4_request",
		"x-amz-signedheaders": "host", "x-amz-expires": "300", "x-amz-security-token": "session/+=", "user-agent": "kafka2prom/dev",
	} {
		require.Equal(t, want, fields[field])
	}
	require.Equal(t, mskSignature(fields, canary), fields["x-amz-signature"])
	require.NotEqual(t, mskSignature(fields, "another"), fields["x-amz-signature"])
	require.NotContains(t, fmt.Sprint(fields), canary)
}

func TestTheAWSSecretIsReadForEachLogin(t *testing.T) {
	isolateAWS(t)
	file := writeFile(t, "secret", "one")
	cfg := &AWSConfig{AccessKey: "AKID", SecretKeyFile: file}
	credentials, err := newAWSCredentials(cfg)
	require.NoError(t, err)
	for _, secret := range []string{"one", "two"} {
		require.NoError(t, os.WriteFile(file, []byte(secret+"\n"), 0o600))
		auth, err := credentials.auth(t.Context())
		require.NoError(t, err)
		require.Equal(t, secret, auth.SecretKey)
	}
	require.NoError(t, os.Remove(file))
	_, err = credentials.auth(t.Context())
	require.ErrorContains(t, err, "retrieving AWS credentials: reading a secret: open "+file)
}

func TestTheDefaultChainIsAsked(t *testing.T) {
	isolateAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "FROMENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	fields := mskLogin(t, nil)
	require.Contains(t, fields["x-amz-credential"], "FROMENV/")
	require.Equal(t, mskSignature(fields, "secret"), fields["x-amz-signature"])
}

func TestAProfileIsRead(t *testing.T) {
	isolateAWS(t)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", writeFile(t, "credentials", "[plant]\naws_access_key_id = FROMPROFILE\naws_secret_access_key = secret\n"))
	require.Contains(t, mskLogin(t, &AWSConfig{Profile: "plant"})["x-amz-credential"], "FROMPROFILE/")

	_, err := newAWSCredentials(&AWSConfig{Profile: "another"})
	require.ErrorContains(t, err, "loading the AWS configuration: ")
}

func TestNoCredentialsAtAllIsAnErrorOfTheLogin(t *testing.T) {
	isolateAWS(t)
	_, err := login(t, SASLConfig{Mechanism: mechanismMSKIAM}, mskBroker)
	require.ErrorContains(t, err, "retrieving AWS credentials: ")
}

// tokenService assumes any role for who signs with the given access key.
func tokenService(t *testing.T, accessKey string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "Credential="+accessKey+"/") || r.FormValue("Action") != "AssumeRole" ||
			r.FormValue("RoleArn") != "arn:aws:iam::1:role/reader" || r.FormValue("RoleSessionName") != "kafka2prom" {
			http.Error(w, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>", http.StatusForbidden)
			return
		}
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
			<Credentials><AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey>
			<SessionToken>role-session</SessionToken><Expiration>%s</Expiration></Credentials>
			</AssumeRoleResult></AssumeRoleResponse>`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(server.Close)
	return server
}

func TestARoleIsAssumed(t *testing.T) {
	isolateAWS(t)
	t.Setenv("AWS_ENDPOINT_URL_STS", tokenService(t, "AKID").URL)
	cfg := &AWSConfig{AccessKey: "AKID", SecretKey: "secret", RoleARN: "arn:aws:iam::1:role/reader", Region: "eu-north-1"}
	fields := mskLogin(t, cfg)
	require.Contains(t, fields["x-amz-credential"], "ROLE/")
	require.Equal(t, "role-session", fields["x-amz-security-token"])
	require.Equal(t, mskSignature(fields, "role-secret"), fields["x-amz-signature"])

	cfg.AccessKey, cfg.SecretKey = "STRANGER", commoncfg.Secret(canary)
	_, err := login(t, SASLConfig{Mechanism: mechanismMSKIAM, AWS: cfg}, mskBroker)
	require.ErrorContains(t, err, "AccessDenied")
	require.NotContains(t, err.Error(), canary)
}

func TestARoleNeedsARegion(t *testing.T) {
	isolateAWS(t)
	_, err := clientOptions(KafkaConfig{SASL: &SASLConfig{Mechanism: mechanismMSKIAM, AWS: &AWSConfig{RoleARN: "r"}}})
	require.EqualError(t, err, "preparing the login with AWS_MSK_IAM: assuming a role needs a region: set kafka.sasl.aws.region, or AWS_REGION in the environment")
}

func TestABrokerWhoseNameHasNoRegionIsExplained(t *testing.T) {
	isolateAWS(t)
	_, err := login(t, SASLConfig{Mechanism: mechanismMSKIAM, AWS: &AWSConfig{AccessKey: "a", SecretKey: "s"}}, "kafka.plant.example:9098")
	require.Error(t, err)
	require.ErrorContains(t, KafkaConfig{}.explain(err), "set AWS_REGION in the environment")
}
