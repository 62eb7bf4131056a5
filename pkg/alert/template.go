package alert

import (
	"context"
	"time"

	"weir.dev/weir/pkg/fill"
)

// mostFilled is how much of a list a template gets to see.
const mostFilled = 100

// Templated is a channel that tells what a template makes of a message in the place of its sentences; without a
// template, it is the channel as it is. Its error is of the kind Rejected.
func Templated(c Channel, template string) (Channel, error) {
	if template == "" {
		return c, nil
	}
	l := fill.Language{Text: "spec.template", Over: []string{".Images", ".Links", ".Digest"}}
	t, err := l.Parse(template)
	if err != nil {
		return nil, Rejectedf("%s", err)
	}
	return templated{c, t}, nil
}

type templated struct {
	channel  Channel
	template *fill.Template
}

// Send fills the template in.
func (t templated) Send(ctx context.Context, m Message) error {
	body, err := t.template.Fill(fieldsOf(m))
	if err != nil {
		return Rejectedf("%s", err)
	}
	m.Body = body
	return t.channel.Send(ctx, m)
}

// fields are what a template knows of a message. There is nothing in them that can be called.
type fields struct {
	ID, Thread, Severity, Reason, Text, Title, At     string
	Cluster, Namespace, Name, Target, Phase, Revision string
	Images                                            []string
	Weight, MaxWeight                                 int32
	Step                                              string
	Resolved                                          bool
	Check                                             struct{ Name, Value, Baseline, Message string }
	Links                                             []Link
	Digest                                            []fields
}

func fieldsOf(m Message) fields {
	f := fields{
		ID: m.ID, Thread: m.Thread, Severity: string(m.Severity), Reason: m.Reason, Text: m.Text, Title: m.Title(),
		At: m.At.UTC().Format(time.RFC3339), Cluster: m.Cluster, Namespace: m.Namespace, Name: m.Name, Target: m.Target,
		Phase: m.Phase, Revision: m.Revision, Images: m.Images[:min(len(m.Images), mostFilled)], Weight: m.Weight,
		MaxWeight: m.MaxWeight, Step: m.Step, Resolved: m.Resolved, Links: m.Pages(mostFilled),
	}
	if c := m.Check; c != nil {
		f.Check.Name, f.Check.Value, f.Check.Baseline, f.Check.Message = c.Name, c.Value, c.Baseline, c.Message
	}
	for _, one := range m.Digest[:min(len(m.Digest), mostFilled)] {
		f.Digest = append(f.Digest, fieldsOf(one))
	}
	return f
}
