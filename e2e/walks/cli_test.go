package walks

import (
	"regexp"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// bad is a manifest of which lint has something to say at four lines.
const bad = `apiVersion: weir.dev/v1beta1
kind: Canary
metadata:
  name: podinfo
spec:
  targetRef:
    name: podinfo
  service:
    port: 9898
    settle: 10m
  analysis:
    treshold: 2
    stepWeights: [5, 50, 20]
    metrics:
    - name: latency
      thresholdRange: {max: 500}
`

// ofCLI are analyses of the Canary on the page of `kubectl weir`: as it is judged, and with a gate before its promotion.
func ofCLI(w *walk) (judged, gated string) {
	judged = `{interval: 1s, threshold: 1, stepWeights: [10, 50], metrics: [
		{name: request-success-rate, thresholdRange: {min: 99}},
		{name: errors, templateRef: {name: path-error-percentage}, templateVariables: {path: api_info}, thresholdRange: {max: 5}}]`
	return judged + "}", judged + `,
		webhooks: [{name: load-test, type: confirm-promotion, url: "` + w.outside.URL + `/closed"}]}`
}

// cli brings the Canary of the page into the state that a heading is about.
func cli(w *walk) {
	judged, gated := ofCLI(w)
	gatedRun := func() {
		w.change("podinfo")
		w.awaitReason("podinfo", "GateClosed")
	}
	w.arrive["list, get"] = func() {
		w.do("kubectl apply -f weir/artifacts/examples/metrictemplate.yaml")
		w.manage("podinfo", gated)
		gatedRun()
	}
	w.after["kubectl weir get podinfo"] = func(said string) { assert.Contains(w.t, said, "WaitingPromotion") }
	w.endless["kubectl weir watch podinfo"] = "WaitingPromotion"
	w.arrive["status"] = func() {
		w.after["kubectl weir status podinfo"] = func(said string) { assert.Contains(w.t, said, "Under test:") }
	}
	w.arrive["status --wait"] = func() {
		w.after["kubectl weir status podinfo"] = func(string) {}
		w.do("kubectl weir promote podinfo")
		w.await("podinfo", v1beta1.PhaseSucceeded)
		w.declare("podinfo", judged)
		w.outside.failing.Store(true)
		w.change("podinfo")
		w.fails["kubectl weir status podinfo --wait"] = "rolled back"
	}
	w.after["echo $?"] = func(said string) { assert.Equal(w.t, "2\n", said) }
	w.before["kubectl apply -f deployment.yaml"] = func() {
		delete(w.fails, "kubectl weir status podinfo --wait")
		w.outside.failing.Store(false)
		w.file("deployment.yaml", strings.NewReplacer(
			"$NAME", "podinfo", "ports: [{container", "env: [{name: PODINFO_UI_MESSAGE, value: better}], ports: [{container",
		).Replace(applied))
	}
	w.after["kubectl weir explain podinfo"] = func(said string) {
		assert.Contains(w.t, said, "Canary podinfo in namespace "+w.namespace)
	}
	w.after["kubectl weir history podinfo"] = func(said string) {
		assert.Equal(w.t, []v1beta1.Outcome{"Promoted", "RolledBack", "Promoted"}, w.outcomes("podinfo"))
		for _, run := range w.canary("podinfo").Status.History {
			assert.Contains(w.t, said, run.ID)
		}
	}
	w.arrive["query"] = func() {
		w.declare("podinfo", gated) // with a template that is another once more
		w.awaitReason("podinfo", "GateClosed")
	}
	w.after["kubectl weir query podinfo errors"] = func(said string) { assert.Contains(w.t, said, "Verdict: Passed") }
	w.arrive["alert test"] = w.alertProviders
	w.fails["kubectl weir alert test refusing"] = "AlertProvider refusing was not told"
	w.arrive["plan"] = w.manifests
	w.after["kubectl weir plan"] = func(said string) { assert.Contains(w.t, said, "A RELEASE THAT FAILS") }
	w.arrive["analyze"] = func() {
		run := w.canary("podinfo").Status.History[0].ID
		w.shell.Outside = append(w.shell.Outside, "5d89c7b6f4-1795808100", run)
	}
	w.after["kubectl weir analyze -f"] = func(said string) { assert.Contains(w.t, said, "It would have been rolled back after 3m") }
	w.steers(gatedRun)
	w.arrive["restart"] = func() { w.await("podinfo", v1beta1.PhaseSucceeded) }
	w.arrive["Check manifests"] = func() {
		w.file("bad.yaml", bad)
		w.after["echo $?"] = func(said string) { assert.Equal(w.t, "1\n", said) }
	}
	w.fails["kubectl weir lint -f bad.yaml"] = "kubectl weir: 4 problems"
	w.after["kubectl weir lint"] = func(said string) { assert.Contains(w.t, w.page.Text, said, "the page shows what it says") }
	w.fails["kubectl weir uninstall --check"] = "it holds Deployment podinfo"
	w.goOn(w.page.Steps())
}

// steers has a run in the state in which a command is for it.
func (w *walk) steers(gatedRun func()) {
	w.t.Helper()
	w.fails["kubectl weir skip-step podinfo"] = "skip-step is refused: the run is at no step"
	w.before["kubectl weir retry podinfo"] = func() {
		w.await("podinfo", v1beta1.PhaseSucceeded)
		w.fail("podinfo")
		w.outside.failing.Store(false)
	}
	w.after["kubectl weir abort podinfo"] = func(string) { w.await("podinfo", v1beta1.PhaseFailed) }
	w.before["kubectl weir promote podinfo"] = gatedRun
	w.after["kubectl weir promote podinfo"] = func(string) { w.await("podinfo", v1beta1.PhaseSucceeded) }
}

// alertProviders are one that takes messages, and one that does not.
func (w *walk) alertProviders() {
	w.t.Helper()
	for name, path := range map[string]string{"slack": "/chat", "refusing": "/closed"} {
		w.users("apiVersion: weir.dev/v1beta1\nkind: AlertProvider\nmetadata: {name: " + name + "}\nspec: {type: slack, address: \"" +
			w.outside.URL + path + "\"}\n")
	}
}

// manifests are the files that the page shows, in part.
func (w *walk) manifests() {
	w.t.Helper()
	w.file("canary.yaml", `apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: podinfo}
spec:
  targetRef: {name: podinfo}
  service: {port: 9898}
  analysis: {interval: 1m, threshold: 1, stepWeights: [5, 20, 50], metrics: [{name: request-success-rate, comparison: {}}]}
`)
	windows := regexp.MustCompile(`(?m)^end,canary_requests.*\n(20.*\n)+`).FindString(w.page.Text)
	require.NotEmpty(w.t, windows)
	w.file("windows.csv", windows)
}
