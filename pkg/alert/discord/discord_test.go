package discord_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/alerttest"
	"weir.dev/weir/pkg/alert/discord"
)

// Write the golden files anew with `go test ./pkg/alert/discord -run Conformance -rewrite`.
var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestConformance has the answers of https://discord.com/developers/docs/resources/webhook#execute-webhook and of
// https://discord.com/developers/docs/topics/rate-limits.
func TestConformance(t *testing.T) {
	alerttest.Run(t, alerttest.Suite{
		New: func(site alert.Site) (alert.Channel, error) {
			return discord.New(discord.Config{Site: site, Username: "weir"})
		},
		Accepts: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
		Rejected: map[string]http.Handler{
			"no webhook":  alerttest.Answer(http.StatusNotFound, `{"message": "Unknown Webhook", "code": 10015}`),
			"bad webhook": alerttest.Answer(http.StatusUnauthorized, `{"message": "Invalid Webhook Token", "code": 50027}`),
			"bad embed": alerttest.Answer(http.StatusBadRequest, `{"message": "Invalid Form Body", "code": 50035,
				"errors": {"embeds": {"0": {"description": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH"}]}}}}}`),
		},
		Refusal:  alerttest.Words(http.StatusBadRequest, `{"message": #, "code": 50035}`),
		Limits:   limits,
		Mentions: []string{" <@U123>", " <b>"},
		Rewrite:  *rewrite,
	})
}

// limits are those of https://discord.com/developers/docs/resources/message#embed-object-embed-limits.
func limits(t *testing.T, body []byte) {
	var m struct {
		Username string
		Embeds   []struct {
			Title, Description string
			Fields             []struct{ Name, Value string }
		}
		Mentions struct{ Parse []string } `json:"allowed_mentions"`
	}
	require.NoError(t, json.Unmarshal(body, &m))
	require.Len(t, m.Embeds, 1)
	assert.NotNil(t, m.Mentions.Parse)
	assert.Empty(t, m.Mentions.Parse, "nobody may be mentioned")
	assert.LessOrEqual(t, alert.Size(m.Username), 80)
	e := m.Embeds[0]
	assert.LessOrEqual(t, alert.Size(e.Title), 256)
	assert.LessOrEqual(t, alert.Size(e.Description), 4096)
	assert.LessOrEqual(t, len(e.Fields), 25)
	total := alert.Size(e.Title) + alert.Size(e.Description)
	for _, f := range e.Fields {
		assert.LessOrEqual(t, alert.Size(f.Name), 256)
		assert.LessOrEqual(t, alert.Size(f.Value), 1024)
		assert.NotEmpty(t, f.Value)
		total += alert.Size(f.Name) + alert.Size(f.Value)
	}
	assert.LessOrEqual(t, total, 6000)
}

// TestRetryAfter: Discord says it in the body, too, and to the millisecond.
func TestRetryAfter(t *testing.T) {
	err := send(t, alerttest.Answer(http.StatusTooManyRequests,
		`{"message": "You are being rate limited.", "retry_after": 64.57, "global": false}`), "/a")
	require.ErrorIs(t, err, alert.Transport)
	require.Contains(t, err.Error(), "has had too many messages (HTTP 429): You are being rate limited.")
	var typed *alert.Error
	require.ErrorAs(t, err, &typed)
	require.InDelta(t, 64570*time.Millisecond, typed.RetryAfter, float64(time.Millisecond))
}

// TestFlaggersAddress: Flagger has Discord read what is meant for Slack.
func TestFlaggersAddress(t *testing.T) {
	require.NoError(t, send(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/api/webhooks/1/a", r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	}), "/api/webhooks/1/a/slack"))
}

func send(t *testing.T, h http.Handler, path string) error {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := discord.New(discord.Config{Site: alert.Site{Address: server.URL + path}})
	require.NoError(t, err)
	return c.Send(t.Context(), alert.Message{ID: "1", Text: "a"})
}
