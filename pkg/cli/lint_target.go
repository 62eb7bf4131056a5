package cli

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// targeted is a workload of the input, which a Canary may name.
type targeted struct {
	manifest
	target *workload.Target
	// owned is the field that Weir owns.
	owned string
	// strategy is a reason why it cannot be released step by step, or nothing.
	strategy []rollout.Problem
}

// keepWorkload reads a workload that may be looked at together with a Canary, and says whether it is one.
func (l *linter) keepWorkload(m manifest) bool {
	kind := m.kind()
	if kind.GroupVersion() != appsv1.SchemeGroupVersion {
		return false
	}
	t := targeted{manifest: m}
	switch kind.Kind {
	case v1beta1.KindDeployment:
		if d, err := typed[appsv1.Deployment](m.object.Object); err == nil {
			t.target, t.owned = workload.OfDeployment(d), "spec.paused"
		}
	case v1beta1.KindStatefulSet:
		if s, err := typed[appsv1.StatefulSet](m.object.Object); err == nil {
			t.target, t.owned = workload.OfStatefulSet(s), "spec.updateStrategy.rollingUpdate.partition"
			s.Spec.UpdateStrategy.RollingUpdate = nil // its partition is to be left out, whatever it is
			t.strategy = workload.StatefulSetProblems(s)
		}
	case v1beta1.KindDaemonSet:
		if d, err := typed[appsv1.DaemonSet](m.object.Object); err == nil {
			t.target, t.owned = workload.OfDaemonSet(d), "spec.updateStrategy.type"
		}
	default:
		return false
	}
	if t.target != nil && t.target.Selector != nil { // else it is for others to complain of
		l.workloads = append(l.workloads, t)
	}
	return true
}

// targets says whether a Canary names a workload.
func targets(c parsed[v1beta1.Canary], t targeted) bool {
	return t.target.Kind == rollout.KindOf(c.object) && t.target.Name == c.object.Spec.TargetRef.Name && same(t.manifest, c.manifest)
}

// target looks at a Canary together with its target and Service, where the input has them.
func (l *linter) target(c parsed[v1beta1.Canary]) {
	apex := workload.ServiceNames(c.object).Apex
	for _, t := range l.workloads {
		if !targets(c, t) {
			continue
		}
		if _, said, _ := unstructured.NestedFieldNoCopy(t.object.Object, keys(t.owned)...); said {
			l.add(t.problem(t.owned, "leave %s out: it is the one field that Weir owns", t.owned))
		}
		for _, p := range t.strategy {
			l.add(t.problem("spec.updateStrategy.type", "%s", p.Message))
		}
		var service *corev1.Service
		for _, s := range l.services {
			if s.object.Name == apex && same(s.manifest, c.manifest) {
				service = s.object
			}
		}
		if service != nil { // else there may be one in the cluster
			l.refusals(c, workload.ServiceProblems(c.object, t.target, service, nil, nil))
		}
	}
}

// refusals are the operator's own words; they name the field.
func (l *linter) refusals(c parsed[v1beta1.Canary], problems []rollout.Problem) {
	for _, p := range problems {
		l.add(c.problem(fieldOf(c.object, p.Message), "%s", p.Message))
	}
}

// fieldOf is the field of a Canary that a message is about: what it begins with, or the webhook that it names.
func fieldOf(c *v1beta1.Canary, message string) string {
	for i, w := range c.Spec.Analysis.Webhooks {
		if strings.HasPrefix(message, "webhook "+w.Name+" of type ") {
			return fmt.Sprintf("spec.analysis.webhooks[%d]", i)
		}
	}
	path, _, _ := strings.Cut(message, " ")
	return strings.TrimSuffix(path, ":")
}
