package walks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/pages"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// guests are the pages that need nothing but what the README has installed.
func guests() []walked {
	return []walked{
		{"docs/alerts.md", true, alerts},
		{"docs/annotations.md", true, annotations},
		{"docs/cli.md", false, cli},
		{"docs/gitops.md", false, gitops},
		{"docs/howto/alerts.md", false, alerts},
		{"docs/howto/gates.md", false, gates},
		{"docs/operations.md", false, operations},
		{"docs/reference/reasons.md", true, reasons},
		{"docs/rights.md", true, rights},
		{"docs/routers/gloo.md", true, gloo},
		{"docs/troubleshooting.md", false, troubleshooting},
		{"docs/webhooks.md", true, webhooks},
	}
}

// readme installs Weir, has the guests in, and removes what it says.
func readme(w *walk) {
	w.goOn(w.under("Install"))
	for _, guest := range guests() {
		w.t.Run(guest.file, func(t *testing.T) {
			skipUnless(t, guest.always)
			v := w.enter(t, guest.file)
			v.guest = true
			v.overlay()
			guest.walk(v)
			v.wholly()
		})
	}
	w.before["kubectl annotate deployment podinfo weir.dev/canary=true"] = func() { w.application("podinfo") }
	w.after["kubectl annotate deployment podinfo weir.dev/canary=true"] = func(string) {
		w.await("podinfo", v1beta1.PhaseInitialized)
	}
	w.after["kubectl annotate deployment podinfo weir.dev/canary-"] = func(string) { w.awaitGone("podinfo") }
	w.before["kubectl delete canary podinfo"] = func() {
		w.users(w.block("\n  name: podinfo\n"))
		w.await("podinfo", v1beta1.PhaseInitialized)
	}
	w.goOn(w.under("Release an application", "Remove it"))
	w.given("podinfo")
	w.remove()
}

// overlay writes what the README has the user write.
func (w *walk) overlay() {
	w.t.Helper()
	page, err := pages.Read(w.tree, "README.md")
	require.NoError(w.t, err)
	for _, step := range page.Steps() {
		if step.File != "" {
			require.NoError(w.t, w.shell.Write(step))
		}
	}
}

func annotations(w *walk) {
	w.application("podinfo")
	w.goOn(w.page.Steps())
	w.await("podinfo", v1beta1.PhaseInitialized)
	w.do("kubectl annotate deployment podinfo weir.dev/canary-")
	w.awaitGone("podinfo")
	w.given("podinfo")
}

// alerts have a namespace shop, and the AlertProvider of docs/alerts.md.
func alerts(w *walk) {
	w.do("kubectl create namespace shop")
	w.t.Cleanup(func() { w.outside.told.Store(0) })
	w.before["kubectl weir alert test slack"] = func() {
		page, err := pages.Read(w.tree, "docs/alerts.md")
		require.NoError(w.t, err)
		w.users(blockOf(page, "  name: slack\n  namespace: shop"))
		if w.page.File != page.File { // which has the Secret made
			w.do("kubectl -n shop create secret generic slack --from-literal=address=" + w.outside.URL + "/chat")
		}
	}
	w.after["kubectl weir alert test slack"] = func(said string) {
		assert.Equal(w.t, "AlertProvider slack has taken the message, of severity info\n", said)
		assert.Positive(w.t, w.outside.told.Load())
	}
	w.goOn(w.page.Steps())
	w.do("kubectl delete namespace shop")
}

// gitops has an Argo CD, as far as its ConfigMap goes, and a chart with an application and its Canary.
func gitops(w *walk) {
	w.do("kubectl create namespace argocd")
	w.do("kubectl -n argocd create configmap argocd-cm --from-literal=url=https://argocd.example.com")
	chart := filepath.Join(w.shell.Folder, "chart")
	require.NoError(w.t, os.MkdirAll(filepath.Join(chart, "templates"), 0o755))
	w.file("chart/Chart.yaml", "apiVersion: v2\nname: podinfo\nversion: 0.1.0\n")
	w.do("cp weir/artifacts/examples/canary-gatewayapi.yaml chart/templates/")
	w.do("kubectl apply -f weir/artifacts/examples/metrictemplate.yaml")
	w.shell.Words = map[string]string{"NAME": "podinfo", "CHART": "./chart"}
	w.goOn(w.page.Steps())
	assert.NotNil(w.t, w.canary("podinfo"))
}

// gates: "Let the promotion wait with manual, or a step with a pause that has no end".
func gates(w *walk) {
	released := func(analysis, reason string) {
		w.declare("podinfo", analysis)
		w.change("podinfo")
		w.awaitReason("podinfo", reason)
	}
	w.arrive["For a person, without any service"] = func() {
		w.manage("podinfo", `{interval: 1s, stepWeights: [50]}`)
		released(`{manual: true, interval: 1s, stepWeights: [50]}`, "GateClosed")
	}
	w.after["kubectl weir explain podinfo"] = func(said string) { assert.Contains(w.t, said, "kubectl weir promote podinfo") }
	w.after["kubectl weir promote podinfo"] = func(string) { w.await("podinfo", v1beta1.PhaseSucceeded) }
	w.before["kubectl weir resume podinfo"] = func() {
		released(`{interval: 1s, steps: [{weight: 5, pause: {}}, {weight: 50, pause: {duration: 1s}}]}`, "Paused")
	}
	w.after["kubectl weir resume podinfo"] = func(string) { w.await("podinfo", v1beta1.PhaseSucceeded) }
	w.arrive["For a service"] = func() { released(w.gated("change-window"), "GateClosed") }
	w.goOn(w.page.Steps())
	w.await("podinfo", v1beta1.PhaseSucceeded)
}

func operations(w *walk) {
	w.after["kubectl -n weir-system get lease weir -o"] = func(said string) { assert.NotEmpty(w.t, said) }
	w.after["kubectl weir uninstall --check"] = func(said string) { assert.Contains(w.t, said, "nothing") }
	w.goOn(w.page.Steps())
}

func reasons(w *walk) {
	w.manage("podinfo", `{interval: 1s, stepWeights: [50]}`)
	w.shell.Words = map[string]string{"NAME": "podinfo"}
	w.after["kubectl get canary NAME"] = func(said string) { assert.Contains(w.t, said, "Accepted=True Accepted: ") }
	w.after["kubectl get events"] = func(said string) { assert.Contains(w.t, said, "Initialized") }
	w.goOn(w.page.Steps())
}

func rights(w *walk) {
	w.after["kubectl auth can-i"] = func(said string) { assert.Contains(w.t, said, "canaries.weir.dev/status") }
	w.goOn(w.page.Steps())
}

func gloo(w *walk) {
	w.users("apiVersion: gateway.solo.io/v1\nkind: RouteTable\nmetadata: {name: podinfo}\nspec: {routes: []}\n")
	w.goOn(w.page.Steps())
}

func webhooks(w *walk) {
	const key, body = "a secret", `{"name": "podinfo"}`
	w.shell.Env = append(w.shell.Env, "key="+key, "body="+body)
	sum := hmac.New(sha256.New, []byte(key))
	sum.Write([]byte(body))
	w.after["printf"] = func(said string) { assert.Contains(w.t, said, hex.EncodeToString(sum.Sum(nil))) }
	w.goOn(w.page.Steps())
}
