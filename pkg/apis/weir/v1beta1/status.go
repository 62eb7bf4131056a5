package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Phase is where a Canary stands in the life of a run.
type Phase string

// The phases. docs/design/lifecycle.md draws how one leads to another.
const (
	// Initializing: the target is being paused, Services and routes are being made.
	PhaseInitializing Phase = "Initializing"
	// Initialized: adopted, and no run has ended yet.
	PhaseInitialized Phase = "Initialized"
	// Progressing: a run is on, and the canary takes the weight of its step.
	PhaseProgressing Phase = "Progressing"
	// Promoting: every step passed; the canary is brought to full size and takes all traffic.
	PhasePromoting Phase = "Promoting"
	// Finalising: the canary's pods are the Deployment's; the routes go back to the primary Service.
	PhaseFinalising Phase = "Finalising"
	// Succeeded: the last run is over, and the target serves what it ought to.
	PhaseSucceeded Phase = "Succeeded"
	// Failed: the last run was rolled back; the target's template is not what serves.
	PhaseFailed Phase = "Failed"
	// Terminating: the Canary is being deleted, and everything is given back.
	PhaseTerminating Phase = "Terminating"
)

// Outcome is how a run ended.
type Outcome string

// The outcomes.
const (
	OutcomePromoted   Outcome = "Promoted"
	OutcomeRolledBack Outcome = "RolledBack"
	OutcomeSuperseded Outcome = "Superseded"
	OutcomeAborted    Outcome = "Aborted"
)

// Verdict is the judgement of one check.
type Verdict string

// The verdicts. Only Failed speaks against the canary.
const (
	VerdictPassed  Verdict = "Passed"
	VerdictFailed  Verdict = "Failed"
	VerdictNoData  Verdict = "NoData"
	VerdictErrored Verdict = "Errored"
)

// The condition types.
const (
	// ConditionAccepted: the spec can be carried out as it is written.
	ConditionAccepted = "Accepted"
	// ConditionReady: the target serves what it ought to, and no run is on.
	ConditionReady = "Ready"
	// ConditionProgressing: a run or an adoption is on.
	ConditionProgressing = "Progressing"
	// ConditionStalled: nothing goes on until a person does something.
	ConditionStalled = "Stalled"
	// ConditionPromoted: the last run was promoted (True), ended otherwise (False), or is on (Unknown).
	ConditionPromoted = "Promoted"
	// ConditionPrimaryReady: during a run, the revision that serves has all of its pods. A run goes on without.
	ConditionPrimaryReady = "PrimaryReady"
)

// MaxImages is the most images that a status holds of one revision.
const MaxImages = 16

// CanaryStatus is what Weir last committed to. It is all that Weir remembers of a run.
type CanaryStatus struct {
	// ObservedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Phase is where the Canary stands.
	// +optional
	Phase Phase `json:"phase,omitempty"`

	// Weight is the canary's share of the traffic, in percent.
	// +optional
	Weight int32 `json:"weight"`

	// WeightSince is when the split, or what stands behind it, was last changed.
	// +optional
	WeightSince *metav1.MicroTime `json:"weightSince,omitempty"`

	// Primary is the revision that serves.
	// +optional
	Primary *RevisionStatus `json:"primary,omitempty"`

	// Canary is the revision under test, or the one that was last rolled back.
	// +optional
	Canary *RevisionStatus `json:"canary,omitempty"`

	// Retiring is a revision of an earlier run whose pods are still to be removed.
	// +optional
	Retiring *RevisionStatus `json:"retiring,omitempty"`

	// Run is the run that is on.
	// +optional
	Run *RunStatus `json:"run,omitempty"`

	// Step is the step that the run is at.
	// +optional
	Step *StepStatus `json:"step,omitempty"`

	// FailedChecks counts the rounds of this run in which a check failed.
	// +optional
	FailedChecks int32 `json:"failedChecks"`

	// Checks are the latest answers, one a metric.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Checks []CheckStatus `json:"checks,omitempty"`

	// Conditions, as usual.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// History holds the last ten runs that are over, newest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	History []RunRecord `json:"history,omitempty"`
}

// RevisionStatus names one pod template of the target.
type RevisionStatus struct {
	// ReplicaSet that runs the revision.
	ReplicaSet string `json:"replicaSet"`
	// Hash is the value of the label pod-template-hash on its pods.
	Hash string `json:"hash"`
	// Images of its containers.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Images []string `json:"images,omitempty"`
	// Replicas that it ought to have.
	// +optional
	Replicas int32 `json:"replicas"`
	// Ready replicas that it had when this was written.
	// +optional
	Ready int32 `json:"ready"`
}

// RunStatus is the run that is on.
type RunStatus struct {
	// ID of the run, unique among the runs of this Canary.
	ID string `json:"id"`
	// StartedAt is when its revision was detected.
	StartedAt metav1.Time `json:"startedAt"`
	// MaxWeight is the largest weight that it reached.
	// +optional
	MaxWeight int32 `json:"maxWeight"`
}

// StepStatus is the step that a run is at.
type StepStatus struct {
	// Index of the step, from 0.
	Index int32 `json:"index"`
	// Progress is the step and the number of steps in words, as in `2/5`.
	// +optional
	Progress string `json:"progress,omitempty"`
	// StartedAt is when the step began.
	StartedAt metav1.MicroTime `json:"startedAt"`
	// WaitingSince is since when the step waits for canary pods; the progress deadline counts from
	// here. Absent while it has all that it needs.
	// +optional
	WaitingSince *metav1.MicroTime `json:"waitingSince,omitempty"`
	// JudgedAt is when the step's traffic came in force or its last round of checks was judged; the
	// next round is due an interval later.
	// +optional
	JudgedAt *metav1.MicroTime `json:"judgedAt,omitempty"`
	// Round counts the rounds of checks of this step.
	// +optional
	Round int32 `json:"round"`
}

// CheckStatus is the latest answer of one metric.
type CheckStatus struct {
	// Name of the metric.
	Name string `json:"name"`
	// Verdict on the canary.
	Verdict Verdict `json:"verdict"`
	// Value that was judged, where there was one.
	// +optional
	Value string `json:"value,omitempty"`
	// Message says what was compared with what, or why there is no value.
	// +optional
	Message string `json:"message,omitempty"`
	// Query that was sent.
	// +optional
	Query string `json:"query,omitempty"`
	// At is when it was judged.
	At metav1.Time `json:"at"`
}

// RunRecord is a run that is over.
type RunRecord struct {
	// ID of the run.
	ID string `json:"id"`
	// Revision is the pod-template-hash of what was to be released.
	// +optional
	Revision string `json:"revision,omitempty"`
	// Images of its containers.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Images []string `json:"images,omitempty"`
	// Outcome of the run.
	Outcome Outcome `json:"outcome"`
	// Reason is the outcome's cause in one word.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message is the cause in one sentence.
	// +optional
	Message string `json:"message,omitempty"`
	// StartedAt is when the revision was detected.
	StartedAt metav1.Time `json:"startedAt"`
	// EndedAt is when the outcome was decided.
	EndedAt metav1.Time `json:"endedAt"`
	// MaxWeight is the largest weight that the run reached.
	// +optional
	MaxWeight int32 `json:"maxWeight"`
}
