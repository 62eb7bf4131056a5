// Package discord tells people in Discord, by the webhook of a channel. A message is one embed.
package discord

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"weir.dev/weir/pkg/alert"
)

// What Discord takes of an embed, see https://discord.com/developers/docs/resources/message#embed-object-embed-limits.
const (
	longestTitle       = 256
	longestDescription = 3000 // of 4096, so that all together has no more than 6000
	longestValue       = 200  // of 1024, for nine fields
	longestLinks       = 800
	mostLinks          = 10
)

// Config says where Discord is, and how messages look there.
type Config struct {
	alert.Site
	// Username that is shown.
	Username string
}

// Channel is one webhook of Discord's.
type Channel struct {
	server   *alert.Server
	username string
}

var _ alert.Channel = (*Channel)(nil)

// New makes a channel. It calls nobody yet. Of the address, a /slack at the end is left off, which asks Discord to read
// what Slack would be sent.
func New(c Config) (*Channel, error) {
	c.Address = strings.TrimSuffix(strings.TrimSpace(c.Address), "/slack")
	server, err := alert.NewServer(alert.ServerConfig{Site: c.Site, Name: "Discord", Words: words})
	if err != nil {
		return nil, err
	}
	return &Channel{server, c.Username}, nil
}

// words are those of a refusal.
func words(body []byte) (string, time.Duration) {
	var said struct {
		Message    string          `json:"message"`
		Errors     json.RawMessage `json:"errors"`
		RetryAfter float64         `json:"retry_after"` // seconds
	}
	if json.Unmarshal(body, &said) != nil {
		return string(body), 0
	}
	return strings.TrimSpace(said.Message + " " + string(said.Errors)), time.Duration(said.RetryAfter * float64(time.Second))
}

// Send tells a message.
func (c *Channel) Send(ctx context.Context, m alert.Message) error {
	_, err := c.server.Post(ctx, alert.Request{Body: c.payload(m)})
	return err
}

type payload struct {
	Username string   `json:"username,omitempty"`
	Embeds   []embed  `json:"embeds"`
	Mentions mentions `json:"allowed_mentions"`
}

// mentions says who may be mentioned: nobody.
type mentions struct {
	Parse []string `json:"parse"`
}

type embed struct {
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Color       int64   `json:"color"`
	Timestamp   string  `json:"timestamp"`
	Fields      []field `json:"fields,omitempty"`
}

type field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

func (c *Channel) payload(m alert.Message) payload {
	color, _ := strconv.ParseInt(strings.TrimPrefix(m.Color(), "#"), 16, 64)
	e := embed{
		Title:       alert.Cut(m.Title(), longestTitle, spelled),
		Description: alert.Cut(strings.Join(m.Paragraphs(), "\n"), longestDescription, spelled),
		Color:       color, Timestamp: m.At.UTC().Format(time.RFC3339),
	}
	for _, f := range m.Facts() {
		e.Fields = append(e.Fields, field{f.Name, alert.Cut(f.Value, longestValue, spelled), true})
	}
	if links := linked(m); links != "" {
		e.Fields = append(e.Fields, field{Name: "Links", Value: links})
	}
	return payload{Username: c.username, Embeds: []embed{e}, Mentions: mentions{Parse: []string{}}}
}

// linked are the links in one line, as many as fit.
func linked(m alert.Message) string {
	line := ""
	for _, l := range m.Pages(mostLinks) {
		one := "[" + alert.Cut(l.Title, 100, spelled) + "](" + l.URL + ")"
		if line != "" {
			one = " · " + one
		}
		if alert.Size(line+one) <= longestLinks {
			line += one
		}
	}
	return line
}

// spelled keeps Discord from formatting what a message says. Mentions are not allowed anyway.
func spelled(_, r rune) string {
	if strings.ContainsRune("\\*_~`|>#[]<", r) {
		return `\` + string(r)
	}
	return string(r)
}
