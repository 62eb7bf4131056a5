package influxdb_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/influxdb"
	"weir.dev/weir/pkg/metrics/metricstest"
)

// heads as in https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/.
const (
	doubles = `#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string
#group,false,false,true,true,false,false,true,true
#default,mean,,,,,,,
,result,table,_start,_stop,_time,_value,_field,host
`
	span    = "2022-12-31T05:41:24Z,2023-01-31T05:41:24.001Z,2023-01-01T00:52:00Z"
	failure = "#datatype,string,string\n#group,true,true\n#default,,\n,error,reference\n"
)

// annotated is an answer. InfluxDB ends lines with CR LF, and an answer with an empty line.
func annotated(csv string) metricstest.Exchange {
	body := strings.ReplaceAll(csv+"\n", "\n", "\r\n")
	return metricstest.Exchange{Expr: `from(bucket: "b")`, Server: metricstest.Answer(http.StatusOK, body)}
}

func refusal(status int, code, words string) http.Handler {
	body, err := json.Marshal(map[string]string{"code": code, "message": words})
	if err != nil {
		panic(err)
	}
	return metricstest.Answer(status, string(body))
}

func TestConformance(t *testing.T) {
	refused := func(status int, code, words string) metricstest.Exchange {
		return metricstest.Exchange{Expr: "from(", Server: refusal(status, code, words)}
	}
	metricstest.Run(t, metricstest.Suite{
		New: func(address string) (metrics.Provider, error) {
			return influxdb.New(influxdb.Config{Site: metrics.Site{Address: address}, Organization: "org", Token: "secret-token"})
		},
		Secrets: []string{"secret-token"},
		Value:   annotated(doubles + ",,0," + span + ",15.43,mem,A\n,,0," + span + ",42,mem,A\n"),
		Several: annotated(doubles + ",,0," + span + ",1,mem,A\n,,1," + span + ",3,mem,B\n,,1," + span + ",2,mem,B\n"),
		NoData: map[string]metricstest.Exchange{
			"an empty result": annotated(""),
			"no rows":         annotated(doubles),
			"null":            annotated(doubles + ",,0," + span + ",,mem,A\n"),
			"NaN":             annotated(doubles + ",,0," + span + ",NaN,mem,A\n"),
			"infinity":        annotated(doubles + ",,0," + span + ",+Inf,mem,A\n"),
		},
		Rejected: map[string]metricstest.Exchange{
			"bad query":        refused(http.StatusBadRequest, "invalid", "compilation failed: error at @1:1-1:6"),
			"no bucket":        refused(http.StatusNotFound, "not found", `could not find bucket "b"`),
			"not an API":       {Expr: "from(", Server: http.NotFoundHandler()},
			"fails on the way": annotated(doubles + ",,0," + span + ",42,mem,A\n\n" + failure + ",division by zero,897\n"),
			"a string":         annotated(strings.Replace(doubles, "double", "string", 1) + ",,0," + span + ",up,mem,A\n"),
			"no column _value": annotated(strings.Replace(doubles, "_value", "_valor", 1) + ",,0," + span + ",42,mem,A\n"),
			"a boolean":        annotated(strings.Replace(doubles, "double", "boolean", 1) + ",,0," + span + ",true,mem,A\n"),
		},
		Refusal: func(words string) http.Handler { return refusal(http.StatusBadRequest, "invalid", words) },
	})
}

// TestErrorOnTheWay: InfluxDB has said 200 already when a query fails at its rows.
func TestErrorOnTheWay(t *testing.T) {
	err := failing(t, annotated(failure+",runtime error @1:1: division by zero,897\n").Server)
	require.ErrorIs(t, err, metrics.Rejected)
	require.ErrorContains(t, err, "division by zero")
}

func TestAnswersThatAreNoInfluxDB(t *testing.T) {
	for name, csv := range map[string]string{
		"not annotated":      ",result,table,_value\n,,0,42\n",
		"no default":         "#datatype,string,long,double\n#group,false,false,false\n,result,table,_value\n,,0,42\n",
		"short of a column":  doubles + ",,0," + span + ",42,mem\n",
		"a number is a word": doubles + ",,0," + span + ",many,mem,A\n",
		"an open quote":      doubles + ",,0," + span + ",42,\"mem,A\n",
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, failing(t, annotated(csv).Server), metrics.Transport)
		})
	}
}

func failing(t *testing.T, handler http.Handler) error {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	p, err := influxdb.New(influxdb.Config{Site: metrics.Site{Address: server.URL}, Token: "t"})
	require.NoError(t, err)
	_, err = p.Query(t.Context(), metrics.Query{Expr: "q"})
	return err
}

// TestTables has tables of other columns, and other numbers, behind each other.
func TestTables(t *testing.T) {
	longs := strings.Replace(doubles, "double", "long", 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, "/api/v2/query", r.URL.Path)
		assert.Equal(t, "my org", r.URL.Query().Get("org"))
		assert.Equal(t, "Token t", r.Header.Get("Authorization"))
		assert.Equal(t, "application/csv", r.Header.Get("Accept"))
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.JSONEq(t, `{"query":"from(bucket: \"b\")","type":"flux",
			"dialect":{"annotations":["datatype","group","default"],"header":true}}`, string(body))
		annotated(doubles+",,0,"+span+",1.5,mem,A\n,,0,"+span+",,mem,A\n\n"+longs+",sum,1,"+span+",7,mem,B\n").Server.ServeHTTP(w, r)
	}))
	defer server.Close()
	p, err := influxdb.New(influxdb.Config{Site: metrics.Site{Address: server.URL}, Organization: "my org", Token: "t"})
	require.NoError(t, err)
	samples, err := p.Query(t.Context(), metrics.Query{Expr: `from(bucket: "b")`})
	require.NoError(t, err)
	require.Equal(t, []metrics.Sample{
		{Series: "_field=mem,host=A", Value: 1.5}, {Series: "_field=mem,host=B", Value: 7},
	}, samples)
}
