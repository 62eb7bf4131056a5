package builtin_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/builtin"
)

// planted is in the middle of each secret, and in nothing that Weir says by itself.
const planted = "~q7~"

// asked is a type of provider, with a Secret that has every key that the type knows, and answers of its vendor's.
type asked struct {
	spec    v1beta1.MetricProvider
	keys    []string
	expr    string
	answers []string
}

// everyType are all of them, by their names.
func everyType() map[string]asked {
	const vector = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"a"},"value":[1700000000,"42"]}]}}`
	prometheus := []string{
		vector, `{"status":"success","data":{"resultType":"scalar","result":[1700000000,"NaN"]}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1700000000,"1"]]}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"1","sum":"2"}]}]}}`,
		`{"status":"error","errorType":"bad_data","error":"parse error: SECRET"}`,
	}
	return map[string]asked{
		"cloudwatch": {
			spec: v1beta1.MetricProvider{Region: "eu-central-1"},
			keys: []string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token"},
			expr: `[{"Id": "e1", "Expression": "SUM(m)", "Period": 60}]`, answers: cloudwatchAnswers(),
		},
		"datadog": {keys: []string{"datadog_api_key", "datadog_application_key"}, answers: []string{
			`{"status":"ok","series":[{"expression":"a","interval":20,"pointlist":[[1699999940000,7],[1699999960000,null]]}]}`,
			`{"status":"ok","series":[{"metric":"a","scope":"*","interval":1e300,"pointlist":[[-1e300,1],[1],[]]}]}`,
			`{"status":"error","error":"Error parsing query SECRET"}`, `{"errors":["SECRET","b"]}`,
		}},
		"dynatrace": {keys: []string{"dynatrace_token"}, expr: "builtin:x:avg", answers: []string{
			`{"result":[{"metricId":"x","data":[{"dimensions":["A"],"timestamps":[1700000000000],"values":[42]}]}]}`,
			`{"result":[{"data":[{"values":[1,2]}]}]}`, `{"error":{"message":"SECRET","constraintViolations":[{"message":"b"}]}}`,
		}},
		"externalmetrics": {keys: []string{"token"}, expr: "shop/queue?labelSelector=app%3Da", answers: []string{
			`{"kind":"ExternalMetricValueList","items":[{"metricName":"queue","metricLabels":{"name":"a"},"value":"42"}]}`,
			`{"kind":"ExternalMetricValueList","items":[{"value":"1234567890123456789012e2147483647"},{"value":1e999}]}`,
			`{"kind":"Status","message":"SECRET is forbidden"}`,
		}},
		"graphite": {keys: []string{"username", "password"}, expr: "target=a&target=b", answers: []string{
			`[{"target":"entries","datapoints":[[1.0,1311836008],[42.0,1311836009],[null,1311836010]]}]`,
			`[{"target":"a","datapoints":[[],[null]]},{"target":""}]`, `Invalid target: SECRET`,
		}},
		"influxdb": {keys: []string{"token", "org"}, expr: "from(bucket: \"a\")", answers: []string{
			"#datatype,string,long,double,string\n#group,false,false,false,true\n#default,_result,,,\n" +
				",result,table,_value,host\n,,0,42,A\n",
			"#datatype,string,string\n#group,true,true\n#default,,\n,error,reference\n,SECRET,897\n",
			"#datatype,long\n#group,true\n#default,\n_value\n0x1p-2\n\n", `{"code":"invalid","message":"SECRET"}`,
		}},
		"newrelic": {keys: []string{"newrelic_account_id", "newrelic_query_key"}, expr: "SELECT count(*)", answers: []string{
			`{"results":[{"percentiles":{"95":0.25,"99":null}}]}`, `{"facets":[{"name":["b","c"],"results":[{"count":2}]}]}`,
			`{"results":[{"events":[{"SECRET":1}]}]}`, `{"timeSeries":[]}`, `{"error":"NRQL Syntax Error: SECRET"}`,
		}},
		"prometheus": {keys: []string{"username", "password"}, answers: prometheus},
		"splunk": {keys: []string{"sf_token_key"}, expr: "data('errors').publish()", answers: []string{
			"event: metadata\ndata: {\"tsId\":\"A\",\"properties\":{\"sf_key\":[\"pod\"],\"pod\":\"a\"}}\n\n" +
				"event: data\ndata: {\"data\":[{\"tsId\":\"A\",\"value\":42}]}\n\n" +
				"event: control-message\ndata: {\"event\":\"END_OF_CHANNEL\"}\n\n",
			"event: error\ndata: {\"errors\":[{\"code\":\"SECRET\",\"context\":{\"name\":\"dat\"}}]}\n\n", "data: a\r\ndata: b\n\n",
			"event: control-message\ndata: {\"event\":\"CHANNEL_ABORT\",\"abortInfo\":{\"sf_job_abortReason\":\"SECRET\"}}\n\n",
		}},
		"stackdriver": {keys: []string{"project"}, answers: prometheus},
		"web": {
			spec: v1beta1.MetricProvider{Value: "body.scores"}, keys: []string{"token"}, expr: "score?app=podinfo",
			answers: []string{`{"scores":42}`, `{"scores":[1,null,true]}`, `{"scores":"SECRET"}`, `[[[[]]]]`, `null`, `{"scores":-1e308}`},
		},
	}
}

// cloudwatchAnswers are by https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html.
func cloudwatchAnswers() []string {
	at := &cbor.Tag{ID: 1, Value: cbor.Float64(1699999900)}
	result := func(status string) cbor.Value {
		return cbor.Map{"MetricDataResults": cbor.List{cbor.Map{
			"Id": cbor.String("e1"), "Label": cbor.String("a"), "StatusCode": cbor.String(status),
			"Timestamps": cbor.List{at}, "Values": cbor.List{cbor.Float64(42)},
			"Messages": cbor.List{cbor.Map{"Code": cbor.String("x"), "Value": cbor.String("SECRET")}},
		}}}
	}
	var all []string
	for _, body := range []cbor.Value{
		result("Complete"), result("Forbidden"), result("InternalError"),
		cbor.Map{"__type": cbor.String("com.amazonaws.cloudwatch#InvalidParameterValueException"), "message": cbor.String("SECRET")},
	} {
		all = append(all, string(cbor.Encode(body)))
	}
	return all
}

// secretOf is a Secret with those keys. Who asks is no secret.
func secretOf(keys ...string) map[string][]byte {
	secret := map[string][]byte{}
	for _, key := range keys {
		secret[key] = []byte(key + planted + key)
	}
	for _, name := range []string{"username", "org", "project"} {
		if secret[name] != nil {
			secret[name] = []byte("shop")
		}
	}
	return secret
}

// answer is what a server says to everybody. SECRET in it stands for all that it was sent in confidence.
type answer struct {
	status int
	body   []byte
	cbor   bool
}

func (a *answer) serve(w http.ResponseWriter, secret map[string][]byte) {
	body := string(a.body)
	if strings.Contains(body, "SECRET") {
		body = strings.ReplaceAll(body, "SECRET", string(bytes.Join(slices.Collect(maps.Values(secret)), []byte(" "))))
	}
	if a.cbor {
		w.Header().Set("Content-Type", "application/cbor")
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, body)
}

// FuzzAnswers has servers say anything to each provider: it gives numbers, or says in one short sentence why it has none,
// and no secret is in that, though the server repeats what it was sent.
func FuzzAnswers(f *testing.F) {
	types := everyType()
	names := slices.Sorted(maps.Keys(types))
	var now atomic.Pointer[answer]
	var providers []metrics.Provider
	for i, name := range names {
		a := types[name]
		secret := secretOf(a.keys...)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			now.Load().serve(w, secret)
		}))
		f.Cleanup(server.Close)
		switch name {
		case "newrelic":
			secret["newrelic_account_id"] = []byte("42")
		case "stackdriver":
			secret["serviceAccountKey"] = serviceAccountKey(f)
		}
		a.spec.Type, a.spec.Address, a.spec.SecretRef = name, server.URL, &v1beta1.ProviderSecretRef{Name: "reader"}
		p, err := builtin.New(a.spec, secret, "", nil)
		require.NoError(f, err, name)
		providers = append(providers, p)
		for _, body := range a.answers {
			f.Add(uint8(i), uint16(0), []byte(body))
			f.Add(uint8(i), uint16(http.StatusBadRequest-http.StatusOK), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, status uint16, body []byte) {
		which := int(i) % len(names)
		const statuses = 400
		now.Store(&answer{http.StatusOK + int(status)%statuses, body, names[which] == "cloudwatch"})
		got, err := providers[which].Query(t.Context(), metrics.Query{
			Expr: types[names[which]].expr, Window: time.Minute, At: time.Unix(1700000000, 0),
		})
		if err == nil {
			require.LessOrEqual(t, len(got), len(body))
			require.True(t, slices.ContainsFunc(got, func(s metrics.Sample) bool { return !math.IsNaN(s.Value - s.Value) }))
			return
		}
		require.Empty(t, got)
		told, ok := errors.AsType[*metrics.Error](err)
		require.True(t, ok, "%T", err)
		require.Contains(t, []metrics.Kind{metrics.NoData, metrics.Rejected, metrics.Transport}, told.Kind)
		fit(t, err)
	})
}

// fit says that an error is a short sentence without a secret.
func fit(t *testing.T, err error) {
	t.Helper()
	require.True(t, utf8.ValidString(err.Error()), "%q", err)
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), planted)
	require.LessOrEqual(t, len(err.Error()), 1024)
}

// FuzzCredentials makes providers of whatever is in a template and its Secret: what is wrong with these is told without
// what is in them.
func FuzzCredentials(f *testing.F) {
	types := everyType()
	names := slices.Sorted(maps.Keys(types))
	for i := range names {
		f.Add(uint8(i), "token", "http://prometheus:9090/p", "value")
		f.Add(uint8(i), "a\nb", "https://user:%zz@host:99999/", "a\x00")
		f.Add(uint8(i), "ü\xff", "http://[::1]:x/?key=SECRET", "body[")
	}
	const key = `{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"}`
	f.Add(uint8(slices.Index(names, "stackdriver")), key, "", "")
	f.Fuzz(func(t *testing.T, i uint8, value, address, header string) {
		name := names[int(i)%len(names)]
		a := types[name]
		secret := secretOf(append([]string{"ca.crt", "token", "username", "password", "serviceAccountKey"}, a.keys...)...)
		for key := range secret {
			secret[key] = []byte(value + planted + value)
		}
		a.spec.Type, a.spec.SecretRef = name, &v1beta1.ProviderSecretRef{Name: "reader"}
		a.spec.Address = strings.ReplaceAll(address, "SECRET", value+planted)
		a.spec.Headers = map[string]string{"x-key": header + planted}
		if a.spec.Value != "" {
			a.spec.Value = header
		}
		for _, ca := range []bool{true, false} {
			if !ca {
				delete(secret, "ca.crt")
			}
			p, err := builtin.New(a.spec, secret, "http://unknown", nil)
			if err != nil {
				require.ErrorIs(t, err, metrics.Rejected)
				require.True(t, p == nil, "an interface that is not nil")
				fit(t, err)
			}
		}
	})
}

// serviceAccountKey is a key whose tokens come from a server of its own.
func serviceAccountKey(f *testing.F) []byte {
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"a`+planted+`b","token_type":"Bearer","expires_in":36000}`)
	}))
	f.Cleanup(tokens.Close)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(f, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(f, err)
	key, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "weir@shop.iam.test", "token_uri": tokens.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	require.NoError(f, err)
	return key
}

// TestLongAnswers: what is read of a long answer takes memory by its length, and not by the square of that.
func TestLongAnswers(t *testing.T) {
	const columns, lines = 300_000, 500_000
	for name, body := range map[string]string{
		"splunk": "event: data\n" + strings.Repeat("data: \n", lines) + "\n",
		"influxdb": "#datatype,long" + strings.Repeat(",", columns) + "\n#group,true" + strings.Repeat(",", columns) +
			"\n#default," + strings.Repeat(",", columns) + "\n,_value" + strings.Repeat(",table", columns) + "\n,1" +
			strings.Repeat(",", columns) + "\n",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		a := everyType()[name]
		a.spec.Type, a.spec.Address, a.spec.SecretRef = name, server.URL, &v1beta1.ProviderSecretRef{Name: "reader"}
		p, err := builtin.New(a.spec, secretOf(a.keys...), "", nil)
		require.NoError(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = p.Query(t.Context(), metrics.Query{Expr: a.expr}) // it may have no number
		runtime.ReadMemStats(&after)
		server.Close()
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<30), name)
	}
}
