package walks

import (
	"github.com/stretchr/testify/assert"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// guide installs Weir by Helm, then by an overlay, moves that to Helm, and goes through a time without the operator and
// both ways to remove all.
func guide(w *walk) {
	w.overlay()
	w.arrive["With Helm"] = func() {
		for _, command := range []string{
			"kubectl create namespace weir-system", "kubectl create namespace shop",
			"kubectl -n weir-system create secret generic weir-alerts --from-literal=slack-url=" + w.outside.URL + "/chat",
		} {
			w.do(command)
		}
	}
	w.before["kubectl -n weir-system delete --selector"] = func() { // "If Weir was installed with an overlay"
		w.do("helm uninstall weir --namespace weir-system")
		w.do("kubectl apply -k mine")
		w.manage("moved", `{interval: 1s, stepWeights: [50]}`)
	}
	w.after["helm install weir weir/charts/weir --namespace weir-system --values"] = func(string) {
		w.do("kubectl -n weir-system rollout status deployment/weir")
		w.change("moved")
		w.await("moved", v1beta1.PhaseSucceeded)
	}
	w.shell.Words["NAMESPACE"] = w.namespace
	w.arrive["When the operator is not there"] = w.withoutOperator
	w.after["kubectl rollout resume deployment/NAME"] = func(string) {
		w.do("kubectl rollout status deployment/lone")
		w.do("kubectl -n weir-system scale deployment/weir --replicas=1")
		w.eventually("the word OutOfBand", func() bool {
			history := w.canary("lone").Status.History
			return len(history) > 0 && history[0].Reason == "OutOfBand"
		})
	}
	w.before["kubectl delete -k mine"] = func() { // "or helm uninstall weir"
		w.do("helm uninstall weir --namespace weir-system")
		w.do("kubectl apply -k mine")
	}
	w.after["kubectl weir uninstall --check"] = func(said string) { assert.Contains(w.t, said, "nothing") }
	w.before["kubectl -n NAMESPACE patch httproute"] = w.wentFirst
	w.after["kubectl -n NAMESPACE rollout resume"] = func(string) {
		w.given("last")
		for _, kind := range []string{"httproute", "service"} {
			w.do("kubectl get " + kind + " last")
		}
	}
	w.goOn(w.page.Steps())
	w.do("kubectl delete -k mine --ignore-not-found") // its Deployment went first
}

// withoutOperator has the operator go in mid-run.
func (w *walk) withoutOperator() {
	w.t.Helper()
	w.manage("lone", `{interval: 1s, steps: [{weight: 50, pause: {}}]}`)
	w.change("lone")
	w.awaitReason("lone", "Paused")
	w.do("kubectl -n weir-system scale deployment/weir --replicas=0")
	for _, word := range []string{"NAME", "APEX"} {
		w.shell.Words[word] = "lone"
	}
}

// wentFirst has Weir go before its Canary.
func (w *walk) wentFirst() {
	w.t.Helper()
	w.do("kubectl apply -k mine")
	w.manage("last", `{interval: 1s, stepWeights: [50]}`)
	w.do("kubectl -n weir-system delete deployment weir")
	w.do("kubectl delete canary last --wait=false")
	w.shell.Words["NAME"], w.shell.Words["PORT"] = "last", "9898"
}
