package builtin_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/outbound"
)

func TestNew(t *testing.T) {
	ref := &v1beta1.ProviderSecretRef{Name: "reader"}
	for name, c := range map[string]struct {
		provider v1beta1.MetricProvider
		secret   map[string][]byte
		want     string
	}{
		"nothing": {},
		"token":   {v1beta1.MetricProvider{SecretRef: ref}, map[string][]byte{"token": []byte("t\n")}, "Bearer t"},
		"username and password": {v1beta1.MetricProvider{SecretRef: ref},
			map[string][]byte{"username": []byte("u\n"), "password": []byte("p\r\n")}, "Basic dTpw"},
		"a header": {v1beta1.MetricProvider{Headers: map[string]string{"Authorization": "Custom h"}}, nil, "Custom h"},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header.Get("Authorization")
				_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1700000000,"42"]}}`))
			}))
			defer server.Close()
			c.provider.Type = "prometheus"
			// The address of the template goes before the operator's.
			c.provider.Address = server.URL
			p, err := builtin.New(c.provider, c.secret, "http://prometheus.invalid", nil)
			require.NoError(t, err)
			_, err = p.Query(t.Context(), metrics.Query{Expr: "up"})
			require.NoError(t, err)
			require.Equal(t, c.want, got)

			c.provider.Address = ""
			p, err = builtin.New(c.provider, c.secret, server.URL, nil)
			require.NoError(t, err)
			_, err = p.Query(t.Context(), metrics.Query{Expr: "up"})
			require.NoError(t, err)
		})
	}
}

// TestOwnCredentials: what Weir runs with goes to the cloud's own address, and to none that a template names.
func TestOwnCredentials(t *testing.T) {
	ref := &v1beta1.ProviderSecretRef{Name: "reader"}
	const address = "https://collector.example.com"
	stackdriver := map[string][]byte{"project": []byte("shop")}
	for name, c := range map[string]struct {
		provider v1beta1.MetricProvider
		secret   map[string][]byte
	}{
		"cloudwatch":  {v1beta1.MetricProvider{Type: "cloudwatch", Region: "eu-central-1"}, nil},
		"stackdriver": {v1beta1.MetricProvider{Type: "stackdriver", SecretRef: ref}, stackdriver},
	} {
		_, err := builtin.New(c.provider, c.secret, "", nil)
		require.NoError(t, err, name)
		c.provider.Address = address
		_, err = builtin.New(c.provider, c.secret, "", nil)
		require.ErrorIs(t, err, metrics.Rejected, name)
		require.ErrorContains(t, err, "the credentials that Weir runs with are not sent to spec.provider.address; remove it, or add ")
	}
	keys := map[string][]byte{"aws_access_key_id": []byte("a"), "aws_secret_access_key": []byte("b")}
	own := v1beta1.MetricProvider{Type: "cloudwatch", Region: "eu-central-1", Address: address, SecretRef: ref}
	_, err := builtin.New(own, keys, "", nil)
	require.NoError(t, err, "its own credentials go where it says")
}

// TestOutOfReach: what a template names must be within reach, and what the operator's flag names may be anywhere.
func TestOutOfReach(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}`)
	}))
	defer server.Close()
	reach, err := outbound.ParseReach(outbound.Private(), nil)
	require.NoError(t, err)
	asks := func(address string) error {
		p, err := builtin.New(v1beta1.MetricProvider{Type: "prometheus", Address: address}, nil, server.URL, reach)
		require.NoError(t, err)
		_, err = p.Query(t.Context(), metrics.Query{Expr: "up"})
		return err
	}
	require.NoError(t, asks(""))
	err = asks(server.URL)
	require.ErrorIs(t, err, metrics.Rejected)
	require.ErrorContains(t, err, "cannot be asked: Weir may not call 127.0.0.1")
}

func TestNewRejects(t *testing.T) {
	ref := &v1beta1.ProviderSecretRef{Name: "reader"}
	for says, c := range map[string]struct {
		provider v1beta1.MetricProvider
		secret   map[string][]byte
		address  string
	}{
		`no metric provider of type "abacus"`: {v1beta1.MetricProvider{Type: "abacus"}, nil, "http://prometheus"},
		"must be an http or https URL":        {v1beta1.MetricProvider{Type: "prometheus"}, nil, ""},
		"Secret reader has no token, nor username, which type prometheus needs": {
			v1beta1.MetricProvider{Type: "prometheus", SecretRef: ref},
			map[string][]byte{"password": []byte("secret-password")}, "http://prometheus"},
	} {
		p, err := builtin.New(c.provider, c.secret, c.address, nil)
		require.ErrorIs(t, err, metrics.Rejected)
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "secret-password")
		require.True(t, p == nil, "an interface that is not nil")
	}
}

// TestEachType makes a provider of every type that the schema takes, and takes the keys of its Secret away one by
// one.
func TestEachType(t *testing.T) {
	ref := &v1beta1.ProviderSecretRef{Name: "reader"}
	for kind, c := range map[string]struct {
		spec v1beta1.MetricProvider
		keys []string
		open bool
	}{
		"cloudwatch": {keys: []string{"aws_access_key_id", "aws_secret_access_key"}, open: true,
			spec: v1beta1.MetricProvider{Region: "eu-central-1"}},
		"datadog":         {keys: []string{"datadog_api_key", "datadog_application_key"}},
		"dynatrace":       {keys: []string{"dynatrace_token"}, spec: v1beta1.MetricProvider{Address: "https://e.live.dynatrace.test"}},
		"externalmetrics": {keys: []string{"token"}, open: true, spec: v1beta1.MetricProvider{Address: "https://kubernetes.test"}},
		"graphite": {keys: []string{"username", "password"}, open: true,
			spec: v1beta1.MetricProvider{Address: "http://graphite"}},
		"influxdb":    {keys: []string{"token"}, spec: v1beta1.MetricProvider{Address: "http://influxdb"}},
		"newrelic":    {keys: []string{"newrelic_account_id", "newrelic_query_key"}},
		"prometheus":  {keys: []string{"username", "password"}, open: true},
		"splunk":      {keys: []string{"sf_token_key"}, spec: v1beta1.MetricProvider{Address: "https://api.us0.splunk.test"}},
		"stackdriver": {keys: []string{"project"}},
		"web":         {keys: []string{"token"}, open: true, spec: v1beta1.MetricProvider{Address: "http://web", Value: "body"}},
	} {
		t.Run(kind, func(t *testing.T) {
			c.spec.Type = kind
			_, err := builtin.New(c.spec, nil, "http://prometheus", nil)
			require.Equal(t, c.open, err == nil, "without a Secret: %v", err)
			if !c.open {
				require.ErrorIs(t, err, metrics.Rejected)
				require.ErrorContains(t, err, "set spec.provider.secretRef to a Secret with "+strings.Join(c.keys, " and "))
			}
			c.spec.SecretRef = ref
			require.NoError(t, builtin.Check(c.spec))
			secret := map[string][]byte{}
			for _, key := range c.keys {
				secret[key] = []byte("42\n")
			}
			_, err = builtin.New(c.spec, secret, "http://prometheus", nil)
			require.NoError(t, err)
			for _, key := range c.keys {
				less := maps.Clone(secret)
				less[key] = []byte("\n")
				p, err := builtin.New(c.spec, less, "http://prometheus", nil)
				require.ErrorIs(t, err, metrics.Rejected)
				require.ErrorContains(t, err, "Secret reader has no ")
				require.ErrorContains(t, err, key)
				require.True(t, p == nil, "an interface that is not nil")
			}
		})
	}
}

// TestAuthority asks a server whose certificate nobody knows but who has its authority.
func TestAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1700000000,"42"]}}`))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer server.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, c := range map[string]struct {
		secret map[string][]byte
		says   string
	}{
		"nothing":              {nil, "is not trusted"},
		"the authority":        {map[string][]byte{"ca.crt": authority}, ""},
		"beside what is TLS's": {map[string][]byte{"ca.crt": authority, "tls.crt": authority}, ""},
		"and a token":          {map[string][]byte{"ca.crt": authority, "token": []byte("t")}, ""},
		"half of credentials":  {map[string][]byte{"ca.crt": authority, "username": []byte("u")}, "nor password"},
		"another thing": {map[string][]byte{"ca.crt": []byte("x")},
			"ca.crt of the Secret for Prometheus holds no certificate in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			canary := &v1beta1.Canary{}
			canary.Spec.MetricsServer = server.URL
			if c.secret != nil {
				canary.Spec.MetricsServerSecretRef = &v1beta1.LocalSecretRef{Name: "reader"}
			}
			p, err := builtin.New(builtin.Prometheus(canary), c.secret, "", nil)
			if err == nil {
				_, err = p.Query(t.Context(), metrics.Query{Expr: "up"})
			}
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, metrics.Rejected)
			require.ErrorContains(t, err, c.says)
		})
	}
	_, err := builtin.New(v1beta1.MetricProvider{Type: "datadog", SecretRef: &v1beta1.ProviderSecretRef{Name: "reader"}},
		map[string][]byte{"ca.crt": authority}, "", nil)
	require.ErrorContains(t, err, "Secret reader has no datadog_api_key", "which answers nobody without credentials")
}

// TestCheck: what is wrong apart from the Secret.
func TestCheck(t *testing.T) {
	for says, p := range map[string]v1beta1.MetricProvider{
		"no metric provider of type":   {Type: "abacus"},
		"must be an http or https URL": {Type: "graphite", Address: "graphite"},
		"set spec.provider.secretRef":  {Type: "datadog"},
		"no expression in CEL":         {Type: "web", Address: "http://web", Value: "body."},
		"HTTP does not allow":          {Type: "prometheus", Headers: map[string]string{"a b": "c"}},
	} {
		require.ErrorContains(t, builtin.Check(p), says)
	}
}
