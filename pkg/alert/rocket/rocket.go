// Package rocket tells people in Rocket.Chat, by an incoming webhook. A message is one attachment.
package rocket

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"weir.dev/weir/pkg/alert"
)

const (
	longestTitle = 200
	// longestText is the greatest message that a server takes unless it is told otherwise (Message_MaxAllowedSize), less
	// what stands around it.
	longestText  = 4000
	longestValue = 500
	mostLinks    = 10
	// invisible is a space of no width.
	invisible = "\u200b"
)

// Config says where Rocket.Chat is, and who tells what there.
type Config struct {
	alert.Site
	// Channel that is told, as in #releases, where it is another than the webhook's own.
	Channel string
	// Username that is shown beside that of the webhook.
	Username string
}

// Channel is one webhook of Rocket.Chat's.
type Channel struct {
	server *alert.Server
	config Config
}

var _ alert.Channel = (*Channel)(nil)

// New makes a channel. It calls nobody yet.
func New(c Config) (*Channel, error) {
	server, err := alert.NewServer(alert.ServerConfig{Site: c.Site, Name: "Rocket.Chat", Words: words})
	if err != nil {
		return nil, err
	}
	return &Channel{server, c}, nil
}

// answer is what Rocket.Chat says, with any status.
type answer struct {
	Success *bool  `json:"success"`
	Error   string `json:"error"`
}

// words are those of a refusal.
func words(body []byte) (string, time.Duration) {
	var said answer
	if json.Unmarshal(body, &said) != nil || said.Error == "" {
		return string(body), 0
	}
	return said.Error, 0
}

// Send tells a message.
func (c *Channel) Send(ctx context.Context, m alert.Message) error {
	body, err := c.server.Post(ctx, alert.Request{Body: c.payload(m)})
	if err != nil {
		return err
	}
	var said answer
	if json.Unmarshal(body, &said) == nil && said.Success != nil && !*said.Success {
		return c.server.Refuses(said.Error)
	}
	return nil
}

type payload struct {
	Alias       string       `json:"alias,omitempty"`
	Channel     string       `json:"channel,omitempty"`
	Text        string       `json:"text"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Color  string  `json:"color"`
	Text   string  `json:"text"`
	TS     string  `json:"ts"`
	Fields []field `json:"fields,omitempty"`
}

type field struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"`
}

func (c *Channel) payload(m alert.Message) payload {
	a := attachment{
		Color: m.Color(), TS: m.At.UTC().Format(time.RFC3339),
		Text: alert.Cut(strings.Join(m.Paragraphs(), "\n"), longestText, spelled),
	}
	for _, f := range m.Facts() {
		a.Fields = append(a.Fields, field{f.Name, alert.Cut(f.Value, longestValue, spelled), true})
	}
	var links []string
	for _, l := range m.Pages(mostLinks) {
		links = append(links, "["+alert.Cut(l.Title, 100, inLabel)+"]("+l.URL+")")
	}
	if len(links) > 0 {
		a.Fields = append(a.Fields, field{Title: "Links", Value: strings.Join(links, " · ")})
	}
	return payload{
		Alias: c.config.Username, Channel: c.config.Channel,
		Text: alert.Cut(m.Title(), longestTitle, spelled), Attachments: []attachment{a},
	}
}

// spelled keeps Rocket.Chat from formatting what a message says, and from mentioning anybody. It takes a backslash before
// some signs alone; what the others begin is broken off by a space that nobody sees.
func spelled(before, r rune) string {
	switch {
	case strings.ContainsRune("*_~`#", r):
		return `\` + string(r)
	case r == '>':
		return invisible + string(r)
	case alert.Mentions(before, r), strings.ContainsRune("]<$", r):
		return string(r) + invisible
	}
	return string(r)
}

// inLabel is for the words of a link, of which nothing but brackets is read.
func inLabel(_, r rune) string {
	switch r {
	case '[':
		return "("
	case ']':
		return ")"
	case '@':
		return "@" + invisible
	}
	return string(r)
}
