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

// When a pause with a duration ends.
const (
	// PaceFixed ends it when its time is over.
	PaceFixed = "fixed"
	// PaceAdaptive ends it as soon as the comparisons have shown enough.
	PaceAdaptive = "adaptive"
)

// The metrics that need no template.
const (
	RequestSuccessRate = "request-success-rate"
	RequestDuration    = "request-duration"
	RequestShare       = "request-share"
)

// What a comparison compares.
const (
	// CompareErrors compares how many of the requests fail.
	CompareErrors = "errors"
	// CompareLatency compares how long requests take, by a bound or by their distribution.
	CompareLatency = "latency"
	// CompareMean compares the mean of a value that is bad when it is large.
	CompareMean = "mean"
	// CompareSplit compares the canary's share of the requests with its weight.
	CompareSplit = "split"
)

// CanaryMetric is one metric that the canary is judged by: by a range of values, by a condition, by comparison with
// the primary, or by the exit code of a Job.
//
// +kubebuilder:validation:XValidation:rule="has(self.templateRef) || self.name in ['request-success-rate', 'request-duration', 'request-share']",message="a metric needs a templateRef unless it is built in (request-success-rate, request-duration, request-share)"
// +kubebuilder:validation:XValidation:rule="[has(self.thresholdRange), has(self.condition), has(self.comparison)].filter(x, x).size() in (has(self.templateRef) ? [0, 1] : [1])",message="a metric is judged by one of thresholdRange, condition and comparison, and by none of them if its template is of type job"
// +kubebuilder:validation:XValidation:rule="has(self.templateRef) || self.name != 'request-share' || has(self.comparison)",message="request-share is judged by comparison, with the weight"
// +kubebuilder:validation:XValidation:rule="!has(self.comparison) || !has(self.comparison.kind) || self.comparison.kind in (has(self.templateRef) ? ['errors', 'mean'] : self.name == 'request-duration' ? ['latency', 'mean'] : self.name == 'request-share' ? ['split'] : ['errors'])",message="comparison.kind is errors or mean for a template, latency or mean for request-duration, split for request-share, and errors for request-success-rate"
// +kubebuilder:validation:XValidation:rule="!has(self.weight) || has(self.comparison) && self.name != 'request-share' && !(has(self.dryRun) && self.dryRun)",message="weight is for comparisons that are judged together: not for request-share, and not with dryRun"
// +kubebuilder:validation:XValidation:rule="!has(self.comparison) || !has(self.reduce)",message="reduce is for thresholdRange and condition; a comparison counts all series"
// +kubebuilder:validation:XValidation:rule="!has(self.comparison) || !has(self.comparison.bound) || !has(self.templateRef) && self.name == 'request-duration' && (!has(self.comparison.kind) || self.comparison.kind == 'latency')",message="comparison.bound is a duration of requests, for request-duration of kind latency"
type CanaryMetric struct {
	// Name of the metric. `request-success-rate` (percent of requests without a server error),
	// `request-duration` (99th percentile, in milliseconds) and `request-share` (the canary's share of the requests) are
	// built in.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('webhook/') && self != 'guard'",message="a metric's name cannot be guard or begin with webhook/: so other checks are named in the status"
	Name string `json:"name"`

	// Interval is the window of the query. Defaults to the analysis interval.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('1s')",message="a metric's interval must be a duration of at least 1s, for example 30s"
	Interval string `json:"interval,omitempty"`

	// ThresholdRange holds the accepted values, bounds included.
	// +optional
	ThresholdRange *ThresholdRange `json:"thresholdRange,omitempty"`

	// Condition is a CEL expression that is true of an accepted value. It knows value (the canary's), baseline (the
	// primary's, asked for in the same way), weight (the canary's, in percent) and elapsed (since the step's
	// traffic came in force, a duration), as in `value < 0.01 || value < 1.25 * baseline`.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Condition string `json:"condition,omitempty"`

	// Comparison counts requests of canary and primary and fails when there is evidence that the canary is worse:
	// more of its requests fail (request-success-rate), or are slow (request-duration), or what a template counts. Of
	// request-share it holds the step, when there is evidence that the canary does not get what its weight says.
	// +optional
	Comparison *Comparison `json:"comparison,omitempty"`

	// Weight of a comparison among those of the Canary that have one. They are judged together: they fail when the mean
	// of their evidence, so weighted, reaches what the most confident of them needs, and none of them fails alone.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Weight int32 `json:"weight,omitempty"`

	// Reduce makes one value of several series. Without it, several are an error.
	// +optional
	// +kubebuilder:validation:Enum=max;mean;min;sum
	Reduce string `json:"reduce,omitempty"`

	// FailureLimit is how often in a run the metric may fail before its failures count. Until then, a failed check
	// holds the step.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	FailureLimit int32 `json:"failureLimit,omitempty"`

	// DryRun judges the metric and shows the verdict, and neither holds a step nor fails a run by it.
	// +optional
	DryRun bool `json:"dryRun,omitempty"`

	// TemplateRef names the MetricTemplate or ClusterMetricTemplate that is asked.
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

// Comparison is when the canary counts as worse than the primary. It may be looked at as often as one likes:
// the error probability holds for the whole run.
//
// +kubebuilder:validation:XValidation:rule="self.limit >= self.tolerance",message="comparison.limit must not be below tolerance"
type Comparison struct {
	// Kind is what is compared: errors, latency, mean or split. Defaults to what the metric is about; mean is for
	// request-duration and for templates with a sumQuery.
	// +optional
	// +kubebuilder:validation:Enum=errors;latency;mean;split
	Kind string `json:"kind,omitempty"`

	// Tolerance is how many times as often as the primary's the canary's requests may be bad; of a mean, how many times
	// as large it may be, and of a split how far off its odds may be.
	// +optional
	// +kubebuilder:default=1.25
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Tolerance float64 `json:"tolerance,omitempty"`

	// Confidence is 1 less the probability that a canary as good as tolerated fails in a run.
	// +optional
	// +kubebuilder:default=0.95
	// +kubebuilder:validation:Minimum=0.5
	// +kubebuilder:validation:Maximum=0.999999
	Confidence float64 `json:"confidence,omitempty"`

	// Limit is how many times as often as the primary's the canary's requests may be bad for it to count as shown not
	// to be so, which is what pace adaptive waits for.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Limit float64 `json:"limit,omitempty"`

	// Bound makes requests bad that take longer. It must be a bound of the histogram's buckets. Without it, the
	// distributions are compared.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('1ms')",message="comparison.bound must be a duration of at least 1ms, for example 500ms"
	Bound string `json:"bound,omitempty"`

	// MinRequests is how many requests of the canary's a step waits for.
	// +optional
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	MinRequests *int32 `json:"minRequests,omitempty"`
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

// TemplateRef names a MetricTemplate or a ClusterMetricTemplate.
//
// +kubebuilder:validation:XValidation:rule="!has(self.kind) || self.kind != 'ClusterMetricTemplate' || !has(self.__namespace__)",message="a ClusterMetricTemplate is in no namespace: remove templateRef.namespace"
type TemplateRef struct {
	// Kind of the template, MetricTemplate or ClusterMetricTemplate. Defaults to MetricTemplate.
	// +optional
	// +kubebuilder:validation:Enum=MetricTemplate;ClusterMetricTemplate
	Kind string `json:"kind,omitempty"`
	// Name of the template.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of the MetricTemplate. Defaults to the Canary's.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}
