package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Verdict is the judgement of one check.
type Verdict string

// The verdicts. Only Failed speaks against the canary.
const (
	VerdictPassed  Verdict = "Passed"
	VerdictFailed  Verdict = "Failed"
	VerdictNoData  Verdict = "NoData"
	VerdictErrored Verdict = "Errored"
)

// CheckStatus is the latest answer of one metric.
type CheckStatus struct {
	// Name of the metric.
	Name string `json:"name"`
	// Verdict on the canary.
	Verdict Verdict `json:"verdict"`
	// Value that was judged, where there was one.
	// +optional
	Value string `json:"value,omitempty"`
	// Baseline is the primary's value, where it was asked for.
	// +optional
	Baseline string `json:"baseline,omitempty"`
	// Evidence is what a comparison rests on.
	// +optional
	Evidence *EvidenceStatus `json:"evidence,omitempty"`
	// Failures is how often the metric has failed in this run, where it has a failureLimit.
	// +optional
	Failures int32 `json:"failures,omitempty"`
	// Message says what was compared with what, or why there is no value.
	// +optional
	Message string `json:"message,omitempty"`
	// Query that was sent.
	// +optional
	Query string `json:"query,omitempty"`
	// Answer is what came of it, shortened.
	// +optional
	Answer string `json:"answer,omitempty"`
	// At is when it was judged.
	At metav1.Time `json:"at"`
}

// EvidenceStatus is what a comparison rests on.
type EvidenceStatus struct {
	// Value is the e-value: how many times as well a worse canary explains what was counted as one that is as good as
	// tolerated. The comparison fails when it reaches Needed.
	Value string `json:"value"`
	// Needed is 1 divided by the error probability.
	Needed string `json:"needed"`
	// NotWorse says that the canary was shown not to be as bad as the limit.
	// +optional
	NotWorse bool `json:"notWorse,omitempty"`
	// Ratio is how many times as often as the primary's the canary's requests were bad; absent where that is not known.
	// +optional
	Ratio string `json:"ratio,omitempty"`
	// Windows that were counted.
	Windows int32 `json:"windows"`
	// Canary and Primary are what was counted in them.
	Canary  CountStatus `json:"canary"`
	Primary CountStatus `json:"primary"`
}

// CountStatus is what one revision's requests came to.
type CountStatus struct {
	// Requests that were answered.
	Requests int64 `json:"requests"`
	// Bad are those of them that failed, or were slow.
	Bad int64 `json:"bad"`
}

// MetricState is what is remembered of a metric between two rounds, for the run that is on.
type MetricState struct {
	// Name of the metric, or guard.
	Name string `json:"name"`
	// Failures is how often it has failed, where it has a failureLimit.
	// +optional
	Failures int32 `json:"failures,omitempty"`
	// Evidence in JSON, for nobody but the comparison.
	// +optional
	Evidence string `json:"evidence,omitempty"`
	// Step that it was last compared at.
	// +optional
	Step int32 `json:"step,omitempty"`
	// Before is how many requests of the canary's were counted before that step.
	// +optional
	Before int64 `json:"before,omitempty"`
}
