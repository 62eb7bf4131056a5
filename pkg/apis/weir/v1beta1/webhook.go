package v1beta1

// The types of webhooks. Those that begin with confirm, and pre-rollout, are gates: the run waits for them.
const (
	// WebhookConfirmRollout is asked before a run begins, until it agrees.
	WebhookConfirmRollout = "confirm-rollout"
	// WebhookPreRollout is called once the canary's pods are ready, before they get traffic. A refusal is a
	// failed round of checks, and it is called again an interval later.
	WebhookPreRollout = "pre-rollout"
	// WebhookRollout is called in each round of checks. A refusal is a failed check.
	WebhookRollout = "rollout"
	// WebhookConfirmTrafficIncrease is asked before each step, until it agrees.
	WebhookConfirmTrafficIncrease = "confirm-traffic-increase"
	// WebhookConfirmPromotion is asked after the last step, until it agrees; the analysis goes on meanwhile.
	WebhookConfirmPromotion = "confirm-promotion"
	// WebhookPostRollout is called once when a run has ended. Its refusal is told, and changes nothing.
	WebhookPostRollout = "post-rollout"
	// WebhookRollback is asked all through a run; when it agrees, the run is rolled back at once.
	WebhookRollback = "rollback"
	// WebhookEvent is sent what people are told of the Canary.
	WebhookEvent = "event"
)

// What becomes of a run when a gate has not agreed in its gateTimeout.
const (
	// OnTimeoutAbort ends the run.
	OnTimeoutAbort = "Abort"
	// OnTimeoutContinue goes on as if the gate had agreed.
	OnTimeoutContinue = "Continue"
)

// CanaryWebhook is an HTTP service that takes part in a run. It is sent a POST with a JSON object, and every 2xx
// agrees. A call may be repeated, and is never made twice at the same time; docs/webhooks.md describes it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.onTimeout) || self.onTimeout != 'Continue' || has(self.gateTimeout)",message="onTimeout Continue needs a gateTimeout"
// +kubebuilder:validation:XValidation:rule="!has(self.gateTimeout) || (has(self.type) && self.type in ['confirm-rollout', 'confirm-traffic-increase', 'confirm-promotion'])",message="gateTimeout is for webhooks of type confirm-rollout, confirm-traffic-increase and confirm-promotion"
type CanaryWebhook struct {
	// Name of the webhook.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self != 'manual'",message="a webhook cannot be named manual: that is the gate of spec.analysis.manual"
	Name string `json:"name"`

	// Type says when it is called and what its answer means.
	// +optional
	// +kubebuilder:default=rollout
	// +kubebuilder:validation:Enum=confirm-rollout;pre-rollout;rollout;confirm-traffic-increase;confirm-promotion;post-rollout;rollback;event
	Type string `json:"type,omitempty"`

	// URL that is called.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="a webhook's url must be an http or https URL"
	URL string `json:"url"`

	// Timeout of one call. A call that takes longer has not been answered.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('100ms') && duration(self) <= duration('1h')",message="a webhook's timeout must be a duration from 100ms to 1h, for example 10s"
	Timeout string `json:"timeout,omitempty"`

	// Retries is how often a call that was not answered, or with a 5xx or 429, is repeated at once.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=20
	Retries int32 `json:"retries,omitempty"`

	// MuteAlert tells nobody that a run waits for this gate.
	// +optional
	MuteAlert bool `json:"muteAlert,omitempty"`

	// DisableTLS accepts any certificate of the server.
	// +optional
	DisableTLS bool `json:"disableTLS,omitempty"`

	// Metadata is sent along.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Metadata map[string]string `json:"metadata,omitempty"`

	// SecretRef names a Secret in the Canary's namespace: `token` is sent as a bearer token, `hmacKey` signs
	// the body (header X-Weir-Signature-256), and every other key is sent as a header of that name.
	// +optional
	SecretRef *LocalSecretRef `json:"secretRef,omitempty"`

	// TLSSecretRef names a Secret in the Canary's namespace with `tls.crt` and `tls.key` to show to the server,
	// `ca.crt` to know it by, or all of them.
	// +optional
	TLSSecretRef *LocalSecretRef `json:"tlsSecretRef,omitempty"`

	// GateTimeout is how long the gate may stay closed, counted from when the run came to it. Without it, it
	// may for ever.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('1s')",message="a webhook's gateTimeout must be a duration of at least 1s, for example 1h"
	GateTimeout string `json:"gateTimeout,omitempty"`

	// OnTimeout says what happens then: Abort ends the run, Continue goes on as if the gate had agreed.
	// +optional
	// +kubebuilder:default=Abort
	// +kubebuilder:validation:Enum=Abort;Continue
	OnTimeout string `json:"onTimeout,omitempty"`
}
