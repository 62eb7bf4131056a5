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
	// Waiting: a new revision is there, and the gates that confirm the rollout have not all agreed yet.
	PhaseWaiting Phase = "Waiting"
	// Progressing: a run is on, and the canary takes the weight of its step.
	PhaseProgressing Phase = "Progressing"
	// WaitingPromotion: every step passed, and whoever must agree to the promotion has not yet; the analysis goes on.
	PhaseWaitingPromotion Phase = "WaitingPromotion"
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
	// OutcomePromoted is there when the last run was promoted. It is an event, too, on the target as well.
	OutcomePromoted Outcome = "Promoted"
	// OutcomeRolledBack is there when the last run was rolled back and the template is still the refused one, with which the
	// Canary is Stalled. It is a warning, too, on the target as well.
	OutcomeRolledBack Outcome = "RolledBack"
	// OutcomeSuperseded is there when the last run gave way to another template. It is an event, too, on the target as well.
	OutcomeSuperseded Outcome = "Superseded"
	// OutcomeAborted is there when the last run was given up, by a person or by a gate's timeout, or because the target or
	// the Canary went. It is an event, too, on the target as well.
	OutcomeAborted Outcome = "Aborted"
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
	// ConditionSuspended: spec.suspend keeps everything as it is.
	ConditionSuspended = "Suspended"
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

	// MirrorWeight is the percentage of requests that is copied to the canary.
	// +optional
	MirrorWeight int32 `json:"mirrorWeight,omitempty"`

	// Match are requests that go to the canary beside its weight.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Match []RequestMatch `json:"match,omitempty"`

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

	// Checks are the latest answers, one a metric; those of webhooks of type rollout are named webhook/NAME.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=48
	Checks []CheckStatus `json:"checks,omitempty"`

	// Gates are the webhooks that were called and those that a run waits for, or has waited for, in the order
	// in which they were first asked.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Gates []GateStatus `json:"gates,omitempty"`

	// LastCommand is the last command that was carried out, or refused.
	// +optional
	LastCommand *CommandStatus `json:"lastCommand,omitempty"`

	// Config is what is known of the ConfigMaps and Secrets of the target's template, with configTracking Restart.
	// +optional
	Config *ConfigStatus `json:"config,omitempty"`

	// Conditions, as usual.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Alerts are those that somebody is still to be told, oldest first.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=32
	Alerts []AlertStatus `json:"alerts,omitempty"`

	// History holds the last ten runs that are over, newest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	History []RunRecord `json:"history,omitempty"`
}

// RevisionStatus names one pod template of the target.
type RevisionStatus struct {
	// ReplicaSet that runs the revision; of a StatefulSet or a DaemonSet the ControllerRevision that holds it.
	ReplicaSet string `json:"replicaSet"`
	// Hash is the value of the label pod-template-hash on its pods; of a StatefulSet or a DaemonSet that of
	// controller-revision-hash.
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
	// Queue is the run's place among those that wait for their turn, by the limits of its CanaryProfile. It has none once its
	// turn has come.
	// +optional
	Queue *QueueStatus `json:"queue,omitempty"`
	// Paused says that a person has paused the run. A person who ends the pause takes it away.
	// +optional
	Paused *PauseStatus `json:"paused,omitempty"`
	// Metrics are what is remembered of metrics from one round to the next: of comparisons, of those with a
	// failureLimit, and of the guard.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=33
	Metrics []MetricState `json:"metrics,omitempty"`
	// Told are what the run has waited for and people were told of, so that they are told once.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Told []string `json:"told,omitempty"`
	// Full says that a person wants it promoted without what is left of its steps and checks.
	// +optional
	Full bool `json:"full,omitempty"`
	// Commands are those that were carried out in this run, the first sixteen.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Commands []CommandStatus `json:"commands,omitempty"`
}

// MaxCommands is the most commands that a status keeps of one run.
const MaxCommands = 16

// QueueStatus is the place of a run that waits for its turn.
type QueueStatus struct {
	// Since is when it began to wait. Whoever waits longer comes first.
	Since metav1.MicroTime `json:"since"`
	// Position is its place, counted from 1, when that was last written: each time that half of those before it are gone, and
	// at each of the last three.
	Position int32 `json:"position"`
}

// PauseStatus is who paused a run, and why.
type PauseStatus struct {
	// Since is when it was paused.
	Since metav1.Time `json:"since"`
	// Actor and Reason of the command.
	// +optional
	Actor string `json:"actor,omitempty"`
	// +optional
	Reason string `json:"reason,omitempty"`
}

// CommandStatus is a command and what came of it.
type CommandStatus struct {
	// ID, Verb, Gate, Full, Reason and Actor as they were given.
	ID string `json:"id"`
	// +optional
	Verb string `json:"verb,omitempty"`
	// +optional
	Gate string `json:"gate,omitempty"`
	// +optional
	Full bool `json:"full,omitempty"`
	// +optional
	Reason string `json:"reason,omitempty"`
	// +optional
	Actor string `json:"actor,omitempty"`
	// At is when it was carried out, or refused.
	At metav1.Time `json:"at"`
	// Accepted says that it was carried out.
	Accepted bool `json:"accepted"`
	// Result is what was done, or why it was refused, in one sentence.
	// +optional
	Result string `json:"result,omitempty"`
}

// GateState is how a gate stands.
type GateState string

// The states of a gate.
const (
	// GateClosed: it was asked and has not agreed, or not been reached, yet.
	GateClosed GateState = "Closed"
	// GateOpen: it agreed.
	GateOpen GateState = "Open"
	// GateApproved: a person agreed in its name.
	GateApproved GateState = "Approved"
	// GateTimedOut: it did not agree in time.
	GateTimedOut GateState = "TimedOut"
	// GatePending: it is still to be called.
	GatePending GateState = "Pending"
	// GateFailed: it was called, and refused or was not reached.
	GateFailed GateState = "Failed"
)

// ManualGate is the name of the gate of spec.analysis.manual.
const ManualGate = "manual"

// GateStatus is how a gate stands.
type GateStatus struct {
	// Name of the webhook, or `manual`.
	Name string `json:"name"`
	// Type of the webhook.
	// +optional
	Type string `json:"type,omitempty"`
	// State of the gate.
	State GateState `json:"state"`
	// Message is its last answer in words, or who approved it.
	// +optional
	Message string `json:"message,omitempty"`
	// Run that waits for it.
	// +optional
	Run string `json:"run,omitempty"`
	// Since is when the run came to it; its gateTimeout counts from here.
	Since metav1.Time `json:"since"`
	// Failures counts how often a webhook of type pre-rollout has refused in this run.
	// +optional
	Failures int32 `json:"failures,omitempty"`
	// FailedAt is when it last refused; it is called again an interval later.
	// +optional
	FailedAt *metav1.MicroTime `json:"failedAt,omitempty"`
}

// ConfigStatus is what is known of the configuration that the target's template mentions.
type ConfigStatus struct {
	// Digest of its content.
	Digest string `json:"digest"`
	// Changed says that it has changed since it was first looked at, so that the template must carry the digest.
	// +optional
	Changed bool `json:"changed,omitempty"`
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
	// TrafficSince is when the step's traffic came in force; its pause counts from here.
	// +optional
	TrafficSince *metav1.MicroTime `json:"trafficSince,omitempty"`
	// Round counts the rounds of checks of this step.
	// +optional
	Round int32 `json:"round"`
	// Passed counts the rounds of this step that passed.
	// +optional
	Passed int32 `json:"passed,omitempty"`
	// HeldSince is when the first of the latest rounds was judged that were all without an answer.
	// +optional
	HeldSince *metav1.MicroTime `json:"heldSince,omitempty"`
	// Skipped says that a person has skipped the step, the last one.
	// +optional
	Skipped bool `json:"skipped,omitempty"`
	// Resumed says that a person has ended the step's pause.
	// +optional
	Resumed bool `json:"resumed,omitempty"`
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
	// Commands are those that were carried out in the run.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Commands []CommandStatus `json:"commands,omitempty"`
}
