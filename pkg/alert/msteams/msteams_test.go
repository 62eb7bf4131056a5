package msteams_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/alerttest"
	"weir.dev/weir/pkg/alert/msteams"
)

// Write the golden files anew with `go test ./pkg/alert/msteams -run Conformance -rewrite`.
var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestConformance has the answers of a workflow's webhook, and of the connectors before, as in
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using.
func TestConformance(t *testing.T) {
	alerttest.Run(t, alerttest.Suite{
		New:     func(site alert.Site) (alert.Channel, error) { return msteams.New(site) },
		Accepts: alerttest.Answer(http.StatusAccepted, ""),
		Rejected: map[string]http.Handler{
			"bad signature": alerttest.Answer(http.StatusUnauthorized, `{"error":{"code":"DirectApiAuthorizationRequired"}}`),
		},
		Transport: map[string]http.Handler{
			"Teams is busy": alerttest.Answer(http.StatusOK, "Webhook message delivery failed with error: "+
				"Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=1"),
		},
		Refusal: alerttest.Words(http.StatusBadRequest, `{"error":{"code":"InvalidRequest","message":#}}`),
		Limits:  limits,
		Rewrite: *rewrite,
	})
}

func limits(t *testing.T, body []byte) {
	assert.LessOrEqual(t, len(body), 28<<10)
	assert.False(t, bytes.Contains(body, []byte(`"TextBlock"`)), "it would format")
	assert.False(t, bytes.Contains(body, []byte(`"entities":`)), "it would mention")
	var m struct {
		Attachments []struct {
			Content struct{ Body []struct{ Type string } }
		}
	}
	require.NoError(t, json.Unmarshal(body, &m))
	require.Len(t, m.Attachments, 1)
	assert.LessOrEqual(t, len(m.Attachments[0].Content.Body), 60)
}
