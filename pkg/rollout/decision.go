package rollout

import (
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Decision is the world that should hold until the next look. Every field can be carried out any
// number of times; the order across looks comes from the phases.
type Decision struct {
	// Status to commit, whole.
	Status v1beta1.CanaryStatus
	// Pause says what becomes of the target's spec.paused.
	Pause Pause
	// Services that must exist.
	Services ServicePlan
	// Pins of the Services' selectors to one pod-template-hash.
	Pins Pins
	// Route is what becomes of the route.
	Route RoutePlan
	// Split to be in force, where Route is RouteApplied.
	Split Split
	// Candidate is what becomes of the ReplicaSet of status.canary.
	Candidate ReplicaSetPlan
	// Retiring is what becomes of the ReplicaSet of status.retiring.
	Retiring ReplicaSetPlan
	// ConfigDigest is what the target's template must carry in the annotation weir.dev/config-digest; empty
	// where it need not.
	ConfigDigest string
	// HandOver passes the candidate to the target.
	HandOver bool
	// Queued says that it is handed over although the target has a newer template, which waits for it.
	Queued bool
	// Primary is what becomes of the ReplicaSet of status.primary; it is left to the target but for one that a
	// canary was handed over beside a newer template.
	Primary ReplicaSetPlan
	// Finalizer says whether the Canary's finalizer must be there.
	Finalizer bool
	// Notices to announce once the status is committed.
	Notices []Notice
	// Next is how long until the next look if nothing wakes it before; zero means never.
	Next time.Duration
}

// Pause is what becomes of spec.paused.
type Pause string

// What can become of spec.paused.
const (
	// PauseLeave changes nothing.
	PauseLeave Pause = ""
	// PauseSet owns the field and sets it.
	PauseSet Pause = "Set"
	// PauseAtRest owns the field. It is set unless the API server pauses the target in the request that changes its
	// template: until then there is nothing to hold.
	PauseAtRest Pause = "AtRest"
	// PauseRelease gives the field up, so that it is again what it was.
	PauseRelease Pause = "Release"
)

// ServicePlan is what becomes of the Services.
type ServicePlan string

// What can become of the Services.
const (
	// ServicesLeave changes nothing but the pins.
	ServicesLeave ServicePlan = ""
	// ServicesApplied makes those that are missing and keeps Weir's own as they ought to be.
	ServicesApplied ServicePlan = "Applied"
	// ServicesReleased deletes the primary and canary Services and gives up an apex that was made.
	ServicesReleased ServicePlan = "Released"
)

// Pins hold the Services to one revision's pods; an empty hash is the plain selector.
type Pins struct {
	Apex, Primary, Canary string
}

// RoutePlan is what becomes of the route.
type RoutePlan string

// What can become of the route.
const (
	// RouteLeave changes nothing.
	RouteLeave RoutePlan = ""
	// RouteApplied keeps the route with the decision's split.
	RouteApplied RoutePlan = "Applied"
	// RouteReleased gives the route back as it was found.
	RouteReleased RoutePlan = "Released"
)

// ReplicaSetPlan is what becomes of a ReplicaSet of Weir's.
type ReplicaSetPlan struct {
	// State that it ought to be in.
	State ReplicaSetState
	// Replicas that it ought to have, where State is ReplicaSetPresent.
	Replicas int32
}

// ReplicaSetState is what becomes of a ReplicaSet of Weir's.
type ReplicaSetState string

// What can become of a ReplicaSet.
const (
	// ReplicaSetLeave changes nothing.
	ReplicaSetLeave ReplicaSetState = ""
	// ReplicaSetPresent makes it from the target's template where it is missing (or borrows the
	// target's equal old one, or takes back one that was handed over), and scales it.
	ReplicaSetPresent ReplicaSetState = "Present"
	// ReplicaSetAbsent scales it to zero and, once it has no pods, deletes it or gives it back.
	ReplicaSetAbsent ReplicaSetState = "Absent"
)

// Notice is something that people are told: by an event, and by an alert.
type Notice struct {
	// ID is the same whenever the same thing is told again.
	ID string
	// Reason in one CamelCase word.
	Reason string
	// Warning says that it is bad news.
	Warning bool
	// Message in one sentence.
	Message string
	// OnTarget says that it is told on the target, too.
	OnTarget bool
	// Severity of the alert that it is; empty where it is none, and an event is enough.
	Severity v1beta1.AlertSeverity
	// Mends is the severity of what it ends, so that whoever heard of that hears of this; empty where it ends nothing.
	Mends v1beta1.AlertSeverity
}
