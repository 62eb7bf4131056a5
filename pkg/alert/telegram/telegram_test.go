package telegram_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/alerttest"
	"weir.dev/weir/pkg/alert/telegram"
)

// Write the golden files anew with `go test ./pkg/alert/telegram -run Conformance -rewrite`.
var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestConformance has the answers of https://core.telegram.org/bots/api#making-requests.
func TestConformance(t *testing.T) {
	alerttest.Run(t, alerttest.Suite{
		New: func(site alert.Site) (alert.Channel, error) {
			return telegram.New(telegram.Config{Site: site, Token: "123456:token-of-the-bot", Chat: "-1001234"})
		},
		Secrets: []string{"123456:token-of-the-bot", "token-of-the-bot"},
		Accepts: alerttest.Answer(http.StatusOK, `{"ok":true,"result":{"message_id":7,"date":1795466185}}`),
		Rejected: map[string]http.Handler{
			"no chat": alerttest.Answer(http.StatusBadRequest,
				`{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`),
			"kicked": alerttest.Answer(http.StatusForbidden, `{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked"}`),
			"not ok": alerttest.Answer(http.StatusOK, `{"ok":false,"description":"no"}`),
		},
		Transport: map[string]http.Handler{"an empty page": alerttest.Answer(http.StatusOK, "")},
		Refusal:   alerttest.Words(http.StatusBadRequest, `{"ok":false,"error_code":400,"description":#}`),
		Limits:    limits,
		Mentions:  []string{"@everyone", "@all", "<b>bold</b>"},
		Rewrite:   *rewrite,
	})
}

// limits reads the text as Telegram does: the tags are not counted, and must fit together.
func limits(t *testing.T, body []byte) {
	var m struct {
		Text  string
		Chat  string `json:"chat_id"`
		Parse string `json:"parse_mode"`
	}
	require.NoError(t, json.Unmarshal(body, &m))
	assert.Equal(t, "HTML", m.Parse)
	assert.Equal(t, "-1001234", m.Chat)
	text, open := strings.Builder{}, []string{}
	tokens := html.NewTokenizer(strings.NewReader(m.Text))
	for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
		token := tokens.Token()
		switch kind {
		case html.TextToken:
			text.WriteString(token.Data)
		case html.StartTagToken:
			assert.Contains(t, []string{"b", "a"}, token.Data)
			open = append(open, token.Data)
		case html.EndTagToken:
			require.NotEmpty(t, open)
			assert.Equal(t, open[len(open)-1], token.Data)
			open = open[:len(open)-1]
		}
	}
	assert.Empty(t, open)
	assert.LessOrEqual(t, alert.Size(text.String()), 4096)
	assert.NotEmpty(t, text.String())
}

// TestRetryAfter: Telegram says it in the body.
func TestRetryAfter(t *testing.T) {
	server := httptest.NewServer(alerttest.Answer(http.StatusTooManyRequests,
		`{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 35","parameters":{"retry_after":35}}`))
	defer server.Close()
	c, err := telegram.New(telegram.Config{Site: alert.Site{Address: server.URL}, Token: "t", Chat: "1"})
	require.NoError(t, err)
	err = c.Send(t.Context(), alert.Message{ID: "1", Text: "a"})
	var typed *alert.Error
	require.ErrorAs(t, err, &typed)
	require.Equal(t, alert.Transport, typed.Kind)
	require.Equal(t, 35*time.Second, typed.RetryAfter)
}

func TestNew(t *testing.T) {
	_, err := telegram.New(telegram.Config{Token: "t"})
	require.EqualError(t, err, "type telegram needs spec.channel, the id of the chat or its @name")
	_, err = telegram.New(telegram.Config{Token: "t", Chat: "@releases"})
	require.NoError(t, err, "it needs no address")
}
