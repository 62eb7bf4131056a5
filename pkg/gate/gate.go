// Package gate calls webhooks: one POST with a JSON object, to which every 2xx is a yes and every other status a
// no. It says what was answered; what becomes of it is for package rollout to say.
//
// An error says that no answer could be had. Neither an error nor the message of an answer holds a secret, a query
// string, user information or the value of a header, because both end up in a status that many may read.
//
// A call may be repeated, by its retries or by whoever makes it, and then has the same idempotency key. That no
// webhook is called twice at the same time is for the caller to see to.
package gate

import (
	"context"
	"sync"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/outbound"
)

// Payload is what a webhook is sent, as JSON. The first five fields are Flagger's. docs/webhooks.md promises it to
// those who write webhooks: fields are added, and none changes.
type Payload struct {
	// Name and Namespace of the Canary.
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Phase of the Canary, or how its run ended.
	Phase string `json:"phase"`
	// Checksum stands for the revision that is released.
	Checksum string `json:"checksum"`
	// Metadata is sent along with that of the webhook itself, and wins where both have a key.
	Metadata map[string]string `json:"metadata,omitempty"`
	// RunID is the run that the call is part of.
	RunID string `json:"runId,omitempty"`
	// Step that the run is at, from 0. Nil where there is none.
	Step *int32 `json:"step,omitempty"`
	// Weight of the canary, in percent.
	Weight int32 `json:"weight"`
	// IdempotencyKey is the same in all repetitions of a call, and in no other call.
	IdempotencyKey string `json:"idempotencyKey,omitempty"`
}

// Call is one call of a webhook.
type Call struct {
	Webhook v1beta1.CanaryWebhook
	Payload Payload
	// Secret and TLSSecret are the data of the Secrets that the webhook names.
	Secret, TLSSecret map[string][]byte
}

// Answer is what came back.
type Answer struct {
	// Agreed says that the status was a 2xx.
	Agreed bool
	// Code is the status.
	Code int
	// Message is the answer in one sentence for a person, as in "status 403: not before noon".
	Message string
}

// Client calls webhooks. It keeps connections, and may be used by many at the same time.
type Client struct {
	reach *outbound.Reach

	mu sync.Mutex
	// kept is ordered by use, the latest first.
	kept []keptClient
}

// New makes a client that calls nothing out of its reach.
func New(reach *outbound.Reach) *Client { return &Client{reach: reach} }

// Do makes a call. Where it was not answered, or with a 5xx or 429, it is made again as often as the webhook's
// retries say, as long as the context lasts.
func (c *Client) Do(ctx context.Context, call Call) (Answer, error) {
	r, err := newRequest(call)
	if err != nil {
		return Answer{}, err
	}
	client, err := c.clientOf(call)
	if err != nil {
		return Answer{}, err
	}
	for made := int32(0); ; made++ {
		got := r.send(ctx, client)
		if !got.again || made >= call.Webhook.Retries || !sleep(ctx, pause(made, got.after, r.timeout)) {
			return got.answer, got.err
		}
	}
}

// sleep tells whether the time has passed, rather than the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
