package metrics

import (
	"fmt"
	"strings"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Vars are what the functions of a query template answer.
type Vars struct {
	// Name and Namespace of the Canary, Target that it names; Service is the apex Service that clients
	// use; Ingress and Route are what it is reached by, where the router has such.
	Name, Namespace, Target, Service, Ingress, Route string
	// Revision that is asked about, primary or canary, its Hash, and its ReplicaSet.
	Revision, Hash, ReplicaSet string
	// PodNames are those of the revision's pods, where they do not tell the revision: pods that are replaced in
	// place keep the names of the ones before, or have random ones.
	PodNames []string
	// Weight of the canary, in percent.
	Weight int32
	// Interval is the window of the query.
	Interval time.Duration
	// Variables are the Canary's own.
	Variables map[string]string
}

// The revisions that a query may be about.
const (
	Canary  = "canary"
	Primary = "primary"
)

// VarsOf are what a Canary's status tells of one of its revisions. Apex is the name of the Service that clients use.
func VarsOf(c *v1beta1.Canary, revision, apex string, window time.Duration, variables map[string]string) Vars {
	v := Vars{
		Name: c.Name, Namespace: c.Namespace, Target: c.Spec.TargetRef.Name, Service: apex, Ingress: apex, Route: apex,
		Revision: revision, Weight: c.Status.Weight, Interval: window, Variables: variables,
	}
	known := c.Status.Canary
	if revision == Primary {
		known = c.Status.Primary
	}
	if known != nil {
		v.Hash, v.ReplicaSet = known.Hash, known.ReplicaSet
	}
	return v
}

const (
	// podBase is how much of a ReplicaSet's name and its hyphen stands in the names of its pods: the API
	// server shortens generated names so that five random characters still fit into 63.
	podBase = 58
	// tellingHash is how many characters of the hash must be left of a name cut short, so that one
	// revision's pods are not taken for the other's.
	tellingHash = 5
)

// Pods is a regular expression of the names of the revision's pods, and of no others. It has no
// backslash, so that it can stand in quotes of any query language. It is an error where the name is so
// long that pods of different revisions are named alike.
func (v Vars) Pods() (string, error) {
	if len(v.PodNames) > 0 {
		return strings.ReplaceAll("("+strings.Join(v.PodNames, "|")+")", ".", "[.]"), nil
	}
	base := v.ReplicaSet + "-"
	if len(base) > podBase {
		if kept := podBase - (len(v.ReplicaSet) - len(v.Hash)); kept < tellingHash {
			return "", Rejectedf("the pods of ReplicaSet %s cannot be told from those of other revisions by name, "+
				"because Kubernetes cuts names that are longer than %d characters; "+
				"use a metric by Service, or shorten the name of the Deployment", v.ReplicaSet, podBase)
		}
		base = base[:podBase]
	}
	return strings.ReplaceAll(base, ".", "[.]") + "[a-z0-9]{5}", nil
}

// OwnService is the Service that only this revision's pods are behind.
func (v Vars) OwnService() string { return v.Service + "-" + v.Revision }

// PromInterval is the window as Prometheus writes durations.
func (v Vars) PromInterval() string {
	if v.Interval%time.Second == 0 {
		return fmt.Sprintf("%ds", int64(v.Interval/time.Second))
	}
	return fmt.Sprintf("%dms", max(1, v.Interval.Milliseconds()))
}
