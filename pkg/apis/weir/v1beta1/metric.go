package v1beta1

// What to do when a check has no answer to judge.
const (
	// Hold keeps the step as it is and asks again an interval later.
	Hold = "Hold"
	// Fail counts the missing answer as a failed check.
	Fail = "Fail"
	// Pass counts the missing answer as a passed check.
	Pass = "Pass"
)

// The metrics that need no template.
const (
	RequestSuccessRate = "request-success-rate"
	RequestDuration    = "request-duration"
)

// CanaryMetric is one metric that the canary is judged by.
//
// +kubebuilder:validation:XValidation:rule="has(self.templateRef) || self.name in ['request-success-rate', 'request-duration']",message="a metric needs a templateRef unless it is built in (request-success-rate, request-duration)"
type CanaryMetric struct {
	// Name of the metric. `request-success-rate` (percent of requests without a server error) and
	// `request-duration` (99th percentile, in milliseconds) are built in.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('webhook/')",message="a metric's name cannot begin with webhook/: so the checks of webhooks are named in the status"
	Name string `json:"name"`

	// Interval is the window of the query. Defaults to the analysis interval.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('1s')",message="a metric's interval must be a duration of at least 1s, for example 30s"
	Interval string `json:"interval,omitempty"`

	// ThresholdRange holds the accepted values, bounds included.
	ThresholdRange ThresholdRange `json:"thresholdRange"`

	// TemplateRef names the MetricTemplate that is asked.
	// +optional
	TemplateRef *TemplateRef `json:"templateRef,omitempty"`

	// TemplateVariables are given to the template's function `variables`.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	TemplateVariables map[string]string `json:"templateVariables,omitempty"`

	// OnNoData says what a query without an answer means: Hold keeps the step, Fail counts a failed
	// check, Pass a passed one.
	// +optional
	// +kubebuilder:default=Hold
	// +kubebuilder:validation:Enum=Hold;Fail;Pass
	OnNoData string `json:"onNoData,omitempty"`

	// OnError says what a query that could not be asked means: Hold keeps the step, Fail counts a
	// failed check.
	// +optional
	// +kubebuilder:default=Hold
	// +kubebuilder:validation:Enum=Hold;Fail
	OnError string `json:"onError,omitempty"`
}

// ThresholdRange is a range of accepted values. Both bounds are accepted values themselves.
//
// +kubebuilder:validation:XValidation:rule="has(self.min) || has(self.max)",message="thresholdRange needs min, max or both"
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || self.min <= self.max",message="thresholdRange.min must not exceed max"
type ThresholdRange struct {
	// Min is the smallest accepted value.
	// +optional
	Min *float64 `json:"min,omitempty"`
	// Max is the largest accepted value.
	// +optional
	Max *float64 `json:"max,omitempty"`
}

// TemplateRef names a MetricTemplate.
type TemplateRef struct {
	// Name of the MetricTemplate.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of the MetricTemplate. Defaults to the Canary's.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}
