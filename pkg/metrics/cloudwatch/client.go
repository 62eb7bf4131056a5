package cloudwatch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"weir.dev/weir/pkg/metrics"
)

// bounded has the SDK ask by way of a metrics.Server.
type bounded struct{ server *metrics.Server }

// Do sends one request. It hands on what the SDK can read, which is CBOR by now.
func (b bounded) Do(req *http.Request) (*http.Response, error) {
	res, body, err := b.server.Do(req.Context(), req)
	if err != nil {
		return nil, err
	}
	if res.Header.Get("Content-Type") != "application/cbor" || len(body) == 0 {
		if res.StatusCode >= http.StatusBadRequest {
			return nil, b.server.Refused(res.StatusCode, "")
		}
		return nil, b.server.Unreadable()
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// noCredentialsError says that Weir runs with none.
type noCredentialsError struct{}

// Error gives the sentence.
func (noCredentialsError) Error() string { return "no credentials" }

// credentialsOf are those of the Secret, or those that Weir runs with, and where they are from, for people.
func credentialsOf(c Config) (aws.CredentialsProvider, string, error) {
	if c.AccessKeyID != "" {
		static := credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
		return static, "", nil
	}
	own, err := config.LoadDefaultConfig(context.Background(), config.WithRegion(c.Region))
	if err != nil {
		return nil, "", metrics.Rejectedf("the configuration that Weir runs with for Amazon Web Services cannot be read; " +
			"correct it, or set spec.provider.secretRef")
	}
	ambient := aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		found, err := own.Credentials.Retrieve(ctx)
		if err != nil && ctx.Err() == nil {
			return found, noCredentialsError{} // what went wrong where is long, and may name what nobody should read
		}
		return found, err
	})
	return ambient, "that the role which Weir runs as may call cloudwatch:GetMetricData", nil
}

// trouble sorts an error of the SDK.
func (p *Provider) trouble(err error) *metrics.Error {
	if sorted, ok := errors.AsType[*metrics.Error](err); ok {
		return sorted
	}
	if _, ok := errors.AsType[noCredentialsError](err); ok {
		return metrics.Rejectedf("Weir runs without credentials for Amazon Web Services; " +
			"set spec.provider.secretRef, or give Weir's ServiceAccount a role")
	}
	if said, ok := errors.AsType[smithy.APIError](err); ok {
		words := said.ErrorCode() + " " + said.ErrorMessage()
		if passes(said.ErrorCode()) {
			return p.server.Fails(words)
		}
		return p.server.Rejects(words)
	}
	return p.server.Trouble(err)
}

// passes tells whether an error is one of those that come with the status of a bad request and are none.
func passes(code string) bool {
	codes := []string{"InternalServiceFault", "InternalServiceError", "InternalFailure", "ServiceUnavailable",
		"LimitExceeded", "LimitExceededException", "RequestLimitExceeded"}
	return strings.HasPrefix(code, "Throttl") || slices.Contains(codes, code)
}
