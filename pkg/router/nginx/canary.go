package nginx

import (
	"maps"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

func (r Router) key(name string) string {
	prefix := r.Prefix
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return prefix + "/" + name
}

// aboutCanary says that an annotation is one of those that make an Ingress a canary's.
func (r Router) aboutCanary(key string) bool {
	return key == r.key("canary") || strings.HasPrefix(key, r.key("canary-"))
}

// object is the canary's Ingress with a spec, and with the annotations of the user's.
func (r Router) object(
	app router.App, users *unstructured.Unstructured, split rollout.Split, spec map[string]any,
) (*unstructured.Unstructured, error) {
	annotations := map[string]string{}
	for key, value := range users.GetAnnotations() {
		if !r.aboutCanary(key) {
			annotations[key] = value
		}
	}
	own, err := r.canaryAnnotations(split)
	if err != nil {
		return nil, err
	}
	maps.Copy(annotations, own)
	return router.MakeIngress(app, canaryRef(app), annotations, spec)
}

// canaryAnnotations say a split.
func (r Router) canaryAnnotations(split rollout.Split) (map[string]string, error) {
	annotations := map[string]string{
		r.key("canary"): "true", r.key("canary-weight"): strconv.Itoa(int(split.Weight)),
	}
	if len(split.Match) > 0 {
		matched, err := r.matched(split.Match)
		if err != nil {
			return nil, err
		}
		maps.Copy(annotations, matched)
	}
	return annotations, nil
}
