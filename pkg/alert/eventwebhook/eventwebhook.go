// Package eventwebhook tells an HTTP server what Flagger's operator would: the payload of a webhook of type event, for
// those who have such a server.
package eventwebhook

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// longest is how long a sentence may be.
const longest = 4096

// Channel is one server.
type Channel struct{ server *alert.Server }

var _ alert.Channel = (*Channel)(nil)

// New makes a channel. It calls nobody yet.
func New(site alert.Site) (*Channel, error) {
	server, err := alert.NewServer(alert.ServerConfig{Site: site, Name: "the event webhook"})
	if err != nil {
		return nil, err
	}
	return &Channel{server}, nil
}

// Send tells a message.
func (c *Channel) Send(ctx context.Context, m alert.Message) error {
	once := func([]byte) http.Header { return http.Header{"Idempotency-Key": {m.ID}} }
	_, err := c.server.Post(ctx, alert.Request{Body: payloadOf(m), Sign: once})
	return err
}

// payload has the fields that docs/webhooks.md tells of.
type payload struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Phase     string            `json:"phase"`
	Checksum  string            `json:"checksum,omitempty"`
	Weight    int32             `json:"weight"`
	Metadata  map[string]string `json:"metadata"`
}

func payloadOf(m alert.Message) payload {
	kind := "Warning"
	if m.Severity == v1beta1.SeverityInfo {
		kind = "Normal"
	}
	return payload{
		Name: cut(m.Name), Namespace: cut(m.Namespace), Phase: m.Phase, Checksum: cut(m.Revision), Weight: m.Weight,
		Metadata: map[string]string{
			"eventMessage": cut(strings.Join(m.Paragraphs(), "\n")), "eventType": kind, "eventReason": cut(m.Reason),
			"timestamp": strconv.FormatInt(m.At.UnixMilli(), 10),
		},
	}
}

func cut(text string) string { return alert.Cut(text, longest, nil) }
