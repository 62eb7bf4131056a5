package rocket_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/alerttest"
	"weir.dev/weir/pkg/alert/rocket"
)

// Write the golden files anew with `go test ./pkg/alert/rocket -run Conformance -rewrite`.
var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestConformance has the answers that Rocket.Chat's incoming webhooks give, see
// https://docs.rocket.chat/docs/create-a-new-incoming-webhook.
func TestConformance(t *testing.T) {
	alerttest.Run(t, alerttest.Suite{
		New: func(site alert.Site) (alert.Channel, error) {
			return rocket.New(rocket.Config{Site: site, Channel: "#releases", Username: "weir"})
		},
		Accepts: alerttest.Answer(http.StatusOK, `{"success":true}`),
		Rejected: map[string]http.Handler{
			"no channel": alerttest.Answer(http.StatusBadRequest, `{"success":false,"error":"invalid-channel"}`),
			"no webhook": alerttest.Answer(http.StatusBadRequest, `{"success":false,"error":"Invalid integration id or token provided."}`),
			"all in one": alerttest.Answer(http.StatusOK, `{"success":false,"error":"invalid-channel"}`),
		},
		Refusal:  alerttest.Words(http.StatusBadRequest, `{"success":false,"error":#}`),
		Limits:   limits,
		Mentions: []string{"@all", "@here", "@U123"},
		Rewrite:  *rewrite,
	})
}

func limits(t *testing.T, body []byte) {
	var m struct {
		Text        string
		Attachments []struct {
			Text   string
			Fields []struct{ Title, Value string }
		}
	}
	require.NoError(t, json.Unmarshal(body, &m))
	require.Len(t, m.Attachments, 1)
	assert.LessOrEqual(t, alert.Size(m.Text)+alert.Size(m.Attachments[0].Text), 5000)
	assert.NotEmpty(t, m.Attachments[0].Text)
}
