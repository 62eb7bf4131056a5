package pagerduty_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/alerttest"
	"weir.dev/weir/pkg/alert/pagerduty"
)

// Write the golden files anew with `go test ./pkg/alert/pagerduty -run Conformance -rewrite`.
var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestConformance has the answers of https://developer.pagerduty.com/docs/events-api-v2-overview.
func TestConformance(t *testing.T) {
	alerttest.Run(t, alerttest.Suite{
		New: func(site alert.Site) (alert.Channel, error) {
			return pagerduty.New(pagerduty.Config{Site: site, Token: "key-of-the-service"})
		},
		Secrets: []string{"key-of-the-service"},
		Accepts: alerttest.Answer(http.StatusAccepted, `{"status":"success","message":"Event processed","dedup_key":"a"}`),
		Rejected: map[string]http.Handler{
			"bad event": alerttest.Answer(http.StatusBadRequest,
				`{"status":"invalid event","message":"Event object is invalid","errors":["Length of 'routing_key' is incorrect"]}`),
		},
		Refusal: alerttest.Words(http.StatusBadRequest, `{"status":"invalid event","message":"Event object is invalid","errors":[#]}`),
		Limits:  limits,
		Rewrite: *rewrite,
	})
}

func limits(t *testing.T, body []byte) {
	assert.LessOrEqual(t, len(body), 512<<10)
	var e struct {
		Key     string `json:"dedup_key"`
		Payload *struct{ Summary, Source string }
	}
	require.NoError(t, json.Unmarshal(body, &e))
	assert.LessOrEqual(t, len(e.Key), 255)
	if e.Payload != nil {
		assert.LessOrEqual(t, alert.Size(e.Payload.Summary), 1024)
		assert.NotEmpty(t, e.Payload.Summary)
		assert.NotEmpty(t, e.Payload.Source)
	}
}
