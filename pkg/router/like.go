package router

import (
	"encoding/json"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Some objects that Weir makes are like one of the user's: they have what that one has, and lose what it loses.

// Personal says that an annotation tells who has made that very object, and what was made for it. One that is made
// like it does without.
func Personal(annotation string) bool {
	domain, _, _ := strings.Cut(annotation, "/")
	switch domain {
	case "kubectl.kubernetes.io", "weir.dev", "argocd.argoproj.io", "meta.helm.sh",
		"kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io", "cert-manager.io", "acme.cert-manager.io":
		return true
	}
	return false
}

// IsLike says that all that an intent's spec says stands in an object, and that nothing is left there which Weir once
// wrote and does not say any more. What others have added is theirs.
func IsLike(have, intent *unstructured.Unstructured) bool {
	is, _ := have.Object["spec"].(map[string]any)
	want, _ := intent.Object["spec"].(map[string]any)
	return isLike(is, want, written(have))
}

func isLike(is, want, written map[string]any) bool {
	for field, value := range want {
		inner, wantsMap := value.(map[string]any)
		outer, isMap := is[field].(map[string]any)
		below, _ := written["f:"+field].(map[string]any)
		if wantsMap && isMap {
			if !isLike(outer, inner, below) {
				return false
			}
		} else if !reflect.DeepEqual(is[field], value) {
			return false
		}
	}
	for field := range is {
		_, wanted := want[field]
		if _, ours := written["f:"+field]; ours && !wanted {
			return false
		}
	}
	return true
}

// written are the fields of an object's spec that Weir's last apply has written, as the API server remembers them.
func written(have *unstructured.Unstructured) map[string]any {
	for _, m := range have.GetManagedFields() {
		if m.Manager != v1beta1.FieldManager || m.Operation != metav1.ManagedFieldsOperationApply || m.FieldsV1 == nil {
			continue
		}
		var fields map[string]any
		if json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields) == nil {
			spec, _ := fields["f:spec"].(map[string]any)
			return spec
		}
	}
	return nil
}
