package nginx

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

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
	app router.App, users *unstructured.Unstructured, split rollout.Split, spec object,
) (*unstructured.Unstructured, error) {
	annotations := map[string]string{}
	for key, value := range users.GetAnnotations() {
		if !r.aboutCanary(key) && !personal(key) {
			annotations[key] = value
		}
	}
	own, err := r.canaryAnnotations(split)
	if err != nil {
		return nil, err
	}
	maps.Copy(annotations, own)
	u := &unstructured.Unstructured{Object: object{"spec": runtime.DeepCopyJSON(spec)}}
	u.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("Ingress"))
	u.SetNamespace(app.Canary.Namespace)
	u.SetName(canaryRef(app).Name)
	u.SetLabels(app.Labels)
	u.SetAnnotations(annotations)
	if err := unstructured.SetNestedSlice(u.Object, []any{app.Owner}, "metadata", "ownerReferences"); err != nil {
		return nil, fmt.Errorf("writing its owner: %w", err)
	}
	return u, nil
}

// personal says that an annotation tells who has made that very object, and what was made for it.
func personal(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	switch domain {
	case "kubectl.kubernetes.io", "weir.dev", "argocd.argoproj.io", "meta.helm.sh",
		"kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io", "cert-manager.io", "acme.cert-manager.io":
		return true
	}
	return false
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

// isOurs says that an Ingress is one that Weir made for this Canary.
func isOurs(app router.App, have *unstructured.Unstructured) bool {
	if owner := metav1.GetControllerOf(have); owner != nil {
		return owner.UID == app.Canary.UID
	}
	labels := have.GetLabels()
	for key, value := range app.Labels {
		if labels[key] != value {
			return false
		}
	}
	return len(app.Labels) > 0
}
