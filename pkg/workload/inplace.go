package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// The workloads that are released in place keep their revisions as ControllerRevisions. Each of their pods has
// the label controller-revision-hash of its revision.

// InPlace is what a look sees of a workload that is released in place, in the words of the rollout.
type InPlace struct {
	Target                       rollout.Target
	Primary, Candidate, Retiring rollout.ReplicaSet
	// Serving is what a StatefulSet makes its pods of, or what all of a DaemonSet's pods are of, if that is neither the
	// primary nor the candidate.
	Serving rollout.ReplicaSet
	// CandidatePods are the names of the candidate's pods.
	CandidatePods []string
}

// What SlimRevision leaves of a template.
const (
	digestAnnotation = "weir.dev/template-digest"
	imagesAnnotation = "weir.dev/template-images"
)

// SlimRevision leaves of a cached revision what is looked at: a digest of its template, and its images. The digest
// is compared within this process alone.
func SlimRevision(rev *appsv1.ControllerRevision) {
	var data struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if json.Unmarshal(rev.Data.Raw, &data) == nil {
		if digest, err := Digest(&data.Spec.Template); err == nil {
			rev.Annotations = map[string]string{
				digestAnnotation: digest, imagesAnnotation: strings.Join(Images(&data.Spec.Template), " "),
			}
		}
	}
	rev.Data.Raw, rev.Data.Object = nil, nil
}

// errUnknown says that the workload's own controller has not seen its present template yet, or that the
// cache has not seen what that made of it.
type errUnknown struct{ kind, name string }

func (e errUnknown) Error() string {
	return fmt.Sprintf("the controller of %s %s has not named the revision of its template yet", e.kind, e.name)
}

// Unknown says that an error is about a revision that is not named yet: it is waited for.
func Unknown(err error) bool {
	_, unknown := err.(errUnknown) //nolint:errorlint // it is never wrapped
	return unknown
}

// hashOfRevision is the label on the pods of a revision: of a DaemonSet's the label of the revision, of a
// StatefulSet's its name.
func hashOfRevision(rev *appsv1.ControllerRevision, kind string) string {
	if kind == v1beta1.KindDaemonSet {
		return rev.Labels[appsv1.ControllerRevisionHashLabelKey]
	}
	return rev.Name
}

func imagesOf(rev *appsv1.ControllerRevision) []string {
	return strings.Fields(rev.Annotations[imagesAnnotation])
}

func revisionNamed(revs []*appsv1.ControllerRevision, name string) *appsv1.ControllerRevision {
	i := slices.IndexFunc(revs, func(r *appsv1.ControllerRevision) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return revs[i]
}

// named is the revision that a status names, nil where it names none or there is none of that name.
func named(revs []*appsv1.ControllerRevision, r *v1beta1.RevisionStatus) *appsv1.ControllerRevision {
	if r == nil {
		return nil
	}
	return revisionNamed(revs, r.ReplicaSet)
}

// pods of a workload that are not on their way out.
type pods []*corev1.Pod

func alive(all []*corev1.Pod) pods {
	return slices.DeleteFunc(slices.Clone(all), func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil })
}

// of are those of a revision.
func (p pods) of(hash string) pods { return p.where(func(h string) bool { return h == hash }) }

// notOf are those of none of these revisions.
func (p pods) notOf(hashes ...string) pods {
	return p.where(func(h string) bool { return !slices.Contains(hashes, h) })
}

func (p pods) where(fits func(hash string) bool) pods {
	var out pods
	for _, pod := range p {
		if fits(pod.Labels[appsv1.ControllerRevisionHashLabelKey]) {
			out = append(out, pod)
		}
	}
	return out
}

func (p pods) ready() int32 { return p.readyFor(0, time.Time{}) }

// readyFor counts those that have been ready for so long.
func (p pods) readyFor(seconds int32, now time.Time) int32 {
	var n int32
	for _, pod := range p {
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue &&
				(seconds == 0 || !now.Before(c.LastTransitionTime.Add(time.Duration(seconds)*time.Second))) {
				n++
			}
		}
	}
	return n
}

func (p pods) count() int32 { return int32(len(p)) } //nolint:gosec // pods of one workload

// facts of one revision.
func (p pods) facts(rev *appsv1.ControllerRevision, kind string, minReadySeconds int32, now time.Time) rollout.ReplicaSet {
	if rev == nil {
		return rollout.ReplicaSet{}
	}
	hash := hashOfRevision(rev, kind)
	own := p.of(hash)
	return rollout.ReplicaSet{
		Found: true, Name: rev.Name, Hash: hash, Images: imagesOf(rev), Owner: rollout.OwnerCanary,
		Desired: own.count(), Exists: own.count(), Ready: own.ready(),
		Available: own.readyFor(minReadySeconds, now), Broken: Broken(own),
	}
}

func (p pods) names() []string {
	names := make([]string, 0, len(p))
	for _, pod := range p {
		names = append(names, pod.Name)
	}
	slices.Sort(names)
	return names
}

// revision is a workload's present template among those that are known.
func revision(present, primary, candidate *appsv1.ControllerRevision, kind string) rollout.Revision {
	return rollout.Revision{
		Hash: hashOfRevision(present, kind), ReplicaSet: present.Name, Images: imagesOf(present),
		IsPrimary:   primary != nil && primary.Name == present.Name,
		IsCandidate: candidate != nil && candidate.Name == present.Name,
	}
}

// unreadyFirst splits pods into those that are not ready, which are missed by nobody, and the others.
func (p pods) unreadyFirst() (unready, ready pods) {
	for _, pod := range p {
		if (pods{pod}).ready() == 0 {
			unready = append(unready, pod)
		} else {
			ready = append(ready, pod)
		}
	}
	return unready, ready
}

// some takes those that are not ready, and of the others as many as a budget allows.
func (p pods) some(budget int32) pods {
	unready, ready := p.unreadyFirst()
	return append(unready, ready[:min(len(ready), int(max(0, budget)))]...)
}
