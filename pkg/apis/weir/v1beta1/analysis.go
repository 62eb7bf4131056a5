package v1beta1

import "k8s.io/apimachinery/pkg/util/intstr"

// CanaryAnalysis is the plan of a run: its steps, and what is judged at each. There is one plan: explicit
// steps, the weights one by one (stepWeights), the width of a step (stepWeight), or a number of iterations.
// Without any of them there is nothing to analyse, and a revision is released as soon as its pods are ready.
//
// +kubebuilder:validation:XValidation:rule="[has(self.steps), has(self.stepWeights), has(self.stepWeight), has(self.iterations)].filter(x, x).size() <= 1",message="spec.analysis needs one of steps, stepWeights, stepWeight and iterations, not several"
// +kubebuilder:validation:XValidation:rule="!has(self.metrics) || size(self.metrics) == 0 || has(self.steps) || has(self.stepWeights) || has(self.stepWeight) || has(self.iterations)",message="spec.analysis.metrics needs a plan to be judged in: set steps, stepWeights, stepWeight or iterations"
// +kubebuilder:validation:XValidation:rule="!has(self.stepWeight) || self.stepWeight <= self.maxWeight",message="spec.analysis.stepWeight must not exceed maxWeight"
// +kubebuilder:validation:XValidation:rule="!has(self.stepWeights) || self.stepWeights.all(w, w <= self.maxWeight)",message="spec.analysis.stepWeights must not exceed maxWeight"
// +kubebuilder:validation:XValidation:rule="!has(self.match) || has(self.iterations)",message="spec.analysis.match needs iterations; in explicit steps, each step has a match of its own"
// +kubebuilder:validation:XValidation:rule="!has(self.webhooks) || has(self.steps) || has(self.stepWeights) || has(self.stepWeight) || has(self.iterations) || !self.webhooks.exists(w, has(w.type) && w.type in ['rollout', 'confirm-traffic-increase'])",message="webhooks of type rollout and confirm-traffic-increase need a plan to be called in: set steps, stepWeights, stepWeight or iterations"
// +kubebuilder:validation:XValidation:rule="!has(self.steps) || self.steps.all(s, !has(s.weight) || s.weight <= self.maxWeight)",message="the weights of spec.analysis.steps must not exceed maxWeight"
// +kubebuilder:validation:XValidation:rule="!has(self.pace) || self.pace != 'adaptive' || has(self.metrics) && self.metrics.exists(m, has(m.comparison))",message="spec.analysis.pace adaptive needs a metric with a comparison, whose evidence it goes by"
// +kubebuilder:validation:XValidation:rule="!has(self.mirror) || !self.mirror || has(self.stepWeights) || has(self.stepWeight) || has(self.iterations)",message="spec.analysis.mirror needs stepWeights, stepWeight or iterations; in explicit steps, each step has a mirror of its own"
// +kubebuilder:validation:XValidation:rule="!has(self.steps) || self.steps.all(s, !has(s.analysis) || s.analysis.all(n, has(self.metrics) && self.metrics.exists(m, m.name == n)))",message="a step's analysis names a metric that spec.analysis.metrics does not have"
// +kubebuilder:validation:XValidation:rule="!has(self.steps) || self.steps.all(s, !has(s.gates) || s.gates.all(n, has(self.webhooks) && self.webhooks.exists(w, w.name == n && has(w.type) && w.type == 'confirm-traffic-increase')))",message="a step's gates names a webhook that spec.analysis.webhooks does not have with type confirm-traffic-increase"
type CanaryAnalysis struct {
	// Interval is how long a step holds before it is judged, and the time between two rounds of
	// checks and two calls of a closed gate. At least 1s.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('1s')",message="spec.analysis.interval must be a duration of at least 1s, for example 30s"
	Interval string `json:"interval,omitempty"`

	// Threshold is the number of failed rounds of checks in a run at which it is rolled back.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Threshold int32 `json:"threshold,omitempty"`

	// MaxWeight is the largest weight, in percent, at which the canary is judged. After it has
	// passed there, it is promoted.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxWeight int32 `json:"maxWeight,omitempty"`

	// StepWeight is the percentage added at each step, up to maxWeight.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	StepWeight *int32 `json:"stepWeight,omitempty"`

	// StepWeights are the weights of the steps one by one, in percent, each above the one before.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=100
	// +kubebuilder:validation:XValidation:rule="self.isSorted() && self.all(a, self.exists_one(b, a == b))",message="spec.analysis.stepWeights must rise from step to step, for example [5, 20, 50]"
	StepWeights []int32 `json:"stepWeights,omitempty"`

	// StepWeightPromotion changes nothing: the pods that were analysed become the target's, so that there is no
	// traffic to bring back step by step. The field is there for manifests that come from elsewhere.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	StepWeightPromotion int32 `json:"stepWeightPromotion,omitempty"`

	// Steps is the plan written out.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=40
	// +kubebuilder:validation:XValidation:rule="self.filter(s, has(s.weight)).map(s, s.weight).isSorted()",message="the weights of spec.analysis.steps must not fall from step to step"
	Steps []CanaryStep `json:"steps,omitempty"`

	// Iterations is the number of rounds of checks that the canary must pass without a share of the
	// traffic: with match, on the requests that match (A/B testing); without, on none but what comes by the
	// canary Service, and on mirrored requests (blue/green). Then it takes all of the traffic.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Iterations *int32 `json:"iterations,omitempty"`

	// Match are the requests that go to the canary during the iterations; a request that matches one entry
	// goes there.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Match []RequestMatch `json:"match,omitempty"`

	// Mirror copies requests to the canary, whose answers nobody sees: during the iterations, or in a step
	// before the first weight.
	// +optional
	Mirror bool `json:"mirror,omitempty"`

	// MirrorWeight is the percentage of requests that is mirrored.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MirrorWeight int32 `json:"mirrorWeight,omitempty"`

	// Manual lets the promotion wait for a person: `kubectl weir promote`.
	// +optional
	Manual bool `json:"manual,omitempty"`

	// CanaryReplicas is the number of canary pods, or their percentage of the target's replicas, in steps
	// that do not say themselves. Without it, a weight gets as large a part of the pods as of the traffic,
	// and a step with a match or with mirrored requests gets all. Before it is promoted, a canary always has
	// as many pods as the target.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 10000 : self.matches('^([1-9][0-9]?|100)%$')",message="spec.analysis.canaryReplicas must be a number of pods of at least 1, or a percentage from 1% to 100%"
	CanaryReplicas *intstr.IntOrString `json:"canaryReplicas,omitempty"`

	// PrimaryReadyThreshold is the percentage of the primary's pods that must be ready for it to be called
	// so. A primary that is not ready never holds a release up: it may bring what mends it.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	PrimaryReadyThreshold *int32 `json:"primaryReadyThreshold,omitempty"`

	// CanaryReadyThreshold is the percentage of a step's canary pods that must be ready before it gets its
	// traffic. To be promoted it needs all of them.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	CanaryReadyThreshold *int32 `json:"canaryReadyThreshold,omitempty"`

	// SessionAffinity keeps a user who has met the canary there, by a cookie, as long as the run lasts.
	// +optional
	SessionAffinity *SessionAffinity `json:"sessionAffinity,omitempty"`

	// Metrics are the checks of each step. Without any, a step passes when its interval is over and
	// its pods are healthy.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Metrics []CanaryMetric `json:"metrics,omitempty"`

	// Pace is when a pause with a duration ends: fixed, when its time is over; adaptive, as soon as every comparison has
	// shown that the canary is not as bad as its limit, but not before minStep.
	// +optional
	// +kubebuilder:default=fixed
	// +kubebuilder:validation:Enum=fixed;adaptive
	Pace string `json:"pace,omitempty"`

	// MinStep is the least time that a step lasts with pace adaptive. Defaults to the interval.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('1s')",message="spec.analysis.minStep must be a duration of at least 1s, for example 2m"
	MinStep string `json:"minStep,omitempty"`

	// NoDataDeadline is how long rounds without data, or of queries that could not be asked, may hold a step before
	// the run is rolled back. Without it, they hold as long as it takes.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('1s')",message="spec.analysis.noDataDeadline must be a duration of at least 1s, for example 30m"
	NoDataDeadline string `json:"noDataDeadline,omitempty"`

	// Guard watches the canary's errors between the rounds of checks.
	// +optional
	Guard *Guard `json:"guard,omitempty"`

	// Webhooks are the gates of a run, and what else is called in it.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Webhooks []CanaryWebhook `json:"webhooks,omitempty"`

	// Alerts are who is told of the runs. Without any, it is who the operator's flags name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Alerts []CanaryAlert `json:"alerts,omitempty"`
}

// Guard compares the errors of canary and primary at short intervals as long as the canary has traffic, whatever the
// steps wait for, and rolls back as soon as there is strong evidence that the canary is worse. It is on wherever
// the requests of both are counted in the Prometheus of the built-in metrics, and silent where they are not.
type Guard struct {
	// Disabled turns it off.
	// +optional
	Disabled bool `json:"disabled,omitempty"`

	// Interval between two looks.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('1s')",message="spec.analysis.guard.interval must be a duration of at least 1s, for example 10s"
	Interval string `json:"interval,omitempty"`

	// Tolerance is how many times as often as the primary's the canary's requests may fail.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Tolerance float64 `json:"tolerance,omitempty"`

	// Confidence is 1 less the probability that a canary as good as tolerated is rolled back in a run.
	// +optional
	// +kubebuilder:default=0.999
	// +kubebuilder:validation:Minimum=0.5
	// +kubebuilder:validation:Maximum=0.999999
	Confidence float64 `json:"confidence,omitempty"`
}

// CanaryStep is one planned split, how long it lasts, and what is judged at it.
//
// +kubebuilder:validation:XValidation:rule="has(self.weight) || has(self.match) || (has(self.mirror) && self.mirror) || has(self.pause)",message="a step needs weight, match, mirror or pause"
type CanaryStep struct {
	// Weight of the canary, in percent. Without it, that of the step before.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Weight *int32 `json:"weight,omitempty"`

	// Pause holds the step for its duration, or without one until a person resumes the run. It is judged all
	// the time, at every interval. Without pause the step is left after the first round that it passes.
	// +optional
	Pause *StepPause `json:"pause,omitempty"`

	// Analysis names the metrics that are judged at this step. Without it, all are.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=63
	Analysis []string `json:"analysis,omitempty"`

	// Match are requests that go to the canary beside its weight.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Match []RequestMatch `json:"match,omitempty"`

	// Mirror copies requests to the canary, as many as spec.analysis.mirrorWeight says.
	// +optional
	Mirror bool `json:"mirror,omitempty"`

	// Replicas is the number of canary pods at this step, or their percentage of the target's replicas.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 10000 : self.matches('^([1-9][0-9]?|100)%$')",message="a step's replicas must be a number of pods of at least 1, or a percentage from 1% to 100%"
	Replicas *intstr.IntOrString `json:"replicas,omitempty"`

	// Gates names the webhooks of type confirm-traffic-increase that must agree before this step. Without it,
	// all of them must.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	Gates []string `json:"gates,omitempty"`
}

// StepPause is how long a step holds.
type StepPause struct {
	// Duration of the pause. Without it, the step holds until a person resumes the run.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('1s')",message="a step's pause.duration must be a duration of at least 1s, for example 10m; leave it out to wait for a person"
	Duration string `json:"duration,omitempty"`
}

// RequestMatch describes requests. All that it says must be so.
//
// +kubebuilder:validation:XValidation:rule="has(self.headers) || has(self.queryParams) || has(self.sourceLabels) || has(self.method)",message="a match needs headers, queryParams, sourceLabels or method"
type RequestMatch struct {
	// Headers by name; `cookie` is one of them.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 256 && k.matches('^[-A-Za-z0-9!#$%&*+.^_|~]+$'))",message="a match's headers need names of letters, digits and hyphens"
	Headers map[string]StringMatch `json:"headers,omitempty"`
	// QueryParams by name.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) >= 1 && size(k) <= 256)",message="a match's queryParams need names of 1 to 256 characters"
	QueryParams map[string]StringMatch `json:"queryParams,omitempty"`
	// SourceLabels of the pods that send the request, in a mesh that knows them.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	SourceLabels map[string]string `json:"sourceLabels,omitempty"`
	// Method of the request. A canary that gets GET alone, for one, is not yet asked to change anything.
	// +optional
	// +kubebuilder:validation:Enum=GET;HEAD;POST;PUT;DELETE;CONNECT;OPTIONS;TRACE;PATCH
	Method string `json:"method,omitempty"`
}

// StringMatch describes a text.
//
// +kubebuilder:validation:XValidation:rule="[has(self.exact), has(self.prefix), has(self.regex)].filter(x, x).size() == 1",message="a text is matched by one of exact, prefix and regex"
type StringMatch struct {
	// Exact is the whole text.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Exact string `json:"exact,omitempty"`
	// Prefix is how the text begins.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Prefix string `json:"prefix,omitempty"`
	// Regex is a regular expression, in the syntax of the proxy, for the whole text.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Regex string `json:"regex,omitempty"`
}

// SessionAffinity is the cookie by which a user stays with the canary.
type SessionAffinity struct {
	// CookieName is the name of the cookie that the canary's answers set.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-A-Za-z0-9!#$%&*+.^_|~]+$')",message="sessionAffinity.cookieName must be made of letters, digits, hyphens and underscores"
	CookieName string `json:"cookieName"`
	// MaxAge of the cookie in seconds.
	// +optional
	// +kubebuilder:default=86400
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	MaxAge int32 `json:"maxAge,omitempty"`
	// Domain of the cookie.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[.]?[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$')",message="sessionAffinity.domain must be a host name"
	Domain string `json:"domain,omitempty"`
	// Path of the cookie.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[^;, ]*$')",message="sessionAffinity.path must begin with a slash and hold no semicolon, comma or space"
	Path string `json:"path,omitempty"`
	// HTTPOnly hides the cookie from scripts.
	// +optional
	HTTPOnly bool `json:"httpOnly,omitempty"`
	// Secure lets the cookie travel over TLS alone.
	// +optional
	Secure bool `json:"secure,omitempty"`
	// Partitioned keeps the cookie apart for each top-level site.
	// +optional
	Partitioned bool `json:"partitioned,omitempty"`
	// SameSite says whether other sites' requests carry the cookie.
	// +optional
	// +kubebuilder:validation:Enum=Strict;Lax;None
	SameSite string `json:"sameSite,omitempty"`
}
