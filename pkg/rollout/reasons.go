package rollout

// Every reason that a condition, an event or a record of the history can have is a constant here or in the package of
// the API, with its meaning as its comment: docs/reference/reasons.md is made of these, and docs/troubleshooting.md has
// a section for each. What a kubelet says of a broken pod is passed on as it is.

// Not accepted: the reasons of Accepted=False. Nothing new is begun. Before the adoption nothing is touched, and a run
// stays at its step; broken pods still roll it back.
const (
	// ReasonTargetTaken is told where another, older Canary names the same target.
	ReasonTargetTaken = "TargetTaken"
	// ReasonTargetNotUsable is told where the pods that serve have no label by which they could be told from others.
	ReasonTargetNotUsable = "TargetNotUsable"
	// ReasonStrategyNotSupported is told where a StatefulSet has `updateStrategy.type: OnDelete`, with which it has no
	// partition.
	ReasonStrategyNotSupported = "StrategyNotSupported"
	// ReasonPartitionInUse is told where somebody else has set a StatefulSet's partition.
	ReasonPartitionInUse = "PartitionInUse"
	// ReasonNotInPlace is told where a field asks for a canary beside the whole primary, which a target has not whose
	// pods are replaced in place.
	ReasonNotInPlace = "NotInPlace"
	// ReasonProviderMissing is told where neither the Canary nor the operator names a router.
	ReasonProviderMissing = "ProviderMissing"
	// ReasonProviderNotServed is told where Weir has no such router, or the cluster not the router's kinds, or Weir no
	// rights on them.
	ReasonProviderNotServed = "ProviderNotServed"
	// ReasonVersionNotServed is told where the provider names a version of the router's kinds that is not served.
	ReasonVersionNotServed = "VersionNotServed"
	// ReasonProviderNotKnative is told where a Knative Service is the target of another router, or another target that of
	// the router `knative`.
	ReasonProviderNotKnative = "ProviderNotKnative"
	// ReasonProviderNotInPlace is told where the target's pods are replaced in place, and the router does not let traffic
	// follow them.
	ReasonProviderNotInPlace = "ProviderNotInPlace"
	// ReasonFieldNotServed is told where the router does not offer what a field asks for.
	ReasonFieldNotServed = "FieldNotServed"
	// ReasonMatchNotServed is told where the router cannot say a match in its own words.
	ReasonMatchNotServed = "MatchNotServed"
	// ReasonIngressMissing is told where the router needs an Ingress and the Canary names none.
	ReasonIngressMissing = "IngressMissing"
	// ReasonRouteMissing is told where the router needs a route of the user's and the Canary names none.
	ReasonRouteMissing = "RouteMissing"
	// ReasonRouteNotServed is told where `routeRefs` names a kind or rules that the router does not shift.
	ReasonRouteNotServed = "RouteNotServed"
	// ReasonRouteNotUsable is told where the route cannot be made or taken over.
	ReasonRouteNotUsable = "RouteNotUsable"
	// ReasonServiceNotOurs is told where a Service `<apex>-primary` or `<apex>-canary` exists that Weir did not make.
	ReasonServiceNotOurs = "ServiceNotOurs"
	// ReasonSelectorMissing is told where the apex has no selector, so that there is nothing to split.
	ReasonSelectorMissing = "SelectorMissing"
	// ReasonSelectorMismatch is told where the apex does not select the target's pods.
	ReasonSelectorMismatch = "SelectorMismatch"
	// ReasonSelectorNotSupported is told where the target selects its pods by expressions alone, and there is no apex.
	ReasonSelectorNotSupported = "SelectorNotSupported"
	// ReasonPortNotFound is told where the apex does not have the port that the Canary names.
	ReasonPortNotFound = "PortNotFound"
	// ReasonConfigNotReadable is told where `configTracking` needs what the operator may not read.
	ReasonConfigNotReadable = "ConfigNotReadable"
	// ReasonConditionInvalid is told where the condition of a metric is no CEL expression that can be used.
	ReasonConditionInvalid = "ConditionInvalid"
	// ReasonTemplateNotFound is told where a metric names a template that does not exist.
	ReasonTemplateNotFound = "TemplateNotFound"
	// ReasonTemplateNotReadable is told where the cluster does not have the kind ClusterMetricTemplate, or Weir no rights
	// on it.
	ReasonTemplateNotReadable = "TemplateNotReadable"
	// ReasonTemplateInvalid is told where a template cannot be asked, or does not fit how the metric is judged.
	ReasonTemplateInvalid = "TemplateInvalid"
	// ReasonMetricsServerMissing is told where a metric has no Prometheus to ask.
	ReasonMetricsServerMissing = "MetricsServerMissing"
	// ReasonCrossNamespaceRef is told where the Canary names an object of another namespace, and the operator's
	// `--no-cross-namespace-refs` is on.
	ReasonCrossNamespaceRef = "CrossNamespaceRef"
	// ReasonProfileLimit is told where the Canary does not keep to a limit of its CanaryProfile.
	ReasonProfileLimit = "ProfileLimit"
	// ReasonProfileNotFound is told where the CanaryProfile that is named does not exist. It is an event on an annotated
	// workload, too.
	ReasonProfileNotFound = "ProfileNotFound"
	// ReasonProfileNotReadable is told where the cluster does not have the kind CanaryProfile, or Weir no rights on it. It
	// is an event on an annotated workload, too.
	ReasonProfileNotReadable = "ProfileNotReadable"
)

// How a Canary stands: the reasons of Ready, Progressing and Stalled, which all three have the same one. It is one of
// those above, or one of these, or how the last run ended.
const (
	// ReasonAccepted is that of the condition Accepted when it is True: the spec can be carried out.
	ReasonAccepted = "Accepted"
	// ReasonInitializing is there while the Services and the route are being made.
	ReasonInitializing = "Initializing"
	// ReasonTargetNotFound is there while the target does not exist.
	ReasonTargetNotFound = "TargetNotFound"
	// ReasonTargetRolling is there while the target is not rolled out, so that it cannot be adopted yet.
	ReasonTargetRolling = "TargetRollingOut"
	// ReasonRouteRefused is there while a controller does not serve the route, or an Ingress cannot be divided any more.
	ReasonRouteRefused = "RouteNotAccepted"
	// ReasonInitialized is there from the adoption to the first run. It is an event, too: the target is adopted.
	ReasonInitialized = "Initialized"
	// ReasonWaitingForPods is there while the canary has not the pods that it needs; of the condition PrimaryReady, while
	// the primary has not.
	ReasonWaitingForPods = "WaitingForPods"
	// ReasonPodsReady is that of the condition PrimaryReady when it is True.
	ReasonPodsReady = "PodsReady"
	// ReasonIndivisible is there while the target has one pod, of which no part can be released in place.
	ReasonIndivisible = "TooFewPods"
	// ReasonReplacing is there while the last pods of a target are replaced in place.
	ReasonReplacing = "ReplacingPods"
	// ReasonScaledToZero is there while the target has no pods.
	ReasonScaledToZero = "ScaledToZero"
	// ReasonAnalysing is there while a step is on.
	ReasonAnalysing = "Analysing"
	// ReasonNoData is there while a check has no answer, and holds the step. It is an event, too, once a step, after three
	// intervals. As the cause of an end, that lasted for `noDataDeadline`.
	ReasonNoData = "NoData"
	// ReasonCheckErrored is there while a check cannot be asked, and holds the step. It is an event, too, once a step,
	// after three intervals. As the cause of an end, that lasted for `noDataDeadline`.
	ReasonCheckErrored = "CheckErrored"
	// ReasonCheckFailed is there after a round in which a check failed, and is an event then, too. As the cause of an end,
	// the threshold of such rounds was reached, or the guard has seen enough.
	ReasonCheckFailed = "CheckFailed"
	// ReasonGateClosed is there while a webhook, or a person, has not agreed yet. It is an event, too, once a step.
	ReasonGateClosed = "GateClosed"
	// ReasonQueued is there while a run waits for its turn, because its CanaryProfile lets so many be on at once.
	ReasonQueued = "Queued"
	// ReasonPaused is there while a person has paused the run, or its step waits for one. It is an event, too, once a step.
	ReasonPaused = "Paused"
	// ReasonSuspended is there while `spec.suspend` keeps everything as it is. It is that of the condition Suspended, too.
	ReasonSuspended = "Suspended"
	// ReasonBaking is there while the canary has all of the traffic for `promotionDelay`, and is judged.
	ReasonBaking = "Baking"
	// ReasonScaleDownDelay is there while the old pods stay for `scaleDownDelay`.
	ReasonScaleDownDelay = "ScaleDownDelay"
	// ReasonRetiring is there while the pods of an earlier run are being removed.
	ReasonRetiring = "Retiring"
	// ReasonSettling is there while a change of the route or of the Services settles.
	ReasonSettling = "Settling"
	// ReasonHandingOver is there while the canary's pods become the Deployment's.
	ReasonHandingOver = "HandingOver"
	// ReasonHandedOver is there while the Deployment lets go of its old pods.
	ReasonHandedOver = "HandedOver"
	// ReasonDeleted is there while everything is being given back. As the cause of an end, the Canary was deleted.
	ReasonDeleted = "Deleted"
)

// Causes of an end: why a run ended as it did, in the condition Promoted and in `status.history`. Beside these there are
// NoData, CheckErrored, CheckFailed and Deleted, and what the kubelet says of a pod.
const (
	// ReasonPassed is the cause of a promotion: every step passed.
	ReasonPassed = "Passed"
	// ReasonNotAnalysed is the cause of a promotion: there was nothing to analyse.
	ReasonNotAnalysed = "NotAnalysed"
	// ReasonFull is the cause of a promotion: a person asked for it in full.
	ReasonFull = "PromotedInFull"
	// ReasonOutOfBand is the cause of a promotion: somebody resumed the Deployment, or let another target go. It is an
	// event, too, on the target as well.
	ReasonOutOfBand = "OutOfBand"
	// ReasonNewRevision is the cause of Superseded: the template changed again. As an event, on the target as well, a run
	// begins. While one is on, it is the reason of Promoted=Unknown.
	ReasonNewRevision = "NewRevision"
	// ReasonAborted is the cause of Aborted: a person asked for it.
	ReasonAborted = "Aborted"
	// ReasonGateTimeout is the cause of Aborted: a gate did not agree in time. As an event, it did not, and its `onTimeout`
	// lets the run go on.
	ReasonGateTimeout = "GateTimeout"
	// ReasonTargetReplaced is the cause of Aborted: the target was deleted and made anew.
	ReasonTargetReplaced = "TargetReplaced"
	// ReasonProgressDeadline is the cause of RolledBack: a step had not its pods within
	// `progressDeadlineSeconds`.
	ReasonProgressDeadline = "ProgressDeadlineExceeded"
	// ReasonRollbackGate is the cause of RolledBack: a webhook of type `rollback` asked for it.
	ReasonRollbackGate = "RollbackGate"
)

// Events alone, on the Canary.
const (
	// ReasonWeightChanged is told when the canary gets another share.
	ReasonWeightChanged = "WeightChanged"
	// ReasonPromoting is told when every step has passed.
	ReasonPromoting = "Promoting"
	// ReasonCommand is told when a person's command was carried out.
	ReasonCommand = "Command"
	// ReasonCommandRefused is told, as a warning, when it was not.
	ReasonCommandRefused = "CommandRefused"
	// ReasonPostRollout is told, as a warning, when a webhook of type `post-rollout` refused, or was not reached.
	ReasonPostRollout = "PostRolloutFailed"
	// ReasonSplitChanged is told, as a warning, when the route, or what the apex selects, is not as Weir left it. Once a
	// step.
	ReasonSplitChanged = "SplitChanged"
	// ReasonPrimaryMoved is told, as a warning, on the target as well, when the target scaled up another of its revisions
	// in place of the one that served.
	ReasonPrimaryMoved = "PrimaryMoved"
	// ReasonLeftPaused is told, as a warning, on the target as well, when the Canary is gone and the target stays paused,
	// or held, because its template is not what serves.
	ReasonLeftPaused = "LeftPaused"
	// ReasonStalled is told, as a warning, when nothing goes on until a person does something.
	ReasonStalled = "Stalled"
	// ReasonStallEnded is told when it goes on.
	ReasonStallEnded = "StallEnded"
	// ReasonAlertNotTold is told, as a warning, when an alert could not be told to somebody, who is tried again; or when it
	// was given up after a day.
	ReasonAlertNotTold = "AlertNotTold"
)

// Events on an annotated workload.
const (
	// ReasonCanaryMade is told when the Canary is made.
	ReasonCanaryMade = "CanaryMade"
	// ReasonCanaryRemoved is told when the annotation is gone, and the Canary goes with it.
	ReasonCanaryRemoved = "CanaryRemoved"
	// ReasonCanaryExists is told, as a warning, when another Canary is in the way.
	ReasonCanaryExists = "CanaryExists"
	// ReasonCanaryRefused is told, as a warning, when the API server does not take the Canary.
	ReasonCanaryRefused = "CanaryRefused"
	// ReasonAnnotationInvalid is told, as a warning, when an annotation cannot be used.
	ReasonAnnotationInvalid = "AnnotationInvalid"
	// ReasonFieldKept is told when a field of the Canary was set by somebody else, and stays so.
	ReasonFieldKept = "FieldKept"
)
