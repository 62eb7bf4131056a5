package walks

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// tutorial is a walk through a page of releases. Outcomes are what the Canary's history says of them before it is deleted,
// the last one first, and prepare is what the page takes for granted.
func tutorial(canary string, outcomes []v1beta1.Outcome, prepare func(*walk)) func(*walk) {
	return func(w *walk) {
		deletion := "kubectl delete canary " + canary
		w.before[deletion] = func() { assert.Equal(w.t, outcomes, w.outcomes(canary)) }
		if prepare != nil {
			prepare(w)
		}
		w.goOn(w.page.Steps())
		if canary == "thumbnails" { // its target is none that can be paused
			assert.Nil(w.t, w.canary(canary))
		} else {
			w.given(canary)
		}
		w.remove()
	}
}

// users applies what a user has before he comes to a page.
func (w *walk) users(manifest string) {
	w.t.Helper()
	w.file("users.yaml", manifest)
	w.do("kubectl apply -f users.yaml")
}

// apisix: "If you have an ApisixUpstream".
func apisix(w *walk) {
	w.before["kubectl apply -f weir/"] = func() {
		w.users("apiVersion: apisix.apache.org/v2\nkind: ApisixUpstream\nmetadata: {name: invoices}\n" +
			"spec: {retries: 2}\n")
	}
}

// contour: "in its first lines the root. Write the root for a host of yours".
func contour(w *walk) {
	w.before["kubectl apply -f root.yaml"] = func() {
		example, err := os.ReadFile(filepath.Join(w.shell.Folder, "weir/artifacts/examples/canary-contour.yaml"))
		require.NoError(w.t, err)
		_, root, found := strings.Cut(string(example), "#   apiVersion")
		require.True(w.t, found)
		root, _, _ = strings.Cut("#   apiVersion"+root, "\napiVersion")
		root = regexp.MustCompile(`(?m)^#   `).ReplaceAllString(root, "")
		w.file("root.yaml", root)
	}
}

func gatewayapi(w *walk) {
	w.after["kubectl get canary podinfo -o jsonpath"] = func(said string) { assert.Equal(w.t, "Promoted", said) }
	w.after["kubectl weir history podinfo"] = func(said string) { assert.Contains(w.t, said, "Promoted") }
	w.after["kubectl weir explain podinfo"] = func(said string) {
		assert.Contains(w.t, said, "request-success-rate")
	}
}

// istio: "If there is a VirtualService named `orders` already". Gloo has a kind of that name, too, and is in other clusters.
func istio(w *walk) {
	w.do("kubectl delete crd virtualservices.gateway.solo.io && rm -r .kube/cache")
	w.before["kubectl label virtualservice orders"] = func() {
		w.users("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: orders}\nspec:\n" +
			"  hosts: [orders]\n  http: [{route: [{destination: {host: orders}}]}]\n")
	}
}

// linkerd: "Two things are to be looked at first", the first of which has a definition of Linkerd's.
func linkerd(w *walk) {
	w.before["kubectl get serviceprofiles"] = func() {
		w.users(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: serviceprofiles.linkerd.io}
spec:
  group: linkerd.io
  names: {kind: ServiceProfile, plural: serviceprofiles, singular: serviceprofile}
  scope: Namespaced
  versions: [{name: v1alpha2, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`)
		w.do("kubectl wait --for=condition=Established crd/serviceprofiles.linkerd.io")
	}
}

// traefik has a Traefik, and looks at it as the page says.
func traefik(w *walk) {
	w.before["kubectl -n traefik get deployment"] = func() {
		w.do("kubectl create namespace traefik")
		w.users(`apiVersion: apps/v1
kind: Deployment
metadata: {name: traefik, namespace: traefik}
spec:
  selector: {matchLabels: {app: traefik}}
  template:
    metadata: {labels: {app: traefik}}
    spec: {containers: [{name: traefik, image: traefik, args: [--providers.kubernetescrd.allowEmptyServices=true]}]}
`)
	}
}
