package slack_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/alerttest"
	"weir.dev/weir/pkg/alert/slack"
)

// Write the golden files anew with `go test ./pkg/alert/slack -run Conformance -rewrite`.
var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestConformance has the answers of https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
func TestConformance(t *testing.T) {
	says := func(code int, words string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, words, code) })
	}
	alerttest.Run(t, alerttest.Suite{
		New: func(site alert.Site) (alert.Channel, error) {
			return slack.New(slack.Config{Site: site, Channel: "#releases", Username: "weir"})
		},
		Accepts: says(http.StatusOK, "ok"),
		Rejected: map[string]http.Handler{
			"bad payload": says(http.StatusBadRequest, "invalid_payload"),
			"no channel":  says(http.StatusNotFound, "channel_not_found"),
			"archived":    says(http.StatusGone, "channel_is_archived"),
			"prohibited":  says(http.StatusForbidden, "action_prohibited"),
		},
		Transport: map[string]http.Handler{"in trouble": says(http.StatusInternalServerError, "rollup_error")},
		Refusal:   func(words string) http.Handler { return says(http.StatusBadRequest, words) },
		Limits:    limits,
		Mentions:  mentions(),
		Rewrite:   *rewrite,
	})
}

// TestBot has the answers of https://docs.slack.dev/reference/methods/chat.postMessage.
func TestBot(t *testing.T) {
	says := func(body string) http.Handler { return alerttest.Answer(http.StatusOK, body) }
	alerttest.Run(t, alerttest.Suite{
		New: func(site alert.Site) (alert.Channel, error) {
			return slack.New(slack.Config{Site: site, Token: "xoxb-token-of-the-bot", Channel: "C024BE91L", Username: "weir"})
		},
		Folder:  "testdata/bot",
		Secrets: []string{"xoxb-token-of-the-bot"},
		Accepts: says(`{"ok":true,"channel":"C024BE91L","ts":"1503435956.000247","message":{"type":"message"}}`),
		Rejected: map[string]http.Handler{
			"bad token":    says(`{"ok":false,"error":"invalid_auth"}`),
			"no channel":   says(`{"ok":false,"error":"channel_not_found"}`),
			"not a member": says(`{"ok":false,"error":"not_in_channel"}`),
			"no right":     says(`{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"identify"}`),
			"bad blocks":   says(`{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] no"]}}`),
		},
		Transport: map[string]http.Handler{
			"in trouble":     says(`{"ok":false,"error":"internal_error"}`),
			"busy":           says(`{"ok":false,"error":"ratelimited"}`),
			"an empty page":  says(""),
			"a page to read": says("<html>Sign in</html>"),
		},
		Refusal:  alerttest.Words(http.StatusOK, `{"ok":false,"error":#}`),
		Limits:   limits,
		Mentions: mentions(),
		Rewrite:  *rewrite,
	})
}

func mentions() []string { return []string{"<!channel>", "<!here|here>", "<@U123>"} }

// limits are those of https://docs.slack.dev/reference/block-kit/blocks.
func limits(t *testing.T, body []byte) {
	type text struct{ Type, Text string }
	type block struct {
		Type             string
		Text             *text
		Fields, Elements []text
	}
	var m struct {
		Text        string
		Blocks      []block
		Attachments []struct{ Blocks []block }
	}
	require.NoError(t, json.Unmarshal(body, &m))
	assert.LessOrEqual(t, alert.Size(m.Text), 4000)
	require.Len(t, m.Attachments, 1)
	blocks := slices.Concat(m.Blocks, m.Attachments[0].Blocks)
	assert.LessOrEqual(t, len(blocks), 50)
	for _, b := range blocks {
		assert.LessOrEqual(t, len(b.Fields), 10)
		assert.LessOrEqual(t, len(b.Elements), 10)
		if b.Text != nil {
			assert.LessOrEqual(t, alert.Size(b.Text.Text), map[string]int{"header": 150, "section": 3000}[b.Type])
			assert.NotEmpty(t, b.Text.Text)
		}
		for _, f := range append(b.Fields, b.Elements...) {
			assert.LessOrEqual(t, alert.Size(f.Text), 2000)
		}
	}
}

func TestNew(t *testing.T) {
	_, err := slack.New(slack.Config{Token: "t"})
	require.EqualError(t, err, "type slack with a token needs spec.channel")
	_, err = slack.New(slack.Config{Token: "t", Channel: "c"})
	require.NoError(t, err, "a bot needs no address")
	_, err = slack.New(slack.Config{Token: "a\nb", Channel: "c"})
	require.ErrorIs(t, err, alert.Rejected)
}
