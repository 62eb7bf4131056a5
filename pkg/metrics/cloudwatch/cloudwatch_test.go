package cloudwatch_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/cloudwatch"
	"weir.dev/weir/pkg/metrics/metricstest"
)

// query as in https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html.
const query = `[
  {"Id": "e1", "Expression": "m1 / m2", "Label": "ErrorRate"},
  {"Id": "m1", "MetricStat": {"Metric": {"Namespace": "Shop", "MetricName": "ErrorCount",
    "Dimensions": [{"Name": "app", "Value": "podinfo"}]}, "Period": 60, "Stat": "Sum", "Unit": "Count"}, "ReturnData": false},
  {"Id": "m2", "MetricStat": {"Metric": {"Namespace": "Shop", "MetricName": "RequestCount"}, "Period": 60, "Stat": "Sum"},
    "ReturnData": false}
]`

// say is an answer by https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html.
func say(status int, body cbor.Value) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/cbor")
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		w.WriteHeader(status)
		_, _ = w.Write(cbor.Encode(body))
	})
}

// point is a value and how long before the end of what is asked about its period began, in seconds.
type point struct {
	ago   int
	value float64
}

// result is that of one query, with the newest point first.
func result(label, status string, points ...point) func(end time.Time) cbor.Value {
	return func(end time.Time) cbor.Value {
		times, values := cbor.List{}, cbor.List{}
		for _, p := range points {
			at := end.Add(-time.Duration(p.ago) * time.Second)
			times = append(times, &cbor.Tag{ID: 1, Value: cbor.Float64(float64(at.UnixMilli()) / 1000)})
			values = append(values, cbor.Float64(p.value))
		}
		return cbor.Map{"Id": cbor.String("e1"), "Label": cbor.String(label), "StatusCode": cbor.String(status),
			"Timestamps": times, "Values": values}
	}
}

func results(all ...func(time.Time) cbor.Value) metricstest.Exchange {
	return metricstest.Exchange{Expr: query, Server: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		end, err := endOf(body)
		if err != nil {
			panic(err)
		}
		list := cbor.List{}
		for _, one := range all {
			list = append(list, one(end))
		}
		say(http.StatusOK, cbor.Map{"MetricDataResults": list, "Messages": cbor.List{}}).ServeHTTP(w, r)
	})}
}

// endOf is EndTime of a request.
func endOf(body []byte) (time.Time, error) {
	decoded, err := cbor.Decode(body)
	if err != nil {
		return time.Time{}, err
	}
	asked, _ := decoded.(cbor.Map)
	tag, _ := asked["EndTime"].(*cbor.Tag)
	if tag == nil {
		return time.Time{}, fmt.Errorf("a request without EndTime: %v", decoded)
	}
	switch at := tag.Value.(type) {
	case cbor.Float64:
		return time.UnixMilli(int64(at * 1000)), nil
	case cbor.Uint:
		return time.Unix(int64(at), 0), nil
	}
	return time.Time{}, fmt.Errorf("a time of type %T", tag.Value)
}

func refusal(status int, kind, words string) http.Handler {
	return say(status, cbor.Map{"__type": cbor.String("com.amazonaws.cloudwatch#" + kind), "message": cbor.String(words)})
}

func TestConformance(t *testing.T) {
	failing := func(status int, kind, words string) metricstest.Exchange {
		return metricstest.Exchange{Expr: query, Server: refusal(status, kind, words)}
	}
	metricstest.Run(t, metricstest.Suite{
		New: func(address string) (metrics.Provider, error) {
			return cloudwatch.New(cloudwatch.Config{
				Site: metrics.Site{Address: address}, Region: "eu-central-1",
				AccessKeyID: "AKIASECRETID", SecretAccessKey: "secret-access-key", SessionToken: "secret-session-token",
			})
		},
		Secrets: []string{"AKIASECRETID", "secret-access-key", "secret-session-token"},
		Value:   results(result("ErrorRate", "Complete", point{30, 3}, point{90, 42}, point{150, 7})),
		Several: results(result("a", "Complete", point{60, 1}), result("b", "PartialData", point{60, 2})),
		NoData: map[string]metricstest.Exchange{
			"no results":    results(),
			"no values":     results(result("a", "Complete")),
			"an unfinished": results(result("a", "Complete", point{30, 42})),
			"an old":        results(result("a", "Complete", point{300, 42})),
		},
		Rejected: map[string]metricstest.Exchange{
			"no JSON":        {Expr: "SELECT 1", Server: http.NotFoundHandler()},
			"no list":        {Expr: `{"Id":"m1"}`, Server: http.NotFoundHandler()},
			"an empty list":  {Expr: `[]`, Server: http.NotFoundHandler()},
			"two lists":      {Expr: query + query, Server: http.NotFoundHandler()},
			"another field":  {Expr: `[{"Id":"m1","Metric":"x"}]`, Server: http.NotFoundHandler()},
			"no period":      {Expr: `[{"Id":"m1","Expression":"m2"}]`, Server: http.NotFoundHandler()},
			"bad expression": failing(http.StatusBadRequest, "InvalidParameterValueException", "Error in expression 'e1'"),
			"bad token":      failing(http.StatusBadRequest, "UnrecognizedClientException", "The security token is invalid."),
			"forbidden":      results(result("a", "Forbidden")),
			"not an API":     {Expr: query, Server: http.NotFoundHandler()},
		},
		Refusal: func(words string) http.Handler {
			return refusal(http.StatusBadRequest, "InvalidParameterValueException", words)
		},
	})
}

func ask(t *testing.T, q metrics.Query, handler http.Handler) ([]metrics.Sample, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	p, err := cloudwatch.New(cloudwatch.Config{
		Site: metrics.Site{Address: server.URL}, Region: "eu-central-1",
		AccessKeyID: "AKIASECRETID", SecretAccessKey: "secret-access-key",
	})
	require.NoError(t, err)
	if q.Expr == "" {
		q.Expr = query
	}
	return p.Query(t.Context(), q)
}

// TestNeverTheUnfinishedPeriod puts the question within, at the end of and after a period of a minute.
func TestNeverTheUnfinishedPeriod(t *testing.T) {
	for _, c := range []struct {
		points []point
		window time.Duration
		want   []float64
	}{
		{[]point{{59, 3}, {119, 2}, {179, 1}}, 5 * time.Minute, []float64{2}},
		{[]point{{60, 3}, {120, 2}}, 5 * time.Minute, []float64{3}}, // full to the second
		{[]point{{119, 2}}, 30 * time.Second, []float64{2}},         // the last period there can be
		{[]point{{59, 3}, {180, 2}}, 30 * time.Second, nil},         // older than window and period
		{[]point{{0, 4}, {240, 2}}, 5 * time.Minute, []float64{2}},  // others are missing
		{[]point{{0, 4}, {61, 0}}, 5 * time.Minute, []float64{0}},
	} {
		samples, err := ask(t, metrics.Query{Window: c.window, At: time.Unix(1700000000, 0)},
			results(result("ErrorRate", "Complete", c.points...)).Server)
		if c.want == nil {
			require.ErrorIs(t, err, metrics.NoData, "%+v", c)
			continue
		}
		require.NoError(t, err, "%+v", c)
		require.Equal(t, []metrics.Sample{{Series: "ErrorRate", Value: c.want[0]}}, samples, "%+v", c)
	}
}

func TestRequest(t *testing.T) {
	_, err := ask(t, metrics.Query{Window: 5 * time.Minute, At: time.Unix(1700000000, 0)},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "/service/GraniteServiceVersion20100801/operation/GetMetricData", r.URL.Path)
			assert.Contains(t, r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIASECRETID/")
			assert.Contains(t, r.Header.Get("Authorization"), "/eu-central-1/monitoring/aws4_request")
			body, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			decoded, err := cbor.Decode(body)
			assert.NoError(t, err)
			asked, _ := decoded.(cbor.Map)
			assert.Equal(t, cbor.String("TimestampDescending"), asked["ScanBy"])
			all, _ := asked["MetricDataQueries"].(cbor.List)
			if assert.Len(t, all, 3) {
				m1, _ := all[1].(cbor.Map)
				assert.Equal(t, cbor.Bool(false), m1["ReturnData"])
				stat, _ := m1["MetricStat"].(cbor.Map)
				assert.Equal(t, cbor.Uint(60), stat["Period"])
			}
			say(http.StatusOK, cbor.Map{"MetricDataResults": cbor.List{}}).ServeHTTP(w, r)
		}))
	require.ErrorIs(t, err, metrics.NoData)
}

// TestTroubleOfTheService comes with the status of a bad request, and is asked about once.
func TestTroubleOfTheService(t *testing.T) {
	for says, handler := range map[string]http.Handler{
		"Throttling Rate exceeded": refusal(http.StatusBadRequest, "Throttling", "Rate exceeded"),
		"InternalServiceFault":     refusal(http.StatusBadRequest, "InternalServiceFault", "x"),
		"CloudWatch at":            results(result("a", "InternalError")).Server,
		"cannot be read":           say(http.StatusOK, cbor.Map{"MetricDataResults": cbor.String("x")}),
	} {
		asked := 0
		_, err := ask(t, metrics.Query{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			handler.ServeHTTP(w, r)
		}))
		require.ErrorIs(t, err, metrics.Transport, says)
		require.ErrorContains(t, err, says)
		require.Equal(t, 1, asked)
	}
}

// TestAmbient: without a Secret, Weir asks as what it runs as.
func TestAmbient(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"),
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "AKIAAMBIENT", "AWS_SECRET_ACCESS_KEY": "hidden",
		"AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
	} {
		t.Setenv(name, value)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Contains(t, r.Header.Get("Authorization"), "Credential=AKIAAMBIENT/")
		results(result("a", "Complete", point{60, 42})).Server.ServeHTTP(w, r)
	}))
	defer server.Close()
	query := func() error {
		p, err := cloudwatch.New(cloudwatch.Config{Site: metrics.Site{Address: server.URL}, Region: "eu-central-1"})
		require.NoError(t, err)
		_, err = p.Query(t.Context(), metrics.Query{Expr: query})
		return err
	}
	require.NoError(t, query())

	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	err := query()
	require.ErrorIs(t, err, metrics.Rejected)
	require.ErrorContains(t, err, "Weir runs without credentials for Amazon Web Services")
}

func TestNew(t *testing.T) {
	for name, c := range map[string]cloudwatch.Config{
		"no region":  {AccessKeyID: "a", SecretAccessKey: "b"},
		"a host":     {AccessKeyID: "a", SecretAccessKey: "b", Region: "evil.test/"},
		"an address": {AccessKeyID: "a", SecretAccessKey: "b", Region: "us-east-1", Site: metrics.Site{Address: "monitoring"}},
	} {
		_, err := cloudwatch.New(c)
		require.ErrorIs(t, err, metrics.Rejected, name)
	}
	_, err := cloudwatch.New(cloudwatch.Config{AccessKeyID: "a", SecretAccessKey: "b", Region: "cn-north-1"})
	require.NoError(t, err)
}
