// Package pagerduty pages people by PagerDuty's Events API v2. A warning and an error trigger an incident of their run,
// the end of trouble resolves it, and all else is a change event, which pages nobody.
package pagerduty

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Address is that of PagerDuty in the United States.
const Address = "https://events.pagerduty.com"

// What PagerDuty takes, see https://developer.pagerduty.com/docs/send-alert-event.
const (
	longestSummary = 1024
	longestKey     = 255
	longestDetail  = 4000
	longestText    = 20000
	mostLinks      = 10
)

// Config says where PagerDuty is, and whom it pages.
type Config struct {
	alert.Site
	// Token is the integration key of a service, which PagerDuty calls the routing key.
	Token string
}

// Channel is one service of PagerDuty's.
type Channel struct {
	server *alert.Server
	token  string
}

var _ alert.Channel = (*Channel)(nil)

// New makes a channel. It calls nobody yet.
func New(c Config) (*Channel, error) {
	if c.Address == "" {
		c.Address = Address
	}
	server, err := alert.NewServer(alert.ServerConfig{
		Site: c.Site, Name: "PagerDuty", Secrets: []string{c.Token}, Words: words,
	})
	if err != nil {
		return nil, err
	}
	return &Channel{server, c.Token}, nil
}

// words are those of a refusal.
func words(body []byte) (string, time.Duration) {
	var said struct {
		Message string   `json:"message"`
		Errors  []string `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil || said.Message == "" {
		return string(body), 0
	}
	return strings.Join(append([]string{said.Message}, said.Errors...), ": "), 0
}

// Send tells a message.
func (c *Channel) Send(ctx context.Context, m alert.Message) error {
	switch {
	case m.Resolved:
		for _, severity := range alert.Incidents() {
			if err := c.enqueue(ctx, event{Action: "resolve", Key: m.Incident(severity, longestKey)}); err != nil {
				return err
			}
		}
	case m.Severity == v1beta1.SeverityWarn || m.Severity == v1beta1.SeverityError:
		return c.enqueue(ctx, event{
			Action: "trigger", Key: m.Incident(m.Severity, longestKey), Payload: c.payload(m), Links: linked(m),
		})
	}
	return c.change(ctx, m)
}

func (c *Channel) enqueue(ctx context.Context, e event) error {
	e.Token, e.Client = c.token, "Weir"
	_, err := c.server.Post(ctx, alert.Request{URL: c.server.Below("v2/enqueue", nil), Body: e})
	return err
}

// change tells of a change, which goes another way than incidents do.
func (c *Channel) change(ctx context.Context, m alert.Message) error {
	p := c.payload(m)
	_, err := c.server.Post(ctx, alert.Request{URL: c.server.Below("v2/change/enqueue", nil), Body: change{
		Token: c.token, Links: linked(m),
		Payload: changePayload{Summary: p.Summary, Source: p.Source, Timestamp: p.Timestamp, Details: p.Details},
	}})
	return err
}

type event struct {
	Token   string   `json:"routing_key"`
	Action  string   `json:"event_action"`
	Key     string   `json:"dedup_key"`
	Client  string   `json:"client"`
	Links   []link   `json:"links,omitempty"`
	Payload *payload `json:"payload,omitempty"`
}

type payload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp string            `json:"timestamp"`
	Component string            `json:"component,omitempty"`
	Group     string            `json:"group,omitempty"`
	Class     string            `json:"class,omitempty"`
	Details   map[string]string `json:"custom_details"`
}

type change struct {
	Token   string        `json:"routing_key"`
	Links   []link        `json:"links,omitempty"`
	Payload changePayload `json:"payload"`
}

type changePayload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Timestamp string            `json:"timestamp"`
	Details   map[string]string `json:"custom_details"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

func (c *Channel) payload(m alert.Message) *payload {
	severity := "error"
	if m.Severity == v1beta1.SeverityWarn {
		severity = "warning"
	}
	details := map[string]string{"Message": alert.Cut(strings.Join(m.Paragraphs(), "\n"), longestText, nil)}
	for _, f := range m.Facts() {
		details[f.Name] = alert.Cut(f.Value, longestDetail, nil)
	}
	source := strings.Trim(strings.Join([]string{m.Cluster, m.Namespace, m.Name}, "/"), "/")
	if source == "" {
		source = "weir"
	}
	return &payload{
		Summary: alert.Cut(m.Summary(), longestSummary, nil), Source: alert.Cut(source, longestSummary, nil),
		Severity: severity, Timestamp: m.At.UTC().Format(time.RFC3339), Component: alert.Cut(m.Target, longestDetail, nil),
		Group: alert.Cut(m.Namespace, longestDetail, nil), Class: alert.Cut(m.Reason, longestDetail, nil), Details: details,
	}
}

func linked(m alert.Message) []link {
	var all []link
	for _, l := range m.Pages(mostLinks) {
		all = append(all, link{l.URL, alert.Cut(l.Title, longestSummary, nil)})
	}
	return all
}
