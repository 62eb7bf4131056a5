package builtin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/builtin"
)

func TestNew(t *testing.T) {
	ref := &v1beta1.LocalSecretRef{Name: "reader"}
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
			p, err := builtin.New(c.provider, c.secret, "http://prometheus.invalid")
			require.NoError(t, err)
			_, err = p.Query(t.Context(), metrics.Query{Expr: "up"})
			require.NoError(t, err)
			require.Equal(t, c.want, got)

			c.provider.Address = ""
			p, err = builtin.New(c.provider, c.secret, server.URL)
			require.NoError(t, err)
			_, err = p.Query(t.Context(), metrics.Query{Expr: "up"})
			require.NoError(t, err)
		})
	}
}

func TestNewRejects(t *testing.T) {
	ref := &v1beta1.LocalSecretRef{Name: "reader"}
	for says, c := range map[string]struct {
		provider v1beta1.MetricProvider
		secret   map[string][]byte
		address  string
	}{
		`no metric provider of type "abacus"`: {v1beta1.MetricProvider{Type: "abacus"}, nil, "http://prometheus"},
		"must be an http or https URL":        {v1beta1.MetricProvider{Type: "prometheus"}, nil, ""},
		"Secret reader has neither": {v1beta1.MetricProvider{Type: "prometheus", SecretRef: ref},
			map[string][]byte{"password": []byte("secret-password")}, "http://prometheus"},
	} {
		p, err := builtin.New(c.provider, c.secret, c.address)
		require.ErrorIs(t, err, metrics.Rejected)
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "secret-password")
		require.True(t, p == nil, "an interface that is not nil")
	}
}
