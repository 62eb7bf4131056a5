package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AlertSeverity is how much a person ought to care.
//
// +kubebuilder:validation:Enum=info;warn;error
type AlertSeverity string

// The severities, from the least to the greatest.
const (
	// SeverityInfo is what goes as it should.
	SeverityInfo AlertSeverity = "info"
	// SeverityWarn is what waits for a person, or may become bad news.
	SeverityWarn AlertSeverity = "warn"
	// SeverityError is a release that failed, or a Canary that cannot go on.
	SeverityError AlertSeverity = "error"
)

// Reaches says that news of severity s are for somebody who wants to hear of least and worse.
func (s AlertSeverity) Reaches(least AlertSeverity) bool { return s.rank() >= least.rank() }

func (s AlertSeverity) rank() int {
	switch s {
	case SeverityError:
		return 2 //nolint:mnd // the greatest of three
	case SeverityWarn:
		return 1
	}
	return 0
}

// The kinds that alerts name as their providers.
const (
	KindAlertProvider        = "AlertProvider"
	KindClusterAlertProvider = "ClusterAlertProvider"
)

// CanaryAlert is who is told of the Canary's runs.
type CanaryAlert struct {
	// Name of the alert, for people.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Severity is the least that is told: info is everything, warn leaves out what goes as it should, and error is
	// failed releases and what cannot go on. The release that mends a failed one is told to all.
	// +optional
	// +kubebuilder:default=info
	Severity AlertSeverity `json:"severity,omitempty"`

	// ProviderRef names the provider that tells.
	ProviderRef AlertProviderRef `json:"providerRef"`

	// Mute are reasons that are not told.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:Enum=Aborted;CheckErrored;CheckFailed;GateClosed;GateTimeout;LeftPaused;NewRevision;NoData;OutOfBand;Paused;PostRolloutFailed;PrimaryMoved;Promoted;RolledBack;StallEnded;Stalled;Superseded
	Mute []string `json:"mute,omitempty"`
}

// AlertProviderRef names an AlertProvider or a ClusterAlertProvider.
//
// +kubebuilder:validation:XValidation:rule="!has(self.kind) || self.kind != 'ClusterAlertProvider' || !has(self.namespace)",message="providerRef.namespace is for kind AlertProvider; a ClusterAlertProvider is in none"
type AlertProviderRef struct {
	// Kind of the provider.
	// +optional
	// +kubebuilder:default=AlertProvider
	// +kubebuilder:validation:Enum=AlertProvider;ClusterAlertProvider
	Kind string `json:"kind,omitempty"`
	// Name of the provider.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of an AlertProvider. Defaults to the Canary's.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// MaxAlerts is the most alerts that a status holds.
const MaxAlerts = 32

// AlertStatus is an alert that somebody is still to be told. It holds all that is told, because the run may be over, and
// another on, when that can be done.
type AlertStatus struct {
	// ID is the same whenever the same thing is told again.
	ID string `json:"id"`
	// Reason in one word.
	Reason string `json:"reason"`
	// Severity of the alert.
	Severity AlertSeverity `json:"severity"`
	// Message in one sentence.
	Message string `json:"message"`
	// At is when it came about.
	At metav1.MicroTime `json:"at"`
	// To are those who have not been told yet.
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	To []string `json:"to"`
	// Run, Revision and Images that it is about.
	// +optional
	Run string `json:"run,omitempty"`
	// +optional
	Revision string `json:"revision,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Images []string `json:"images,omitempty"`
	// Phase, Step and Weight as they were, and the largest weight that the run reached.
	// +optional
	Phase Phase `json:"phase,omitempty"`
	// +optional
	Step string `json:"step,omitempty"`
	// +optional
	Weight int32 `json:"weight,omitempty"`
	// +optional
	MaxWeight int32 `json:"maxWeight,omitempty"`
	// Check that failed, where one did.
	// +optional
	Check *AlertCheck `json:"check,omitempty"`
	// Dropped are older alerts that there was no room for.
	// +optional
	Dropped int32 `json:"dropped,omitempty"`
}

// AlertCheck is a check as it stood when an alert came about.
type AlertCheck struct {
	// Name of the metric.
	Name string `json:"name"`
	// Value that was judged, and the primary's.
	// +optional
	Value string `json:"value,omitempty"`
	// +optional
	Baseline string `json:"baseline,omitempty"`
	// Message is the verdict in one sentence.
	// +optional
	Message string `json:"message,omitempty"`
}
