package workload

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// KnativeServices are Services of Knative's.
func KnativeServices() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"}
}

// KnativeRevisions are Revisions of Knative's.
func KnativeRevisions() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "revisions"}
}

// KnativeServiceLabel is on a Revision; its value is the name of the Knative Service that has made it.
const KnativeServiceLabel = "serving.knative.dev/service"

// OfKnative is a Knative Service as a Target. Which pods it has is Knative's to know, so nothing selects them.
func OfKnative(s *unstructured.Unstructured) *Target {
	return &Target{
		Kind: v1beta1.KindKnativeService, Namespace: s.GetNamespace(), Name: s.GetName(), UID: s.GetUID(),
		Template: &corev1.PodTemplateSpec{},
	}
}

// ByName is what a look sees of a target whose revisions get their shares by their names, in the words of the rollout.
type ByName struct {
	Target                       rollout.Target
	Primary, Candidate, Retiring rollout.ReplicaSet
}

// ObserveKnative reads a Knative Service, for the revisions that a status names. Of finds its Revisions by name; nil is
// one that is not there. Each is a ReplicaSet of one replica.
func ObserveKnative(
	s *unstructured.Unstructured, st *v1beta1.CanaryStatus, of func(name string) *unstructured.Unstructured,
) (ByName, error) {
	present, _, _ := unstructured.NestedString(s.Object, "status", "latestCreatedRevisionName")
	if present == "" {
		return ByName{}, fmt.Errorf("service %s of Knative's has no revision yet%s", s.GetName(), saysOf(s))
	}
	serves, pinned := soleName(s), true
	if st.Primary != nil {
		serves = st.Primary.ReplicaSet
	} else {
		pinned = serves != ""
	}
	in := ByName{
		Primary:   revisionFacts(of(serves), rollout.OwnerTarget),
		Candidate: revisionFacts(revisionOf(st.Canary, of), rollout.OwnerCanary),
		Retiring:  retiringFacts(st.Retiring, of),
	}
	in.Candidate.Younger = true // a name is never used again
	if st.Phase == v1beta1.PhaseFinalising && st.Canary != nil {
		// The commit has passed the traffic on.
		in.Candidate.Owner, in.Primary.Desired = rollout.OwnerTarget, 0
		serves = st.Canary.ReplicaSet
	}
	images := imagesAt(s, "spec", "template", "spec")
	if r := of(present); r != nil {
		images = imagesAt(r, "spec")
	}
	in.Target = rollout.Target{
		Found: true, ByName: true, Paused: pinned, Replicas: 1, Complete: present == serves,
		Revision: rollout.Revision{
			Hash: present, ReplicaSet: present, Images: images,
			IsPrimary:   st.Primary != nil && present == st.Primary.ReplicaSet,
			IsCandidate: st.Canary != nil && present == st.Canary.ReplicaSet,
		},
	}
	return in, nil
}

// KnativeNamed is an error, as Unknown has it, while Knative has not named the Revision of a Service's present template.
func KnativeNamed(s *unstructured.Unstructured) error {
	configurations := conditionOf(s, "ConfigurationsReady")
	if configurations.status == "" || configurations.reason == "OutOfDate" {
		return errUnknown{"Knative Service", s.GetName()}
	}
	return nil
}

// soleName is the revision that spec.traffic gives everything by its name; empty where there is none.
func soleName(s *unstructured.Unstructured) string {
	traffic, _, _ := unstructured.NestedSlice(s.Object, "spec", "traffic")
	for _, entry := range traffic {
		e, _ := entry.(map[string]any)
		if name, _ := e["revisionName"].(string); e["percent"] == int64(100) {
			return name
		}
	}
	return ""
}

func revisionOf(r *v1beta1.RevisionStatus, of func(string) *unstructured.Unstructured) *unstructured.Unstructured {
	if r == nil {
		return nil
	}
	return of(r.ReplicaSet)
}

// retiringFacts are of a revision that may have traffic still, whether or not its object is there. Nothing is left of
// it once it has none: what becomes of its pods is Knative's business.
func retiringFacts(r *v1beta1.RevisionStatus, of func(string) *unstructured.Unstructured) rollout.ReplicaSet {
	if r == nil || r.Replicas == 0 {
		return rollout.ReplicaSet{}
	}
	facts := revisionFacts(of(r.ReplicaSet), rollout.OwnerCanary)
	facts.Found, facts.Name, facts.Hash, facts.Owner = true, r.ReplicaSet, r.Hash, rollout.OwnerCanary
	facts.Desired, facts.Broken = 1, nil
	return facts
}

// revisionFacts is a Revision as a ReplicaSet of one replica.
func revisionFacts(r *unstructured.Unstructured, owner rollout.Owner) rollout.ReplicaSet {
	if r == nil {
		return rollout.ReplicaSet{}
	}
	facts := rollout.ReplicaSet{
		Found: true, Name: r.GetName(), Hash: r.GetName(), Images: imagesAt(r, "spec"), Owner: owner, Desired: 1, Exists: 1,
	}
	ready := conditionOf(r, "Ready")
	switch ready.status {
	case string(corev1.ConditionTrue):
		facts.Ready, facts.Available, facts.ReadySince = 1, 1, ready.since
	case string(corev1.ConditionFalse):
		facts.Broken = &rollout.Broken{Reason: ready.reason, Message: ready.message}
	}
	return facts
}

// knativeCondition is what Knative says of an object of its own.
type knativeCondition struct {
	status, reason, message string
	since                   time.Time
}

// conditionOf is one by its type; the zero one where there is none, or where it is about an older version.
func conditionOf(o *unstructured.Unstructured, kind string) knativeCondition {
	seen, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, entry := range conditions {
		fields, _ := entry.(map[string]any)
		if fields["type"] != kind || seen != o.GetGeneration() {
			continue
		}
		text := func(field string) string { s, _ := fields[field].(string); return s }
		since, err := time.Parse(time.RFC3339, text("lastTransitionTime"))
		if err != nil {
			since = time.Time{} // long ago
		}
		return knativeCondition{text("status"), text("reason"), shorten(text("message")), since}
	}
	return knativeCondition{}
}

// imagesAt are those of the containers below a field.
func imagesAt(o *unstructured.Unstructured, field ...string) []string {
	containers, _, _ := unstructured.NestedSlice(o.Object, append(field, "containers")...)
	var images []string
	for _, entry := range containers[:min(len(containers), v1beta1.MaxImages)] {
		if c, ok := entry.(map[string]any); ok {
			image, _ := c["image"].(string)
			images = append(images, image)
		}
	}
	return images
}

// saysOf is what Knative says of a Service that is not ready.
func saysOf(s *unstructured.Unstructured) string {
	ready := conditionOf(s, "Ready")
	if ready.reason == "" {
		return ""
	}
	return fmt.Sprintf(": %s: %s", ready.reason, ready.message)
}
