package gchat_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/alerttest"
	"weir.dev/weir/pkg/alert/gchat"
)

// Write the golden files anew with `go test ./pkg/alert/gchat -run Conformance -rewrite`.
var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestConformance has the answers of https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create.
func TestConformance(t *testing.T) {
	alerttest.Run(t, alerttest.Suite{
		New:     func(site alert.Site) (alert.Channel, error) { return gchat.New(site) },
		Accepts: alerttest.Answer(http.StatusOK, `{"name":"spaces/AAAA/messages/BBBB","thread":{"name":"spaces/AAAA/threads/CCCC"}}`),
		Rejected: map[string]http.Handler{
			"bad card": alerttest.Answer(http.StatusBadRequest,
				`{"error":{"code":400,"message":"Invalid JSON payload received.","status":"INVALID_ARGUMENT"}}`),
			"no space": alerttest.Answer(http.StatusNotFound, `{"error":{"code":404,"message":"Not found","status":"NOT_FOUND"}}`),
		},
		Refusal:  alerttest.Words(http.StatusBadRequest, `{"error":{"code":400,"message":#,"status":"INVALID_ARGUMENT"}}`),
		Limits:   limits,
		Mentions: []string{"<users/all>"},
		Rewrite:  *rewrite,
	})
}

func limits(t *testing.T, body []byte) {
	assert.LessOrEqual(t, len(body), 32000)
	var m struct {
		Cards []struct {
			Card struct {
				Sections []struct{ Widgets []json.RawMessage }
			}
		} `json:"cardsV2"`
	}
	require.NoError(t, json.Unmarshal(body, &m))
	require.Len(t, m.Cards, 1)
	for _, s := range m.Cards[0].Card.Sections {
		assert.NotEmpty(t, s.Widgets)
		assert.LessOrEqual(t, len(s.Widgets), 100)
	}
}
