// Package msteams tells people in Microsoft Teams, by a workflow that posts what a webhook receives. A message is an
// Adaptive Card. All of it is text runs, of which Teams formats nothing and mentions nobody.
package msteams

import (
	"context"
	"strings"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

const (
	// longest is what a workflow posts, in bytes; see https://learn.microsoft.com/connectors/teams/.
	longest = 28 << 10
	// mostLines is how many lines of sentences a card has, and longestFact how long a fact may be.
	mostLines, longestFact = 40, 500
	mostLinks              = 6
	longestTitle           = 150
)

// Channel is one workflow.
type Channel struct{ server *alert.Server }

var _ alert.Channel = (*Channel)(nil)

// New makes a channel. It calls nobody yet.
func New(site alert.Site) (*Channel, error) {
	server, err := alert.NewServer(alert.ServerConfig{Site: site, Name: "Teams"})
	if err != nil {
		return nil, err
	}
	return &Channel{server}, nil
}

// Send tells a message.
func (c *Channel) Send(ctx context.Context, m alert.Message) error {
	body, err := alert.Fit(longest, func(sentence int) any { return payload(m, sentence) })
	if err != nil {
		return alert.Rejectedf("the message cannot be written for Teams")
	}
	answer, err := c.server.Post(ctx, alert.Request{Body: body})
	if err != nil {
		return err
	}
	// The connectors that workflows replace have said so of what Teams itself did not take.
	if said := string(answer); strings.HasPrefix(said, "Webhook message delivery failed") {
		return c.server.Fails(said)
	}
	return nil
}

type message struct {
	Type        string       `json:"type"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ContentType string `json:"contentType"`
	Content     card   `json:"content"`
}

type card struct {
	Schema       string    `json:"$schema"`
	Type         string    `json:"type"`
	Version      string    `json:"version"`
	FallbackText string    `json:"fallbackText"`
	Body         []element `json:"body"`
	Actions      []action  `json:"actions,omitempty"`
	MSTeams      teams     `json:"msteams"`
}

// teams is what Teams itself reads.
type teams struct {
	Width string `json:"width"`
}

// element is a Container or a RichTextBlock.
type element struct {
	Type    string    `json:"type"`
	Style   string    `json:"style,omitempty"`
	Bleed   bool      `json:"bleed,omitempty"`
	Items   []element `json:"items,omitempty"`
	Spacing string    `json:"spacing,omitempty"`
	Inlines []run     `json:"inlines,omitempty"`
}

type run struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Size   string `json:"size,omitempty"`
	Weight string `json:"weight,omitempty"`
}

type action struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// payload is a card with sentences of so many characters at most.
func payload(m alert.Message, sentence int) message {
	title := run{Type: "TextRun", Text: alert.Cut(m.Title(), longestTitle, nil), Size: "Large", Weight: "Bolder"}
	body := []element{{Type: "Container", Style: style(m.Severity), Bleed: true, Items: []element{line("", title)}}}
	for i, l := range strings.Split(strings.Join(m.Paragraphs(), "\n"), "\n") {
		if strings.TrimSpace(l) == "" {
			continue
		}
		if i == mostLines {
			body = append(body, line("Small", plain("…")))
			break
		}
		body = append(body, line("Small", plain(alert.Cut(l, sentence, nil))))
	}
	for i, f := range m.Facts() {
		spacing := "None"
		if i == 0 {
			spacing = "Medium"
		}
		name := plain(f.Name + ": ")
		name.Weight = "Bolder"
		body = append(body, line(spacing, name, plain(alert.Cut(f.Value, min(sentence, longestFact), nil))))
	}
	var actions []action
	for _, l := range m.Pages(mostLinks) {
		actions = append(actions, action{"Action.OpenUrl", alert.Cut(l.Title, 100, nil), l.URL})
	}
	return message{Type: "message", Attachments: []attachment{{
		ContentType: "application/vnd.microsoft.card.adaptive",
		Content: card{
			Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4",
			FallbackText: alert.Cut(m.Summary(), min(sentence, longestFact), nil), Body: body, Actions: actions,
			MSTeams: teams{Width: "Full"},
		},
	}}}
}

func line(spacing string, runs ...run) element {
	return element{Type: "RichTextBlock", Spacing: spacing, Inlines: runs}
}

func plain(words string) run { return run{Type: "TextRun", Text: words} }

// style is that of a Container, which has the color of the severity behind it.
func style(s v1beta1.AlertSeverity) string {
	switch s {
	case v1beta1.SeverityError:
		return "attention"
	case v1beta1.SeverityWarn:
		return "warning"
	}
	return "good"
}
