package stackdriver_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/metricstest"
	"weir.dev/weir/pkg/metrics/stackdriver"
)

// issued is an answer of Google's token server, as in
// https://developers.google.com/identity/protocols/oauth2/service-account.
const issued = `{"access_token":"secret-access-token","token_type":"Bearer","expires_in":3600}`

// keyOf is the JSON key of a service account whose tokens come from that server.
func keyOf(t *testing.T, tokens string) string {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	key, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "shop", "private_key_id": "1", "client_email": "weir@shop.iam.test",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": tokens,
	})
	require.NoError(t, err)
	return string(key)
}

func start(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// answer is one of the API at https://docs.cloud.google.com/stackdriver/docs/managed-prometheus/query-api-ui, which is
// that of a Prometheus.
func answer(data string) metricstest.Exchange {
	return metricstest.Exchange{Expr: "up", Server: metricstest.Answer(http.StatusOK, `{"status":"success","data":`+data+`}`)}
}

func refusal(words string) http.Handler {
	body, err := json.Marshal(map[string]string{"status": "error", "errorType": "bad_data", "error": words})
	if err != nil {
		panic(err)
	}
	return metricstest.Answer(http.StatusBadRequest, string(body))
}

func TestConformance(t *testing.T) {
	key := keyOf(t, start(t, metricstest.Answer(http.StatusOK, issued)))
	metricstest.Run(t, metricstest.Suite{
		New: func(address string) (metrics.Provider, error) {
			return stackdriver.New(stackdriver.Config{Site: metrics.Site{Address: address}, Project: "shop", ServiceAccountKey: key})
		},
		Secrets: []string{"secret-access-token"},
		Value:   answer(`{"resultType":"vector","result":[{"metric":{"pod":"a"},"value":[1700000000,"42"]}]}`),
		Several: answer(`{"resultType":"vector","result":[
			{"metric":{"pod":"a"},"value":[1700000000.5,"1"]},{"metric":{"pod":"b"},"value":[1700000000.5,"2"]}]}`),
		NoData: map[string]metricstest.Exchange{
			"no series": answer(`{"resultType":"vector","result":[]}`),
			"NaN":       answer(`{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"NaN"]}]}`),
		},
		Rejected: map[string]metricstest.Exchange{
			"bad query": {Expr: "up(", Server: refusal("1:4: parse error")},
			// What people bring along from Flagger.
			"MQL":        {Expr: "fetch k8s_container | metric 'x'", Server: refusal("1:7: parse error: unexpected identifier")},
			"no project": {Expr: "up", Server: http.NotFoundHandler()},
		},
		Refusal: refusal,
	})
}

func TestRequest(t *testing.T) {
	asked := atomic.Int32{}
	key := keyOf(t, start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		assert.Equal(t, "urn:ietf:params:oauth:grant-type:jwt-bearer", r.FormValue("grant_type"))
		metricstest.Answer(http.StatusOK, issued).ServeHTTP(w, r)
	})))
	address := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/v1/projects/example.org:shop/location/global/prometheus/api/v1/query", r.URL.Path)
		assert.Equal(t, "sum(up)", r.FormValue("query"))
		assert.Equal(t, "Bearer secret-access-token", r.Header.Get("Authorization"))
		answer(`{"resultType":"scalar","result":[1700000000,"42"]}`).Server.ServeHTTP(w, r)
	}))
	p, err := stackdriver.New(stackdriver.Config{
		Site: metrics.Site{Address: address + "/"}, Project: "example.org:shop", ServiceAccountKey: key,
	})
	require.NoError(t, err)
	for range 3 {
		samples, err := p.Query(t.Context(), metrics.Query{Expr: "sum(up)"})
		require.NoError(t, err)
		require.Equal(t, []metrics.Sample{{Value: 42}}, samples)
	}
	require.EqualValues(t, 1, asked.Load(), "a token is kept while it is good")
}

// TestNoToken: nobody asks for metrics without one.
func TestNoToken(t *testing.T) {
	for name, c := range map[string]struct {
		tokens http.Handler
		kind   metrics.Kind
		says   string
	}{
		"refused": {metricstest.Answer(http.StatusBadRequest, `{"error":"invalid_grant","error_description":"secret words"}`),
			metrics.Rejected, "Google refuses serviceAccountKey of the Secret; make a new key (HTTP 400)"},
		"redirected": {http.RedirectHandler("http://127.0.0.1:1/", http.StatusTemporaryRedirect), metrics.Rejected, "HTTP 307"},
		"down":       {metricstest.Answer(http.StatusServiceUnavailable, "secret words"), metrics.Transport, "Google gives no token"},
		"too many":   {metricstest.Answer(http.StatusTooManyRequests, "secret words"), metrics.Transport, "Google gives no token"},
		"no JSON":    {metricstest.Answer(http.StatusOK, "secret words"), metrics.Transport, "Google gives no token"},
		"no token":   {metricstest.Answer(http.StatusOK, "{}"), metrics.Transport, "Google gives no token"},
	} {
		t.Run(name, func(t *testing.T) {
			address := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				t.Errorf("asked %s without a token", r.URL)
			}))
			p, err := stackdriver.New(stackdriver.Config{
				Site: metrics.Site{Address: address}, Project: "shop", ServiceAccountKey: keyOf(t, start(t, c.tokens)),
			})
			require.NoError(t, err)
			_, err = p.Query(t.Context(), metrics.Query{Expr: "up"})
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "secret words")
		})
	}
}

// TestTokenTakesLong: the context ends while a token is awaited.
func TestTokenTakesLong(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	tokens := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel(); <-gone }))
	defer close(gone)
	p, err := stackdriver.New(stackdriver.Config{
		Site: metrics.Site{Address: tokens}, Project: "shop", ServiceAccountKey: keyOf(t, tokens),
	})
	require.NoError(t, err)
	begin := time.Now()
	_, err = p.Query(ctx, metrics.Query{Expr: "up"})
	require.ErrorIs(t, err, metrics.Transport)
	require.Less(t, time.Since(begin), 4*time.Second)
}

// TestAmbient plays the metadata server that pods have at Google, as in
// https://docs.cloud.google.com/compute/docs/metadata/predefined-metadata-keys.
func TestAmbient(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("HOME", t.TempDir())
	metadata := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/service-accounts/default/token") {
			assert.Equal(t, "https://www.googleapis.com/auth/monitoring.read", r.FormValue("scopes"))
			metricstest.Answer(http.StatusOK, issued).ServeHTTP(w, r)
			return
		}
		_, _ = w.Write([]byte("shop"))
	}))
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(metadata, "http://"))
	address := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer secret-access-token", r.Header.Get("Authorization"))
		answer(`{"resultType":"scalar","result":[1700000000,"42"]}`).Server.ServeHTTP(w, r)
	}))
	p, err := stackdriver.New(stackdriver.Config{Site: metrics.Site{Address: address}, Project: "shop"})
	require.NoError(t, err)
	_, err = p.Query(t.Context(), metrics.Query{Expr: "up"})
	require.NoError(t, err)

	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "missing.json"))
	p, err = stackdriver.New(stackdriver.Config{Site: metrics.Site{Address: address}, Project: "shop"})
	require.NoError(t, err)
	_, err = p.Query(t.Context(), metrics.Query{Expr: "up"})
	require.ErrorIs(t, err, metrics.Rejected)
	require.ErrorContains(t, err, "Weir runs without credentials for Google")
}

func TestNewRejects(t *testing.T) {
	good := keyOf(t, "https://tokens.test")
	for name, c := range map[string]stackdriver.Config{
		"no project":        {},
		"a path":            {Project: "shop/../other"},
		"dots":              {Project: ".."},
		"no JSON":           {Project: "shop", ServiceAccountKey: "hidden"},
		"no private key":    {Project: "shop", ServiceAccountKey: `{"type":"service_account","private_key":"hidden"}`},
		"a bad private key": {Project: "shop", ServiceAccountKey: strings.Replace(good, "MII", "hidden", 1)},
		// Such a file would have Weir run a program.
		"an external account": {Project: "shop", ServiceAccountKey: `{"type":"external_account",
			"credential_source":{"executable":{"command":"hidden"}}}`},
		"an address": {Project: "shop", Site: metrics.Site{Address: "ftp://monitoring"}},
	} {
		_, err := stackdriver.New(c)
		require.ErrorIs(t, err, metrics.Rejected, name)
		require.NotContains(t, err.Error(), "hidden")
	}
	_, err := stackdriver.New(stackdriver.Config{Project: "shop", ServiceAccountKey: good})
	require.NoError(t, err)
}
