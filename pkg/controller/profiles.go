package controller

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/annotated"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

func canaryProfiles() schema.GroupVersionResource {
	return v1beta1.SchemeGroupVersion.WithResource("canaryprofiles")
}

// profileOf is the index of Canaries by their profile.
func profileOf(canary *v1beta1.Canary) []string {
	if name := canary.Annotations[v1beta1.AnnotationProfile]; name != "" {
		return []string{name}
	}
	return nil
}

func (c *caches) canariesOfProfile(m metav1.Object) []types.NamespacedName {
	return c.named(byProfile, m.GetName())
}

// profiles are all that there are. A lister's only error is that of a selector.
func (c *caches) profiles() []*v1beta1.CanaryProfile {
	if c.noProfiles != "" {
		return nil
	}
	all, _ := c.weir.Weir().V1beta1().CanaryProfiles().Lister().List(labels.Everything())
	return all
}

// profileProblems are those of a Canary that does not keep to the limits of its profile.
func (c *Controller) profileProblems(canary *v1beta1.Canary) []rollout.Problem {
	name := canary.Annotations[v1beta1.AnnotationProfile]
	if name == "" {
		return nil
	}
	if c.caches.noProfiles != "" {
		return []rollout.Problem{{Reason: rollout.ReasonProfileNotReadable, Message: fmt.Sprintf(
			"CanaryProfile %s cannot be read: %s", name, c.caches.noProfiles)}}
	}
	profile, err := annotated.Profile(canary.Annotations, c.caches.profiles())
	if err != nil {
		return []rollout.Problem{{Reason: rollout.ReasonProfileNotFound, Message: err.Error()}}
	}
	askedOf := func(ref *v1beta1.TemplateRef) string {
		if t, _ := c.caches.template(canary, ref); t != nil {
			return t.Provider.Type
		}
		return ""
	}
	var problems []rollout.Problem
	for _, message := range annotated.Exceeds(&canary.Spec, c.options.MeshProvider, profile, askedOf) {
		problems = append(problems, rollout.Problem{Reason: rollout.ReasonProfileLimit, Message: message})
	}
	return problems
}
