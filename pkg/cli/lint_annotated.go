package cli

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weir.dev/weir/pkg/annotated"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// annotatedWorkload makes the Canary that a workload gets for its annotations, and keeps it with those that people wrote.
func (l *linter) annotatedWorkload(ctx context.Context, t targeted) {
	annotations := t.object.GetAnnotations()
	field := "metadata.annotations"
	asks, err := annotated.Asks(annotations)
	if err != nil {
		l.add(t.problem(field, "%s", err))
	}
	if !asks {
		return
	}
	l.checked++
	profile, err := annotated.Profile(annotations, l.profiles)
	if err != nil {
		l.note(t.problem("", "not looked at with its profile: %s", err)) // it may be in the cluster
		return
	}
	canary, err := annotated.Canary(annotated.Asking{
		Target: *t.target, Annotations: annotations, Service: l.service(t), Provider: l.provider,
	}, profile)
	if err != nil {
		l.add(t.problem(field, "%s", err))
		return
	}
	canary.OwnerReferences = nil // they name what is in a cluster
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(canary)
	if err != nil {
		return // a Canary can be written
	}
	delete(object, "status")
	_, wrong := l.definitions["Canary"].admit(ctx, object)
	for _, e := range wrong {
		l.add(t.problem(field, "its Canary: %s", tell(e)))
	}
	if full, err := typed[v1beta1.Canary](object); err == nil && len(wrong) == 0 {
		l.canaries = append(l.canaries, parsed[v1beta1.Canary]{t.manifest, full})
	}
}

// service is the one of the input with a workload's name, or nil.
func (l *linter) service(t targeted) *corev1.Service {
	for _, s := range l.services {
		if s.object.Name == t.target.Name && same(s.manifest, t.manifest) {
			return s.object
		}
	}
	return nil
}

// limits holds a Canary to those of its profile, where the input has it.
func (l *linter) limits(c parsed[v1beta1.Canary], provider string) {
	askedOf := func(ref *v1beta1.TemplateRef) string {
		if t := l.templateOf(c, ref); t != nil {
			return t.object.Spec.Provider.Type
		}
		return "" // it is not in the input, and that is noted
	}
	for _, p := range l.profiles {
		if p.Name != c.object.Annotations[v1beta1.AnnotationProfile] {
			continue
		}
		for _, sentence := range annotated.Exceeds(&c.object.Spec, provider, p, askedOf) {
			l.add(c.problem(fieldOf(c.object, sentence), "%s", sentence))
		}
	}
}
