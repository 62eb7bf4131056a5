package datadog_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/datadog"
	"weir.dev/weir/pkg/metrics/metricstest"
)

// series is an answer as in https://docs.datadoghq.com/api/latest/metrics/query-timeseries-points/, with
// buckets of 20 seconds; a point is a number of seconds before the end of what is asked about, and its value.
func series(lists ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, err := strconv.ParseInt(r.FormValue("to"), 10, 64)
		if err != nil {
			http.Error(w, `{"errors":["to is missing"]}`, http.StatusBadRequest)
			return
		}
		var all []string
		for i, list := range lists {
			var points []string
			for point := range strings.SplitSeq(list, " ") {
				before, value, _ := strings.Cut(point, "=")
				ago, _ := strconv.ParseInt(before, 10, 64)
				points = append(points, fmt.Sprintf("[%d.0,%s]", (to-ago)*1000, value))
			}
			all = append(all, fmt.Sprintf(`{"unit":null,"pointlist":[%s],"end":%d,"interval":20,"length":%d,"tag_set":[],
				"start":%d,"metric":"requests","display_name":"requests","aggr":"sum","scope":"pod:%d",
				"expression":"sum:requests{pod:%d}","query_index":0}`,
				strings.Join(points, ","), to*1000, len(points), to*1000, i, i))
		}
		metricstest.Answer(http.StatusOK, fmt.Sprintf(`{"status":"ok","res_type":"time_series","resp_version":1,"query":"q",
			"from_date":1,"to_date":2,"series":[%s],"values":[],"times":[],"message":"","group_by":["pod"]}`,
			strings.Join(all, ","))).ServeHTTP(w, r)
	})
}

func exchange(server http.Handler) metricstest.Exchange {
	return metricstest.Exchange{Expr: "sum:requests{*}", Server: server}
}

func refusal(status int, words string) http.Handler {
	body, err := json.Marshal(map[string]any{"errors": []string{words}})
	if err != nil {
		panic(err)
	}
	return metricstest.Answer(status, string(body))
}

func TestConformance(t *testing.T) {
	metricstest.Run(t, metricstest.Suite{
		New: func(address string) (metrics.Provider, error) {
			return datadog.New(datadog.Config{
				Site: metrics.Site{Address: address}, APIKey: "secret-api-key", ApplicationKey: "secret-application-key",
			})
		},
		Secrets: []string{"secret-api-key", "secret-application-key"},
		Value:   exchange(series("60=7 40=42 10=3")),
		Several: exchange(series("40=1", "40=2")),
		NoData: map[string]metricstest.Exchange{
			"no series":       exchange(series()),
			"no point":        exchange(metricstest.Answer(http.StatusOK, `{"status":"ok","series":[{"interval":20,"pointlist":[]}]}`)),
			"null":            exchange(series("60=null 40=null")),
			"an unfinished":   exchange(series("10=42")),
			"an old":          exchange(series("300=42")),
			"a strange point": exchange(metricstest.Answer(http.StatusOK, `{"status":"ok","series":[{"pointlist":[[1]]}]}`)),
		},
		Rejected: map[string]metricstest.Exchange{
			"bad query": exchange(refusal(http.StatusBadRequest, "Error parsing query")),
			"bad query with 200": exchange(metricstest.Answer(http.StatusOK,
				`{"status":"error","error":"Error parsing query","series":[]}`)),
			"not an API": exchange(http.NotFoundHandler()),
		},
		Refusal: func(words string) http.Handler { return refusal(http.StatusBadRequest, words) },
	})
}

// TestNeverTheUnfinishedBucket puts the question within, at the end of and after a bucket.
func TestNeverTheUnfinishedBucket(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for _, c := range []struct {
		points string
		window time.Duration
		want   float64
	}{
		{"40=1 21=2 1=3", time.Minute, 2},
		{"40=1 20=2 0=3", time.Minute, 2}, // full to the second
		{"40=1 19=2", time.Minute, 1},
		{"60=1 40=2 20=null 0=3", time.Minute, 2},
		{"100=1 80=2", 2 * time.Minute, 2},
		{"40=1", 10 * time.Second, 0}, // older than window and bucket
		{"30=1", 10 * time.Second, 1}, // the last bucket there can be
	} {
		server := httptest.NewServer(series(c.points))
		p, err := datadog.New(datadog.Config{Site: metrics.Site{Address: server.URL}})
		require.NoError(t, err)
		samples, err := p.Query(t.Context(), metrics.Query{Expr: "q", Window: c.window, At: at})
		server.Close()
		if c.want == 0 {
			require.ErrorIs(t, err, metrics.NoData, "%+v", c)
			continue
		}
		require.NoError(t, err, "%+v", c)
		require.Equal(t, []metrics.Sample{{Series: "sum:requests{pod:0}", Value: c.want}}, samples, "%+v", c)
	}
}

func TestRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodGet, r.Method)
		assert.Equal(t, "/api/v1/query", r.URL.Path)
		assert.Equal(t, "sum:requests{*}", r.FormValue("query"))
		assert.Equal(t, "1700000000", r.FormValue("to"))
		assert.Equal(t, "1699999400", r.FormValue("from"))
		assert.Equal(t, "a", r.Header.Get("DD-API-KEY"))
		assert.Equal(t, "b", r.Header.Get("DD-APPLICATION-KEY"))
		series("20=42").ServeHTTP(w, r)
	}))
	defer server.Close()
	p, err := datadog.New(datadog.Config{Site: metrics.Site{Address: server.URL}, APIKey: "a", ApplicationKey: "b"})
	require.NoError(t, err)
	_, err = p.Query(t.Context(), metrics.Query{Expr: "sum:requests{*}\n", Window: time.Minute, At: time.Unix(1700000000, 0)})
	require.NoError(t, err)
}

func TestNewNeedsNoAddress(t *testing.T) {
	_, err := datadog.New(datadog.Config{APIKey: "a", ApplicationKey: "b"})
	require.NoError(t, err)
	_, err = datadog.New(datadog.Config{APIKey: "a\nb", ApplicationKey: "b"})
	require.ErrorIs(t, err, metrics.Rejected)
}
