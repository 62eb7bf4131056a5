package stories

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// hook is the part of the chat's address that nobody may read.
const hook = "/services/T0STORY/B0STORY/known-to-nobody-else"

// chat takes messages as an incoming webhook of Slack's does; see
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
type chat struct {
	*httptest.Server
	mu sync.Mutex
	// titles are the headlines, and texts what notifications say, in the order in which they came.
	titles, texts []string
	// refused is what was no message.
	refused []string
}

// chat begins to take messages.
func (s *story) chat() *chat {
	s.t.Helper()
	c := &chat{}
	server := &http.Server{Handler: http.HandlerFunc(c.answer), ReadHeaderTimeout: patience}
	c.Server = &httptest.Server{Listener: s.listens(), Config: server}
	c.Start()
	s.t.Cleanup(c.Close)
	return c
}

func (c *chat) answer(w http.ResponseWriter, r *http.Request) {
	var message struct {
		Text   string
		Blocks []struct {
			Type string
			Text struct{ Text string }
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	c.mu.Lock()
	defer c.mu.Unlock()
	refuse := func(code int, word string) {
		c.refused = append(c.refused, word+": "+string(body))
		http.Error(w, word, code)
	}
	switch {
	case r.Method != http.MethodPost || r.URL.Path != hook:
		refuse(http.StatusNotFound, "no_service")
	case err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") || json.Unmarshal(body, &message) != nil:
		refuse(http.StatusBadRequest, "invalid_payload")
	case message.Text == "" || len(message.Blocks) == 0 || message.Blocks[0].Type != "header":
		refuse(http.StatusBadRequest, "no_text")
	default:
		c.titles = append(c.titles, message.Blocks[0].Text.Text)
		c.texts = append(c.texts, message.Text)
		_, _ = io.WriteString(w, "ok")
	}
}

// told are the headlines until now.
func (c *chat) told() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.titles)
}

// hears waits until a number of messages has come, and a little longer, and gives their headlines and texts.
func (s *story) hears(c *chat, n int) (titles, texts []string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return len(c.told()) >= n }, patience, 100*time.Millisecond)
	settled()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Empty(s.t, c.refused)
	return slices.Clone(c.titles), slices.Clone(c.texts)
}
