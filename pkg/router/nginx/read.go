package nginx

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split that stands in the annotations. Nobody says whether a controller has taken it over, so it
// counts as accepted where the Ingress is as Weir leaves one; else the next apply puts it right.
func (r Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	if app.Canary.Spec.IngressRef == nil {
		return rollout.Route{}
	}
	have := found[canaryRef(app)]
	if have == nil || !router.IsMade(app, have) {
		return rollout.Route{}
	}
	route := rollout.Route{Found: true, Split: r.splitOf(have, committed.Match)}
	if err := r.divisible(app, found[router.UsersIngress(app)]); err != nil {
		route.Refused = err.Error()
		return route
	}
	if key := r.foreign(have); key != "" {
		route.Refused = fmt.Sprintf("Ingress %s/%s has got the annotation %s, by which requests go another way than Weir "+
			"says; remove it", have.GetNamespace(), have.GetName(), key)
		return route
	}
	again, err := r.intent(app, route.Split, found)
	route.Accepted = err == nil && router.AsMade(have, again)
	return route
}

// splitOf is the split that the annotations say. The committed match is known again by what it is rendered to.
func (r Router) splitOf(have *unstructured.Unstructured, committed []v1beta1.RequestMatch) rollout.Split {
	annotations := have.GetAnnotations()
	if annotations[r.key("canary")] != "true" {
		return rollout.Split{Weight: full} // it is an Ingress like any other, and could get everything
	}
	split := rollout.Split{}
	if weight, err := strconv.ParseInt(annotations[r.key("canary-weight")], 10, 32); err == nil {
		split.Weight = int32(weight)
	}
	standing := maps.Clone(annotations)
	maps.DeleteFunc(standing, func(key, _ string) bool {
		return !r.aboutCanary(key) || key == r.key("canary") || key == r.key("canary-weight")
	})
	if len(standing) == 0 {
		return split
	}
	split.Match = unknown()
	if len(committed) > 0 {
		if want, err := r.matched(committed); err == nil && maps.Equal(want, standing) {
			split.Match = committed
		}
	}
	return split
}

const full = 100

// unknown stands for requests that go to the canary by a match which is not the committed one. Nobody can have
// committed to it: this router refuses source labels.
func unknown() []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{SourceLabels: map[string]string{"weir.dev/unknown": ""}}}
}

// foreign is an annotation of a canary's that Weir never sets, and so cannot take away.
func (r Router) foreign(have *unstructured.Unstructured) string {
	ours := []string{
		r.key("canary"), r.key("canary-weight"),
		r.key("canary-by-header"), r.key("canary-by-header-value"), r.key("canary-by-header-pattern"),
	}
	for _, key := range slices.Sorted(maps.Keys(have.GetAnnotations())) {
		if r.aboutCanary(key) && !slices.Contains(ours, key) {
			return key
		}
	}
	return ""
}

// reaches says that some request may get to the canary by its Ingress as it is.
func (r Router) reaches(have *unstructured.Unstructured) bool {
	split := r.splitOf(have, nil)
	return split.Weight != 0 || len(split.Match) > 0
}

// Release deletes the canary's Ingress; the user's has not been touched.
func (Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	if app.Canary.Spec.IngressRef == nil {
		return nil, nil
	}
	ref := canaryRef(app)
	have := found[ref]
	if have == nil || !router.IsMade(app, have) {
		return nil, nil
	}
	return []router.Released{{Ref: ref}}, nil
}
