// Package telegram tells people in Telegram, as a bot. A message is a text in the HTML that Telegram has.
package telegram

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Address is that of Telegram's own servers; a server of one's own has another.
const Address = "https://api.telegram.org"

const (
	// longest is what a message may have, see https://core.telegram.org/bots/api#sendmessage.
	longest = 4096
	// What is told of each, so that the sentences have room.
	longestTitle, longestFact = 200, 120
	longestLink, mostLinks    = 40, 5
)

// Config says where Telegram is, and who tells whom there.
type Config struct {
	alert.Site
	// Token of the bot.
	Token string
	// Chat is the id of a chat, or the @name of a public channel.
	Chat string
}

// Channel is one chat.
type Channel struct {
	server *alert.Server
	path   string // has the token in it
	chat   string
}

var _ alert.Channel = (*Channel)(nil)

// New makes a channel. It calls nobody yet.
func New(c Config) (*Channel, error) {
	if c.Address == "" {
		c.Address = Address
	}
	if c.Chat == "" {
		return nil, alert.Rejectedf("type telegram needs spec.channel, the id of the chat or its @name")
	}
	server, err := alert.NewServer(alert.ServerConfig{
		Site: c.Site, Name: "Telegram", Secrets: []string{c.Token, "bot" + c.Token}, Words: words,
	})
	if err != nil {
		return nil, err
	}
	return &Channel{server, "bot" + url.PathEscape(c.Token) + "/sendMessage", c.Chat}, nil
}

// words are those of a refusal.
func words(body []byte) (string, time.Duration) {
	var said struct {
		Description string `json:"description"`
		Parameters  struct {
			RetryAfter int `json:"retry_after"` // seconds
		} `json:"parameters"`
	}
	if json.Unmarshal(body, &said) != nil {
		return string(body), 0
	}
	return said.Description, time.Duration(said.Parameters.RetryAfter) * time.Second
}

// Send tells a message.
func (c *Channel) Send(ctx context.Context, m alert.Message) error {
	body, err := c.server.Post(ctx, alert.Request{URL: c.server.Below(c.path, nil), Body: sendMessage{
		Chat: c.chat, Text: text(m), ParseMode: "HTML", Silent: m.Severity == v1beta1.SeverityInfo,
		Preview: preview{Disabled: true},
	}})
	if err != nil {
		return err
	}
	var said struct {
		OK          bool   `json:"ok"`
		Description string `json:"description"`
	}
	switch {
	case json.Unmarshal(body, &said) != nil:
		return c.server.Unreadable()
	case !said.OK:
		return c.server.Refuses(said.Description)
	}
	return nil
}

type sendMessage struct {
	Chat      string  `json:"chat_id"`
	Text      string  `json:"text"`
	ParseMode string  `json:"parse_mode"`
	Silent    bool    `json:"disable_notification"`
	Preview   preview `json:"link_preview_options"`
}

type preview struct {
	Disabled bool `json:"is_disabled"`
}

// text has the headline and what is known in full; the sentences get the room that is left. The tags are counted as
// well, so it is a little shorter than it might be.
func text(m alert.Message) string {
	head := m.Mark() + " <b>" + alert.Cut(m.Title(), longestTitle, spelled) + "</b>\n"
	var tail strings.Builder
	for i, f := range m.Facts() {
		if i == 0 {
			tail.WriteString("\n")
		}
		tail.WriteString("\n<b>" + f.Name + ":</b> " + alert.Cut(f.Value, longestFact, spelled))
	}
	room := longest - alert.Size(head) - alert.Size(tail.String())
	for _, l := range m.Pages(mostLinks) {
		link := "\n<a href=\"" + strings.ReplaceAll(l.URL, "&", "&amp;") + "\">" + alert.Cut(l.Title, longestLink, spelled) + "</a>"
		if alert.Size(link) < room/4 {
			tail.WriteString(link)
			room -= alert.Size(link)
		}
	}
	return head + alert.Cut(strings.Join(m.Paragraphs(), "\n"), room, spelled) + tail.String()
}

// spelled is a character in HTML. An invisible space keeps names from being mentions.
func spelled(before, r rune) string {
	if alert.Mentions(before, r) {
		return "@\u200b"
	}
	return alert.InHTML(before, r)
}
