// Package gchat tells people in Google Chat, by the webhook of a space. A message is one card. The messages of a run
// are one thread, and what is sent twice is told once, by the request's id.
package gchat

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"weir.dev/weir/pkg/alert"
)

const (
	// longest is what a message may have in bytes; see https://developers.google.com/workspace/chat/create-messages.
	longest = 32000
	// longestTitle and longestFact are what is told of each.
	longestTitle, longestFact = 200, 500
	mostLinks                 = 6
)

// Channel is one webhook of Google Chat's.
type Channel struct{ server *alert.Server }

var _ alert.Channel = (*Channel)(nil)

// New makes a channel. It calls nobody yet.
func New(site alert.Site) (*Channel, error) {
	server, err := alert.NewServer(alert.ServerConfig{Site: site, Name: "Google Chat", Words: words})
	if err != nil {
		return nil, err
	}
	return &Channel{server}, nil
}

// words are those of a refusal.
func words(body []byte) (string, time.Duration) {
	var said struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil || said.Error.Message == "" {
		return string(body), 0
	}
	return said.Error.Message, 0
}

// Send tells a message.
func (c *Channel) Send(ctx context.Context, m alert.Message) error {
	body, err := alert.Fit(longest, func(sentence int) any { return payload(m, sentence) })
	if err != nil {
		return alert.Rejectedf("the message cannot be written for Google Chat")
	}
	query := url.Values{"requestId": {m.ID}}
	if m.Thread != "" {
		query.Set("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
	}
	_, err = c.server.Post(ctx, alert.Request{URL: c.server.Below("", query), Body: body})
	return err
}

type message struct {
	FallbackText string       `json:"fallbackText"`
	Cards        []cardWithID `json:"cardsV2"`
	Thread       *thread      `json:"thread,omitempty"`
}

type thread struct {
	Key string `json:"threadKey"`
}

type cardWithID struct {
	ID   string `json:"cardId"`
	Card card   `json:"card"`
}

type card struct {
	Header   header    `json:"header"`
	Sections []section `json:"sections"`
}

type header struct {
	Title string `json:"title"`
}

type section struct {
	Widgets []widget `json:"widgets"`
}

// widget is one of these.
type widget struct {
	Paragraph *paragraph `json:"textParagraph,omitempty"`
	Decorated *decorated `json:"decoratedText,omitempty"`
	Buttons   *buttons   `json:"buttonList,omitempty"`
}

type paragraph struct {
	Text string `json:"text"`
}

type decorated struct {
	Label string `json:"topLabel"`
	Text  string `json:"text"`
	Wrap  bool   `json:"wrapText"`
}

type buttons struct {
	Buttons []button `json:"buttons"`
}

type button struct {
	Text    string  `json:"text"`
	OnClick onClick `json:"onClick"`
}

type onClick struct {
	OpenLink openLink `json:"openLink"`
}

type openLink struct {
	URL string `json:"url"`
}

// payload is a card with sentences of so many characters at most.
func payload(m alert.Message, sentence int) message {
	text := alert.Cut(strings.Join(m.Paragraphs(), "\n"), sentence, alert.InHTML)
	sections := []section{{Widgets: []widget{{Paragraph: &paragraph{text}}}}}
	var facts []widget
	for _, f := range m.Facts() {
		value := alert.Cut(f.Value, min(sentence, longestFact), alert.InHTML)
		facts = append(facts, widget{Decorated: &decorated{f.Name, value, true}})
	}
	if len(facts) > 0 {
		sections = append(sections, section{facts})
	}
	var all []button
	for _, l := range m.Pages(mostLinks) {
		all = append(all, button{alert.Cut(l.Title, 100, alert.InHTML), onClick{openLink{l.URL}}})
	}
	if len(all) > 0 {
		sections = append(sections, section{[]widget{{Buttons: &buttons{all}}}})
	}
	title := m.Mark() + " " + alert.Cut(m.Title(), min(sentence, longestTitle), spelled)
	made := message{
		FallbackText: alert.Cut(m.Summary(), min(sentence, longestFact), spelled),
		Cards:        []cardWithID{{ID: "weir", Card: card{Header: header{title}, Sections: sections}}},
	}
	if m.Thread != "" {
		made.Thread = &thread{m.Thread}
	}
	return made
}

// spelled is for what is no HTML: a mention there begins with this sign, and gets another that looks like it.
func spelled(_, r rune) string {
	if r == '<' {
		return "‹"
	}
	return string(r)
}
