package walks

import (
	"os"
	"path/filepath"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// turns is a profile that lets one run be on.
const turns = `apiVersion: weir.dev/v1beta1
kind: CanaryProfile
metadata: {name: turns}
spec: {limits: {maxRuns: 1}}
`

// troubleshooting brings Canaries into the trouble that a heading is about.
func troubleshooting(w *walk) {
	const (
		own = `{name: info-errors, templateRef: {name: path-error-percentage}, templateVariables: {path: api_info},
			thresholdRange: {max: 5}}`
		judged = `{interval: 1s, threshold: 1, stepWeights: [50], metrics: [` + own + `,
			{name: request-success-rate, thresholdRange: {min: 99}}]}`
		waits = `{interval: 1s, steps: [{weight: 50, pause: {}}], metrics: [` + own + `]}`
	)
	w.do("kubectl apply -f weir/artifacts/examples/metrictemplate.yaml")
	w.manage("podinfo", judged)
	at := func(name string) { w.shell.Words["NAME"] = name }
	at("podinfo")
	w.shell.Words["NAMESPACE"], w.shell.Words["METRIC"], w.shell.Words["GATE"] = w.namespace, "info-errors", "tests"

	w.arrive["TargetRollingOut"] = func() {
		w.users(stuck)
		at("stuck")
		w.fails["kubectl rollout status deployment/NAME --timeout=10s"] = "timed out waiting"
	}
	w.arrive["RouteNotAccepted"] = func() { at("podinfo") }
	w.arrive["WaitingForPods"] = func() { w.shell.Words["REVISION"] = w.canary("podinfo").Status.Primary.Hash }
	w.arrive["TooFewPods"] = func() {
		w.manage("waiting", waits)
		w.change("waiting")
		w.awaitReason("waiting", "Paused")
		at("waiting")
	}
	w.arrive["NoData"] = func() {
		w.await("waiting", v1beta1.PhaseSucceeded)
		w.change("waiting")
		w.awaitReason("waiting", "Paused")
	}
	w.arrive["CheckFailed"] = func() {
		w.fail("podinfo")
		at("podinfo")
	}
	w.after["kubectl weir analyze"] = func(said string) {
		assert.Contains(w.t, said, "It would have been rolled back")
		w.outside.failing.Store(false)
	}
	w.arrive["GateClosed"] = func() {
		w.manage("gated", w.gated("tests"))
		w.change("gated")
		w.awaitReason("gated", "GateClosed")
		at("gated")
	}
	w.arrive["Paused"] = func() {
		w.await("gated", v1beta1.PhaseSucceeded)
		at("waiting")
		w.change("waiting") // the run that was paused has failed meanwhile, as that of podinfo has
		w.awaitReason("waiting", "Paused")
	}
	w.arrive["Queued"] = func() {
		w.await("waiting", v1beta1.PhaseSucceeded)
		w.queue(waits)
		at("second")
	}
	w.after["kubectl weir list"] = func(said string) { assert.Contains(w.t, said, "second") }
	w.arrive["RolledBack"] = func() {
		w.awaitReason("second", "Paused")
		at("podinfo")
	}
	w.after["kubectl weir history"] = func(said string) {
		if w.canary("podinfo").Status.Phase == v1beta1.PhaseFailed {
			assert.Contains(w.t, said, "RolledBack")
		}
	}
	w.after["kubectl weir retry"] = func(string) { w.await("podinfo", v1beta1.PhaseSucceeded) }
	w.arrive["CreateContainerConfigError, CreateContainerError"] = func() {
		pods, err := w.Kube.CoreV1().Pods(w.namespace).List(w.t.Context(), metav1.ListOptions{LabelSelector: "app=podinfo"})
		require.NoError(w.t, err)
		w.shell.Words["POD"] = pods.Items[0].Name
	}
	w.arrive["LeftPaused"] = func() {
		w.fail("podinfo")
		w.do("kubectl delete canary podinfo")
	}
	w.arrive["AlertNotTold"] = func() {
		w.users("apiVersion: weir.dev/v1beta1\nkind: AlertProvider\nmetadata: {name: chat}\nspec: {type: slack, address: \"" +
			w.outside.URL + "/chat\"}\n")
		w.shell.Words["PROVIDER"] = "chat"
	}
	w.arrive["On an annotated workload"] = func() {
		w.application("annotated")
		w.do("kubectl annotate deployment annotated weir.dev/canary=true weir.dev/gateways=edge/main")
		w.await("annotated", v1beta1.PhaseInitialized)
		at("annotated")
	}
	w.after["kubectl events --for"] = func(said string) { assert.Contains(w.t, said, "CanaryMade") }
	w.goOn(w.page.Steps())
	w.do("kubectl delete deployment annotated")
}

// stuck is a Deployment that is not rolled out, because somebody has paused it.
const stuck = `apiVersion: apps/v1
kind: Deployment
metadata: {name: stuck}
spec:
  paused: true
  selector: {matchLabels: {app: stuck}}
  template:
    metadata: {labels: {app: stuck}}
    spec: {containers: [{name: podinfo, image: "stefanprodan/podinfo:6.9.2"}]}
`

// queue has two Canaries of a profile that allows for one run: the run of the first is on, and the second waits.
func (w *walk) queue(analysis string) {
	w.t.Helper()
	w.users(turns)
	for _, name := range []string{"first", "second"} {
		w.manage(name, analysis, "weir.dev/profile: turns")
	}
	w.change("first")
	w.awaitReason("first", "Paused")
	w.change("second")
	w.awaitReason("second", "Queued")
}

// fail has a release fail.
func (w *walk) fail(name string) {
	w.t.Helper()
	w.outside.failing.Store(true)
	w.change(name)
	w.await(name, v1beta1.PhaseFailed)
}

// file writes one of the user's.
func (w *walk) file(name, content string) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(filepath.Join(w.shell.Folder, name), []byte(content), 0o600))
}
