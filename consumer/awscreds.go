package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	kafkaaws "github.com/twmb/franz-go/pkg/sasl/aws"

	"github.com/kafka2prom/kafka2prom/internal/fielderr"
)

// validate checks the section; nil means the SDK's default chain.
func (a *AWSConfig) validate() []error {
	if a == nil {
		return nil
	}
	var errs []error
	if a.SecretKey != "" && a.SecretKeyFile != "" {
		errs = append(errs, fielderr.New("secret_key", "want one of secret_key and secret_key_file"))
	}
	if secret := a.SecretKey != "" || a.SecretKeyFile != ""; secret != (a.AccessKey != "") {
		errs = append(errs, fielderr.New("access_key", "access_key and its secret_key (or secret_key_file) belong together"))
	}
	if a.AccessKey == "" && a.SessionToken != "" {
		errs = append(errs, fielderr.New("session_token", "belongs to an access_key"))
	}
	if a.AccessKey != "" && a.Profile != "" {
		errs = append(errs, fielderr.New("profile", "want one of profile and access_key"))
	}
	return fielderr.Under("aws", errs)
}

// awsCredentials gives the credentials for each login.
type awsCredentials struct{ provider aws.CredentialsProvider }

// newAWSCredentials takes fixed keys, or the SDK's default chain (environment,
// shared files, web identity, container, instance), and assumes the role where one
// is set. Nothing is fetched before the first login; cfg may be nil.
func newAWSCredentials(cfg *AWSConfig) (awsCredentials, error) {
	if cfg == nil {
		cfg = &AWSConfig{}
	}
	sdk, err := config.LoadDefaultConfig(context.Background(),
		config.WithRegion(cfg.Region), config.WithSharedConfigProfile(cfg.Profile))
	if err != nil {
		return awsCredentials{}, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	if cfg.AccessKey != "" {
		// Set afterwards, since the loader would keep the first answer for ever.
		sdk.Credentials = aws.CredentialsProviderFunc(cfg.fixedKeys)
	}
	if cfg.RoleARN == "" {
		return awsCredentials{sdk.Credentials}, nil
	}
	if sdk.Region == "" {
		return awsCredentials{}, errors.New("assuming a role needs a region: set kafka.sasl.aws.region, or AWS_REGION in the environment")
	}
	role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(sdk), cfg.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = softwareName
	})
	return awsCredentials{aws.NewCredentialsCache(role)}, nil
}

// fixedKeys reads the secret key again each time, as it may be in a file.
func (a *AWSConfig) fixedKeys(context.Context) (aws.Credentials, error) {
	secret, err := readSecret(a.SecretKey, a.SecretKeyFile)
	return aws.Credentials{
		AccessKeyID: a.AccessKey, SecretAccessKey: secret, SessionToken: string(a.SessionToken),
	}, err
}

func (c awsCredentials) auth(ctx context.Context) (kafkaaws.Auth, error) {
	found, err := c.provider.Retrieve(ctx)
	if err != nil {
		return kafkaaws.Auth{}, fmt.Errorf("retrieving AWS credentials: %w", err)
	}
	return kafkaaws.Auth{
		AccessKey: found.AccessKeyID, SecretKey: found.SecretAccessKey, SessionToken: found.SessionToken,
		UserAgent: softwareName + "/" + softwareVersion(),
	}, nil
}
