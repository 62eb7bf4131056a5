// Package webhook tells any HTTP server of one's own. A message is a CloudEvent in JSON, with Message.ID as its id, and
// signed where there is a key.
package webhook

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/outbound"
)

const (
	// contentType is that of a CloudEvent which is all of a body.
	contentType = "application/cloudevents+json"
	// What is told of sentences, of all else, and of each message of a digest.
	longestText, longest, longestOfMany = 4096, 512, 300
	// mostItems and mostOfMany are how many images and links, and how many messages of a digest are told.
	mostItems, mostOfMany = 20, 100
)

// Config says where the server is, and how it knows Weir.
type Config struct {
	alert.Site
	// Token is sent as a bearer token, if there is one.
	Token string
	// HMACKey signs the body, if there is one: X-Weir-Signature-256 has its HMAC with SHA-256.
	HMACKey string
}

// Channel is one server.
type Channel struct {
	server *alert.Server
	key    string
}

var _ alert.Channel = (*Channel)(nil)

// New makes a channel. It calls nobody yet.
func New(c Config) (*Channel, error) {
	config := alert.ServerConfig{Site: c.Site, Name: "the webhook", Secrets: []string{c.Token, c.HMACKey}}
	if c.Token != "" {
		config.Header = http.Header{"Authorization": {"Bearer " + c.Token}}
	}
	server, err := alert.NewServer(config)
	if err != nil {
		return nil, err
	}
	return &Channel{server, c.HMACKey}, nil
}

// Send tells a message.
func (c *Channel) Send(ctx context.Context, m alert.Message) error {
	_, err := c.server.Post(ctx, alert.Request{Body: cloudEvent(m), ContentType: contentType, Sign: c.sign})
	return err
}

func (c *Channel) sign(body []byte) http.Header {
	if c.key == "" {
		return nil
	}
	return http.Header{outbound.SignatureHeader: {outbound.Signature(c.key, body)}}
}

// event is a CloudEvent, see https://github.com/cloudevents/spec.
type event struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject,omitempty"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
	Data            data   `json:"data"`
}

// data is what docs/alerts.md promises: fields are added, and none changes.
type data struct {
	Severity  string   `json:"severity"`
	Reason    string   `json:"reason,omitempty"`
	Title     string   `json:"title"`
	Text      string   `json:"text"`
	Thread    string   `json:"thread,omitempty"`
	Resolved  bool     `json:"resolved"`
	Cluster   string   `json:"cluster,omitempty"`
	Namespace string   `json:"namespace,omitempty"`
	Name      string   `json:"name,omitempty"`
	Target    string   `json:"target,omitempty"`
	Phase     string   `json:"phase,omitempty"`
	Revision  string   `json:"revision,omitempty"`
	Images    []string `json:"images,omitempty"`
	Weight    int32    `json:"weight"`
	MaxWeight int32    `json:"maxWeight"`
	Step      string   `json:"step,omitempty"`
	Check     *check   `json:"check,omitempty"`
	Links     []link   `json:"links,omitempty"`
	Digest    []one    `json:"digest,omitempty"`
}

type check struct {
	Name     string `json:"name"`
	Value    string `json:"value,omitempty"`
	Baseline string `json:"baseline,omitempty"`
	Message  string `json:"message,omitempty"`
}

type link struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// one is a message of a digest.
type one struct {
	ID        string `json:"id"`
	Time      string `json:"time"`
	Severity  string `json:"severity"`
	Reason    string `json:"reason,omitempty"`
	Text      string `json:"text"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Phase     string `json:"phase,omitempty"`
	Revision  string `json:"revision,omitempty"`
}

func cloudEvent(m alert.Message) event {
	subject := ""
	if m.Name != "" {
		subject = m.Namespace + "/" + m.Name
	}
	return event{
		SpecVersion: "1.0", ID: m.ID, Source: "/weir/" + url.PathEscape(cut(m.Cluster)), Type: "dev.weir.alert." + kind(m),
		Subject: cut(subject), Time: m.At.UTC().Format(time.RFC3339Nano), DataContentType: "application/json", Data: dataOf(m),
	}
}

// kind is the end of the event's type.
func kind(m alert.Message) string {
	switch {
	case len(m.Digest) > 0:
		return "Digest"
	case m.Reason == "":
		return "Message"
	}
	return cut(m.Reason)
}

func dataOf(m alert.Message) data {
	d := data{
		Severity: string(m.Severity), Reason: cut(m.Reason), Title: cut(m.Title()),
		Text:   alert.Cut(strings.Join(m.Paragraphs(), "\n"), longestText, nil),
		Thread: m.Thread, Resolved: m.Resolved, Cluster: cut(m.Cluster), Namespace: cut(m.Namespace), Name: cut(m.Name),
		Target: cut(m.Target), Phase: cut(m.Phase), Revision: cut(m.Revision),
		Weight: m.Weight, MaxWeight: m.MaxWeight, Step: cut(m.Step),
	}
	for _, image := range m.Images[:min(len(m.Images), mostItems)] {
		d.Images = append(d.Images, cut(image))
	}
	if c := m.Check; c != nil {
		d.Check = &check{cut(c.Name), cut(c.Value), cut(c.Baseline), cut(c.Message)}
	}
	for _, l := range m.Pages(mostItems) {
		d.Links = append(d.Links, link{cut(l.Title), l.URL})
	}
	for _, m := range m.Digest[:min(len(m.Digest), mostOfMany)] {
		d.Digest = append(d.Digest, one{
			ID: m.ID, Time: m.At.UTC().Format(time.RFC3339Nano), Severity: string(m.Severity), Reason: cut(m.Reason),
			Text:      alert.Cut(strings.Join(m.Paragraphs(), " "), longestOfMany, nil),
			Namespace: cut(m.Namespace), Name: cut(m.Name), Phase: cut(m.Phase), Revision: cut(m.Revision),
		})
	}
	return d
}

func cut(text string) string { return alert.Cut(text, longest, nil) }
