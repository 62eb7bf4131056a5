// Package slack tells people in Slack: by an incoming webhook, or as a bot that has a token and names the channel. A
// message is a headline, and below it what is known, with a bar in the color of its severity.
package slack

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"weir.dev/weir/pkg/alert"
)

// Address is where bots send their messages.
const Address = "https://slack.com/api/chat.postMessage"

// What Slack takes of a text, see https://docs.slack.dev/reference/block-kit/blocks.
const (
	longestHeader  = 150
	longestSection = 3000
	longestField   = 2000
	longestContext = 2000
	longestTitle   = 100
	mostLinks      = 10
)

// Config says where Slack is, and who tells what there.
type Config struct {
	alert.Site
	// Token of a bot. Without it, the address is that of an incoming webhook.
	Token string
	// Channel that is told. A bot needs one; an incoming webhook has one of its own, and newer ones keep to it.
	Channel string
	// Username that is shown, where the workspace allows it.
	Username string
}

// Channel is one channel of Slack's.
type Channel struct {
	server *alert.Server
	config Config
}

var _ alert.Channel = (*Channel)(nil)

// New makes a channel. It calls nobody yet.
func New(c Config) (*Channel, error) {
	config := alert.ServerConfig{Site: c.Site, Name: "Slack"}
	if c.Token != "" {
		if c.Address == "" {
			config.Address = Address
		}
		if c.Channel == "" {
			return nil, alert.Rejectedf("type slack with a token needs spec.channel")
		}
		config.Header = http.Header{"Authorization": {"Bearer " + c.Token}}
	}
	server, err := alert.NewServer(config)
	if err != nil {
		return nil, err
	}
	return &Channel{server, c}, nil
}

// Send tells a message.
func (c *Channel) Send(ctx context.Context, m alert.Message) error {
	answer, err := c.server.Post(ctx, alert.Request{Body: c.payload(m)})
	if err != nil || c.config.Token == "" {
		return err
	}
	var said struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	switch {
	case json.Unmarshal(answer, &said) != nil:
		return c.server.Unreadable()
	case said.OK:
		return nil
	case passing(said.Error):
		return c.server.Fails(said.Error)
	}
	return c.server.Refuses(said.Error)
}

// passing tells whether an error of the API's is about Slack, and not about what it was sent; see
// https://docs.slack.dev/reference/methods/chat.postMessage.
func passing(word string) bool {
	return slices.Contains([]string{"ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error",
		"service_unavailable", "request_timeout", "team_added_to_org"}, word)
}

type payload struct {
	Channel     string       `json:"channel,omitempty"`
	Username    string       `json:"username,omitempty"`
	Text        string       `json:"text"` // of notifications
	Blocks      []block      `json:"blocks"`
	Attachments []attachment `json:"attachments"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
}

type attachment struct {
	Color    string  `json:"color"`
	Fallback string  `json:"fallback"`
	Blocks   []block `json:"blocks"`
}

type block struct {
	Type     string `json:"type"`
	Text     *text  `json:"text,omitempty"`
	Fields   []text `json:"fields,omitempty"`
	Elements []text `json:"elements,omitempty"`
}

type text struct {
	Type string `json:"type"`
	Text string `json:"text"`
	// Verbatim keeps Slack from making links and mentions of what looks like one.
	Verbatim bool `json:"verbatim,omitempty"`
}

func (c *Channel) payload(m alert.Message) payload {
	summary := alert.Cut(m.Summary(), longestSection, spelled)
	header := block{Type: "header", Text: &text{Type: "plain_text", Text: alert.Cut(m.Title(), longestHeader, spelled)}}
	words := mrkdwn(alert.Cut(strings.Join(m.Paragraphs(), "\n"), longestSection, spelled))
	below := []block{{Type: "section", Text: &words}}
	var fields []text
	for _, f := range m.Facts() {
		name := "*" + f.Name + "*\n"
		fields = append(fields, mrkdwn(name+alert.Cut(f.Value, longestField-len(name), spelled)))
	}
	if len(fields) > 0 {
		below = append(below, block{Type: "section", Fields: fields})
	}
	if links := linked(m); links != "" {
		below = append(below, block{Type: "context", Elements: []text{mrkdwn(links)}})
	}
	return payload{
		Channel: c.config.Channel, Username: c.config.Username, Text: summary, Blocks: []block{header},
		Attachments: []attachment{{Color: m.Color(), Fallback: summary, Blocks: below}},
	}
}

func mrkdwn(words string) text { return text{Type: "mrkdwn", Text: words, Verbatim: true} }

// linked are the links in one line, as many as fit. Buttons would ask for an app that answers when one is pressed.
func linked(m alert.Message) string {
	line := ""
	for _, l := range m.Pages(mostLinks) {
		title := alert.Cut(strings.ReplaceAll(l.Title, "|", " "), longestTitle, spelled)
		one := "<" + strings.ReplaceAll(l.URL, "&", "&amp;") + "|" + title + ">"
		if line != "" {
			one = " · " + one
		}
		if alert.Size(line+one) <= longestContext {
			line += one
		}
	}
	return line
}

// spelled is how Slack wants the characters by which it knows links and mentions.
func spelled(before, r rune) string {
	if r == '"' {
		return string(r)
	}
	return alert.InHTML(before, r)
}
