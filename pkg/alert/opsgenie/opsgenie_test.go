package opsgenie_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/alerttest"
	"weir.dev/weir/pkg/alert/opsgenie"
)

// Write the golden files anew with `go test ./pkg/alert/opsgenie -run Conformance -rewrite`.
var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestConformance has the answers of https://docs.opsgenie.com/docs/alert-api and of
// https://docs.opsgenie.com/docs/response.
func TestConformance(t *testing.T) {
	alerttest.Run(t, alerttest.Suite{
		New: func(site alert.Site) (alert.Channel, error) {
			return opsgenie.New(opsgenie.Config{Site: site, Token: "key-of-the-integration"})
		},
		Secrets: []string{"key-of-the-integration"},
		Accepts: alerttest.Answer(http.StatusAccepted, `{"result":"Request will be processed","took":0.3,"requestId":"43a2"}`),
		Rejected: map[string]http.Handler{
			"bad alert": alerttest.Answer(http.StatusUnprocessableEntity,
				`{"message":"Request body is not processable","errors":{"message":"can not be empty"},"took":0.1,"requestId":"43a2"}`),
		},
		Refusal: alerttest.Words(http.StatusUnprocessableEntity, `{"message":#,"took":0.1,"requestId":"43a2"}`),
		Limits:  limits,
		Rewrite: *rewrite,
	})
}

func limits(t *testing.T, body []byte) {
	var a struct {
		Message, Alias, Description, Entity, Source, Note string
		Details                                           map[string]string
		Tags                                              []string
	}
	require.NoError(t, json.Unmarshal(body, &a))
	assert.LessOrEqual(t, alert.Size(a.Message), 130)
	assert.LessOrEqual(t, alert.Size(a.Alias), 512)
	assert.LessOrEqual(t, alert.Size(a.Description), 15000)
	assert.LessOrEqual(t, alert.Size(a.Entity), 512)
	assert.LessOrEqual(t, alert.Size(a.Source), 100)
	assert.LessOrEqual(t, alert.Size(a.Note), 25000)
	total := 0
	for name, value := range a.Details {
		total += alert.Size(name) + alert.Size(value)
	}
	assert.LessOrEqual(t, total, 8000)
	for _, tag := range a.Tags {
		assert.LessOrEqual(t, alert.Size(tag), 50)
	}
}
