// Package cloudwatch asks Amazon CloudWatch for metric data.
package cloudwatch

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"weir.dev/weir/pkg/metrics"
)

// region is part of the name of a host.
var region = regexp.MustCompile(`^[a-z0-9-]+$`)

// Config says where CloudWatch is and who asks.
type Config struct {
	// Site without an address is the region's own.
	metrics.Site
	Region string
	// AccessKeyID and SecretAccessKey, and SessionToken if they are temporary. Without them, Weir asks with the
	// credentials that it runs with.
	AccessKeyID, SecretAccessKey, SessionToken string
}

// Provider is one region.
type Provider struct {
	server *metrics.Server
	client *cloudwatch.Client
}

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	if !region.MatchString(c.Region) {
		return nil, metrics.Rejectedf("CloudWatch is asked by region; set spec.provider.region, for example to eu-central-1")
	}
	who, from, err := credentialsOf(c)
	if err != nil {
		return nil, err
	}
	if c.Address, err = addressOf(c); err != nil {
		return nil, err
	}
	server, err := metrics.NewServer(metrics.ServerConfig{
		Site: c.Site, Name: "CloudWatch", CredentialsFrom: from,
		Secrets: []string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken},
	})
	if err != nil {
		return nil, err
	}
	return &Provider{server, cloudwatch.New(cloudwatch.Options{
		Region: c.Region, BaseEndpoint: &c.Address, Credentials: who,
		HTTPClient: bounded{server},
		// Whoever asks Weir's questions asks them again.
		Retryer: aws.NopRetryer{},
	})}, nil
}

// addressOf is the region's address where the template has none. Credentials in an address are for other servers:
// requests to this one are signed.
func addressOf(c Config) (string, error) {
	if c.Address == "" {
		found, err := cloudwatch.NewDefaultEndpointResolverV2().ResolveEndpoint(
			context.Background(), cloudwatch.EndpointParameters{Region: &c.Region})
		if err != nil {
			return "", metrics.Rejectedf("there is no CloudWatch in region %s; correct spec.provider.region", c.Region)
		}
		return found.URI.String(), nil
	}
	if address, err := url.Parse(c.Address); err == nil {
		address.User = nil
		return address.String(), nil
	}
	return c.Address, nil // it is refused in the words for all servers
}

// Query gives the last finished value of each query that returns data. The period that is still filled when the
// question is put has a part of the requests and none of the late ones.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	queries, period, err := parse(q.Expr)
	if err != nil {
		return nil, err
	}
	from, to := q.Span()
	// A period longer than the window may be as old as it is long.
	oldest := to.Add(-max(to.Sub(from), period))
	out, err := p.client.GetMetricData(ctx, &cloudwatch.GetMetricDataInput{
		MetricDataQueries: queries,
		StartTime:         aws.Time(oldest.Add(-period)), EndTime: aws.Time(to),
		ScanBy: types.ScanByTimestampDescending,
	})
	if err != nil {
		return nil, p.trouble(err)
	}
	var samples []metrics.Sample
	for _, result := range out.MetricDataResults {
		switch result.StatusCode {
		case types.StatusCodeForbidden:
			return nil, p.server.Rejects("the metric is in an account that may not be asked. " + messages(result.Messages))
		case types.StatusCodeInternalError:
			return nil, p.server.Fails(messages(result.Messages))
		}
		if len(result.Timestamps) != len(result.Values) {
			return nil, p.server.Unreadable()
		}
		for i, at := range result.Timestamps {
			if end := at.Add(period); !end.After(to) && end.After(oldest) {
				samples = append(samples, metrics.Sample{Series: nameOf(result), Value: result.Values[i]})
				break
			}
		}
	}
	return metrics.Answer(samples)
}

// parse reads the queries, and the longest of their periods, after which a value of all of them is finished.
func parse(expr string) ([]types.MetricDataQuery, time.Duration, error) {
	var queries []types.MetricDataQuery
	decoder := json.NewDecoder(strings.NewReader(expr))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&queries); err != nil || len(queries) == 0 || decoder.More() {
		why := ""
		if err != nil {
			why = ": " + metrics.Quote(strings.TrimPrefix(err.Error(), "json: "))
		}
		return nil, 0, metrics.Rejectedf("the query must be a list of MetricDataQueries in JSON, as CloudWatch's "+
			"GetMetricData takes them%s", why)
	}
	seconds := int32(0)
	for _, q := range queries {
		seconds = max(seconds, aws.ToInt32(q.Period))
		if q.MetricStat != nil {
			seconds = max(seconds, aws.ToInt32(q.MetricStat.Period))
		}
	}
	if seconds <= 0 {
		return nil, 0, metrics.Rejectedf("none of the queries has a Period; set it, for example to 60")
	}
	return queries, time.Duration(seconds) * time.Second, nil
}

func nameOf(result types.MetricDataResult) string {
	if label := aws.ToString(result.Label); label != "" {
		return label
	}
	return aws.ToString(result.Id)
}

func messages(all []types.MessageData) string {
	var said []string
	for _, m := range all {
		said = append(said, strings.TrimSpace(aws.ToString(m.Code)+" "+aws.ToString(m.Value)))
	}
	return strings.Join(said, "; ")
}
