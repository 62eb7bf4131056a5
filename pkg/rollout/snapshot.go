package rollout

import (
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Snapshot is all that a decision may depend on. It is taken from caches and from answers that have
// already arrived; nothing in it can change under the decision.
type Snapshot struct {
	// Now is the time of the look.
	Now time.Time
	// Canary is the object as last committed: spec, status, and whether it is being deleted.
	Canary *v1beta1.Canary
	// Problems are the reasons why the spec cannot be carried out. Empty means accepted.
	Problems []Problem
	// Target is the workload that the Canary names.
	Target Target
	// Primary is the ReplicaSet named by status.primary, or, before there is one, the only ReplicaSet of
	// the target that has pods; where none has, the one of its template.
	Primary ReplicaSet
	// Serving is the only ReplicaSet of the target's own that has pods; where none has, the one of its template.
	Serving ReplicaSet
	// Candidate is the ReplicaSet of status.canary.
	Candidate ReplicaSet
	// Retiring is the ReplicaSet of status.retiring.
	Retiring ReplicaSet
	// Services are the apex, primary and canary Services.
	Services Services
	// Route is the split in force, as read back.
	Route Route
	// Settle is how long a change of the route takes until traffic follows.
	Settle time.Duration
	// FollowsPods says that traffic is shared out by the pods behind the apex Service, and by nothing else.
	FollowsPods bool
	// Answers are the checks that were asked for by Ask and have been answered since.
	Answers []Answer
	// Guard is the guard's latest answer, nil where there is none of this run.
	Guard *Answer
	// Replies are the latest answers of the webhooks that Ask asked for.
	Replies []Reply
	// Command is what a person wants done, nil where there is nothing new.
	Command *Command
	// Turn is the Canary's place among those whose runs a profile limits; nil where none does.
	Turn *Turn
	// Receivers are who is told by alerts.
	Receivers []Receiver
	// Delivered are alerts that somebody has been told.
	Delivered []Delivery
	// ConfigDigest stands for the content of the ConfigMaps and Secrets that the target's template mentions;
	// empty where it is not tracked or not known.
	ConfigDigest string
}

// Turn is a place in the queue of a profile.
type Turn struct {
	// Granted says that a run may be on now, beside those that are.
	Granted bool
	// Position among those that wait, counted from 1.
	Position int32
	// Limit in words, as in "CanaryProfile careful has maxRuns 5".
	Limit string
}

// Problem is a reason why a spec cannot be carried out.
type Problem struct {
	// Reason in one word, for the condition.
	Reason string
	// Message in one sentence: object, field, way out.
	Message string
	// Lacks is the feature that the router has not, where that is the reason.
	Lacks string
}

// Target is the user's workload as it is now.
type Target struct {
	// Found is false where there is no such workload.
	Found bool
	// Paused says that a new template rolls nothing out: spec.paused of a Deployment, or that the API server would set it
	// in the same request; and of the other kinds an update strategy that is Weir's.
	Paused bool
	// Complete says that every replica is of the current template, available, and no other is left.
	Complete bool
	// Replicas that the target ought to have.
	Replicas int32
	// InPlace says that the pods of a new revision take the place of others, and come beside none; see inplace.go.
	InPlace bool
	// OneWay says, of a target that is released in place, that its pods can be made of its present template alone:
	// there is no way back but by the template.
	OneWay bool
	// ByName says that its revisions get their shares by their names, and are its own from the start: there is nothing
	// to hand over; see byname.go.
	ByName bool
	// Strays are its pods of neither the primary's revision nor the candidate's, where it is released in place.
	Strays int32
	// Revision is the target's present template.
	Revision Revision
}

// Revision is one pod template, compared with the ones that are known.
type Revision struct {
	// Hash that a ReplicaSet of this template has or would get.
	Hash string
	// ReplicaSet that runs it, or the name that it would get.
	ReplicaSet string
	// Images of its containers.
	Images []string
	// IsPrimary, IsCandidate: equal to the template of that ReplicaSet.
	IsPrimary, IsCandidate bool
}

// Owner is who controls a ReplicaSet.
type Owner string

// The owners that matter.
const (
	OwnerCanary Owner = "Canary"
	OwnerTarget Owner = "Target"
	OwnerOther  Owner = "Other"
)

// ReplicaSet is one revision's pods as they are now.
type ReplicaSet struct {
	// Found is false where there is no such ReplicaSet.
	Found bool
	// Name, Hash and Images of the revision it runs.
	Name, Hash string
	Images     []string
	// Owner is who controls it.
	Owner Owner
	// Younger says that it was made after the primary's ReplicaSet.
	Younger bool
	// Desired is spec.replicas; Exists, Ready and Available count its pods.
	Desired, Exists, Ready, Available int32
	// ReadySince is when the last of its ready pods became so; zero where that is not known.
	ReadySince time.Time
	// Stale says that the counts are of an older spec: pods among them may be on their way out.
	Stale bool
	// Broken is the first pod that will not come up by waiting, if any.
	Broken *Broken
}

// Broken is a pod that will not come up by waiting, or a revision of which its own controller says so.
type Broken struct {
	// Pod and, where one is to blame, its container. There is none where the revision as a whole is broken.
	Pod, Container string
	// Reason as the kubelet, or that controller, gives it, such as ImagePullBackOff.
	Reason string
	// Message as it is given there, shortened.
	Message string
}

// Services are the three Services of a Canary as they are now.
type Services struct {
	// Found says that all three exist.
	Found bool
	// Since is when the youngest of them was made.
	Since time.Time
	// Local says that the apex sends its callers to pods on their own node, if to any.
	Local bool
}

// Route is what the router reads back from the cluster.
type Route struct {
	// Found says that the route exists and carries both backends.
	Found bool
	// Split that is written in it.
	Split Split
	// Since is when this process first saw that split. It covers what no status tells: a split that was
	// written by an operator that died before the commit, or by somebody else.
	Since time.Time
	// Accepted says that whoever serves the route has accepted this very version of it.
	Accepted bool
	// Refused is the sentence of who serves it, where it was turned down.
	Refused string
}

// Command is a command of a person's.
type Command struct {
	v1beta1.Command
	// Unreadable says why it could not be read; then the rest is its ID.
	Unreadable string
}

// Answer is a check that has been asked and answered.
type Answer struct {
	// Round that was asked for.
	Round RoundID
	// Check as it will stand in the status.
	Check v1beta1.CheckStatus
	// State is what a comparison remembers once the round is committed, nil where it is none.
	State *v1beta1.MetricState
}
