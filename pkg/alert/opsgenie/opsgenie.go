// Package opsgenie pages people by Opsgenie. A warning and an error are an alert of their run, the end of trouble closes
// it, and all else is a note on the alerts of the run, if there are any.
package opsgenie

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Address is that of Opsgenie in the United States.
const Address = "https://api.opsgenie.com"

// What Opsgenie takes, see https://docs.opsgenie.com/docs/alert-api.
const (
	longestMessage     = 130
	longestDescription = 15000
	longestAlias       = 512
	longestEntity      = 512
	longestSource      = 100
	longestDetail      = 500 // of 8000 for all of them
	longestNote        = 25000
	mostLinks          = 10
)

// Config says where Opsgenie is, and who tells it.
type Config struct {
	alert.Site
	// Token is the key of an integration of type API.
	Token string
}

// Channel is one integration of Opsgenie's.
type Channel struct{ server *alert.Server }

var _ alert.Channel = (*Channel)(nil)

// New makes a channel. It calls nobody yet.
func New(c Config) (*Channel, error) {
	if c.Address == "" {
		c.Address = Address
	}
	server, err := alert.NewServer(alert.ServerConfig{
		Site: c.Site, Name: "Opsgenie", Header: http.Header{"Authorization": {"GenieKey " + c.Token}}, Words: words,
	})
	if err != nil {
		return nil, err
	}
	return &Channel{server}, nil
}

// words are those of a refusal.
func words(body []byte) (string, time.Duration) {
	var said struct {
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil || said.Message == "" {
		return string(body), 0
	}
	return strings.TrimSpace(said.Message + " " + string(said.Errors)), 0
}

// Send tells a message.
func (c *Channel) Send(ctx context.Context, m alert.Message) error {
	if !m.Resolved && (m.Severity == v1beta1.SeverityWarn || m.Severity == v1beta1.SeverityError) {
		_, err := c.server.Post(ctx, alert.Request{URL: c.server.Below("v2/alerts", nil), Body: create(m)})
		return err
	}
	what := "notes"
	if m.Resolved {
		what = "close"
	}
	body := note{Source: source(m), Note: alert.Cut(description(m), longestNote, nil)}
	for _, severity := range alert.Incidents() {
		path := "v2/alerts/" + url.PathEscape(m.Incident(severity, longestAlias)) + "/" + what
		request := alert.Request{URL: c.server.Below(path, url.Values{"identifierType": {"alias"}}), Body: body}
		if _, err := c.server.Post(ctx, request); err != nil {
			return err
		}
	}
	return nil
}

// note is what an alert is told, or closed with.
type note struct {
	Source string `json:"source"`
	Note   string `json:"note"`
}

type creation struct {
	Message     string            `json:"message"`
	Alias       string            `json:"alias"`
	Description string            `json:"description"`
	Entity      string            `json:"entity,omitempty"`
	Source      string            `json:"source"`
	Priority    string            `json:"priority"`
	Tags        []string          `json:"tags"`
	Details     map[string]string `json:"details"`
}

func create(m alert.Message) creation {
	details := map[string]string{}
	for _, f := range m.Facts() {
		details[f.Name] = alert.Cut(f.Value, longestDetail, nil)
	}
	priority := "P2"
	if m.Severity == v1beta1.SeverityWarn {
		priority = "P3"
	}
	return creation{
		Message: alert.Cut(m.Summary(), longestMessage, nil), Alias: m.Incident(m.Severity, longestAlias),
		Description: alert.Cut(description(m), longestDescription, nil), Entity: alert.Cut(m.Target, longestEntity, nil),
		Source: source(m), Priority: priority, Tags: []string{"weir", string(m.Severity)}, Details: details,
	}
}

func source(m alert.Message) string {
	return alert.Cut(strings.TrimSuffix("weir/"+m.Cluster, "/"), longestSource, nil)
}

// description is all sentences, and the links.
func description(m alert.Message) string {
	lines := m.Paragraphs()
	for _, l := range m.Pages(mostLinks) {
		lines = append(lines, l.Title+": "+l.URL)
	}
	return strings.Join(lines, "\n")
}
