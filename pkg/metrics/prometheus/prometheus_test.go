package prometheus_test

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/metricstest"
	"weir.dev/weir/pkg/metrics/prometheus"
)

// answer is a recorded answer of a Prometheus.
func answer(data string) metricstest.Exchange {
	return metricstest.Exchange{
		Expr:   "anything",
		Server: metricstest.Answer(http.StatusOK, `{"status":"success","data":`+data+`}`),
	}
}

func refusal(status int, kind, words string) http.Handler {
	body, err := json.Marshal(map[string]string{"status": "error", "errorType": kind, "error": words})
	if err != nil {
		panic(err)
	}
	return metricstest.Answer(status, string(body))
}

func recordings() metricstest.Suite {
	refused := func(status int, kind, words string) metricstest.Exchange {
		return metricstest.Exchange{Expr: "anything", Server: refusal(status, kind, words)}
	}
	return metricstest.Suite{
		Value: answer(`{"resultType":"vector","result":[{"metric":{"pod":"a"},"value":[1700000000,"42"]}]}`),
		Several: answer(`{"resultType":"vector","result":[
			{"metric":{"pod":"a"},"value":[1700000000.5,"1"]},{"metric":{"pod":"b"},"value":[1700000000.5,"2"]}]}`),
		NoData: map[string]metricstest.Exchange{
			"no series":    answer(`{"resultType":"vector","result":[]}`),
			"NaN":          answer(`{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"NaN"]}]}`),
			"infinity":     answer(`{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"-Inf"]}]}`),
			"a NaN scalar": answer(`{"resultType":"scalar","result":[1700000000,"NaN"]}`),
			"two that are not finite": answer(`{"resultType":"vector","result":[
				{"metric":{"pod":"a"},"value":[1700000000,"NaN"]},{"metric":{"pod":"b"},"value":[1700000000,"+Inf"]}]}`),
		},
		Rejected: map[string]metricstest.Exchange{
			"bad query":    refused(http.StatusBadRequest, "bad_data", "1:4: parse error: unexpected end of input"),
			"cannot match": refused(http.StatusUnprocessableEntity, "execution", "many-to-many matching not allowed"),
			"no JSON":      {Expr: "anything", Server: metricstest.Answer(http.StatusBadRequest, "<html>Bad Request</html>")},
			"a matrix":     answer(`{"resultType":"matrix","result":[{"metric":{},"values":[[1700000000,"1"]]}]}`),
			"a histogram": answer(`{"resultType":"vector","result":[{"metric":{},"histogram":
				[1700000000,{"count":"2","sum":"3","buckets":[[1,"0","2","2"]]}]}]}`),
			"not an API": {Expr: "anything", Server: http.NotFoundHandler()},
			"a redirect": {Expr: "anything", Server: http.RedirectHandler("/login", http.StatusFound)},
		},
		Refusal: func(words string) http.Handler { return refusal(http.StatusBadRequest, "bad_data", words) },
	}
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		config  prometheus.Config
		secrets []string
	}{
		"token": {
			prometheus.Config{Site: metrics.Site{Headers: map[string]string{"X-Key": "secret-key"}}, Token: "secret-token"},
			[]string{"secret-token", "secret-key"},
		},
		"username and password": {
			prometheus.Config{Username: "reader", Password: "secret-password"},
			[]string{"secret-password", "cmVhZGVyOnNlY3JldC1wYXNzd29yZA=="},
		},
		"credentials in the URL": {
			prometheus.Config{Site: metrics.Site{Headers: map[string]string{"X-Key": "secret-key"}}}, []string{"secret-key"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := recordings()
			s.Secrets = c.secrets
			s.New = func(address string) (metrics.Provider, error) {
				config := c.config
				config.Address = address
				return prometheus.New(config)
			}
			metricstest.Run(t, s)
		})
	}
}

func TestAnswersThatAreNoPrometheus(t *testing.T) {
	for name, body := range map[string]string{
		"no data":              `{"status":"success"}`,
		"null":                 `{"status":"success","data":null}`,
		"another object":       `{}`,
		"a type of its own":    `{"status":"success","data":{"resultType":"streams","result":[]}}`,
		"an error of another":  `{"status":"error","errorType":"internal","error":"disk is full"}`,
		"a value not a number": `{"status":"success","data":{"resultType":"scalar","result":[1700000000,"x"]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(metricstest.Answer(http.StatusOK, body))
			defer server.Close()
			p, err := prometheus.New(prometheus.Config{Site: metrics.Site{Address: server.URL}})
			require.NoError(t, err)
			_, err = p.Query(t.Context(), metrics.Query{Expr: "up"})
			require.ErrorIs(t, err, metrics.Transport)
		})
	}
}

// TestRequest sees what a server is sent.
func TestRequest(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for name, c := range map[string]struct {
		config  func(address string) prometheus.Config
		headers map[string]string
	}{
		"nothing": {func(a string) prometheus.Config {
			return prometheus.Config{Site: metrics.Site{Address: a}}
		}, map[string]string{"Authorization": ""}},
		"token before password": {func(a string) prometheus.Config {
			return prometheus.Config{Site: metrics.Site{Address: a}, Username: "u", Password: "p", Token: "t"}
		}, map[string]string{"Authorization": "Bearer t"}},
		"username and password": {func(a string) prometheus.Config {
			return prometheus.Config{Site: metrics.Site{Address: a}, Username: "u", Password: "p"}
		}, map[string]string{"Authorization": "Basic dTpw"}},
		"in the address": {func(a string) prometheus.Config {
			u, _ := url.Parse(a)
			u.User = url.UserPassword("u", "p")
			return prometheus.Config{Site: metrics.Site{Address: u.String()}}
		}, map[string]string{"Authorization": "Basic dTpw"}},
		"headers": {func(a string) prometheus.Config {
			return prometheus.Config{Site: metrics.Site{Address: a, Headers: map[string]string{"x-scope-orgid": "team"}}}
		}, map[string]string{"X-Scope-Orgid": "team"}},
	} {
		t.Run(name, func(t *testing.T) {
			value := answer(`{"resultType":"scalar","result":[1700000000,"42"]}`).Server
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "/prom/api/v1/query", r.URL.Path)
				assert.Equal(t, "sum(up)", r.FormValue("query"))
				assert.Equal(t, "1700000000", r.FormValue("time"))
				for k, v := range c.headers {
					assert.Equal(t, v, r.Header.Get(k), k)
				}
				value.ServeHTTP(w, r)
			}))
			defer server.Close()
			p, err := prometheus.New(c.config(server.URL + "/prom/"))
			require.NoError(t, err)
			samples, err := p.Query(t.Context(), metrics.Query{Expr: "sum(up)", At: at})
			require.NoError(t, err)
			require.Equal(t, []metrics.Sample{{Value: 42}}, samples)
		})
	}
}

// TestGetWhereOnlyThatIsAllowed: proxies that let nothing but reading through refuse a POST.
func TestGetWhereOnlyThatIsAllowed(t *testing.T) {
	value := answer(`{"resultType":"scalar","result":[1700000000,"42"]}`).Server
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		assert.Equal(t, "Bearer t", r.Header.Get("Authorization"))
		value.ServeHTTP(w, r)
	}))
	defer server.Close()
	p, err := prometheus.New(prometheus.Config{Site: metrics.Site{Address: server.URL}, Token: "t"})
	require.NoError(t, err)
	samples, err := p.Query(t.Context(), metrics.Query{Expr: "up"})
	require.NoError(t, err)
	require.Len(t, samples, 1)
}

// TestCutOffWhileAsking: the same trouble is told in the same words, without ports that differ each time.
func TestCutOffWhileAsking(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if assert.NoError(t, err) {
			conn.Close()
		}
	}))
	defer server.Close()
	p, err := prometheus.New(prometheus.Config{Site: metrics.Site{Address: server.URL}})
	require.NoError(t, err)
	long := strings.Repeat("up + ", 4<<20) // more than a connection takes before somebody reads
	_, err = p.Query(t.Context(), metrics.Query{Expr: long + "up"})
	require.ErrorIs(t, err, metrics.Transport)
	require.ErrorContains(t, err, "cannot be reached")
	require.NotContains(t, err.Error(), "->")
}

func TestCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(answer(`{"resultType":"scalar","result":[1700000000,"42"]}`).Server)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the client that hangs up
	server.StartTLS()
	defer server.Close()

	wary, err := prometheus.New(prometheus.Config{Site: metrics.Site{Address: server.URL}, Token: "secret-token"})
	require.NoError(t, err)
	_, err = wary.Query(t.Context(), metrics.Query{Expr: "up"})
	require.ErrorIs(t, err, metrics.Rejected)
	require.ErrorContains(t, err, "is not trusted")
	require.NotContains(t, err.Error(), "secret-token")

	trusting, err := prometheus.New(prometheus.Config{Site: metrics.Site{Address: server.URL, InsecureSkipVerify: true}})
	require.NoError(t, err)
	_, err = trusting.Query(t.Context(), metrics.Query{Expr: "up"})
	require.NoError(t, err)
}

func TestNewRejects(t *testing.T) {
	for name, c := range map[string]prometheus.Config{
		"no address":     {},
		"no scheme":      {Site: metrics.Site{Address: "prometheus:9090"}},
		"another scheme": {Site: metrics.Site{Address: "ftp://prometheus"}},
		"no host":        {Site: metrics.Site{Address: "http:///api"}},
		"not a URL":      {Site: metrics.Site{Address: "http://reader:secret-password@prometheus:port"}},
		"a bad header":   {Site: metrics.Site{Address: "http://prometheus", Headers: map[string]string{"X-Key": "secret-password\n"}}},
		"a bad name":     {Site: metrics.Site{Address: "http://prometheus", Headers: map[string]string{"X Key": "v"}}},
		"a bad token":    {Site: metrics.Site{Address: "http://prometheus"}, Token: "secret-password\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := prometheus.New(c)
			require.ErrorIs(t, err, metrics.Rejected)
			require.NotContains(t, err.Error(), "secret-password")
		})
	}
}
