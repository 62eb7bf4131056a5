package walks

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"

	"weir.dev/weir/e2e/pages"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// applied is an application of three pods, as pages take it for granted.
const applied = `apiVersion: apps/v1
kind: Deployment
metadata: {name: $NAME}
spec:
  replicas: 3
  selector: {matchLabels: {app: $NAME}}
  template:
    metadata: {labels: {app: $NAME}}
    spec: {containers: [{name: podinfo, image: "stefanprodan/podinfo:6.9.2", ports: [{containerPort: 9898}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: $NAME}
spec: {selector: {app: $NAME}, ports: [{name: http, port: 9898}]}
`

// managed is its Canary.
const managed = `---
apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: $NAME, annotations: {$ANNOTATIONS}}
spec:
  targetRef: {name: $NAME}
  metricsServer: $SERVER
  service: {port: 9898, settle: 200ms, gatewayRefs: [{name: main, namespace: edge}]}
  analysis: $ANALYSIS
`

// application makes one without a Canary.
func (w *walk) application(name string) {
	w.t.Helper()
	w.users(strings.ReplaceAll(applied, "$NAME", name))
	w.do("kubectl rollout status deployment/" + name)
}

// declare applies an application with a Canary, or changes the Canary.
func (w *walk) declare(name, analysis string, annotations ...string) {
	w.t.Helper()
	w.users(strings.NewReplacer(
		"$NAME", name, "$ANALYSIS", analysis, "$ANNOTATIONS", strings.Join(annotations, ", "), "$SERVER", w.outside.URL,
	).Replace(applied + managed))
}

// manage makes both, and waits until the application is adopted.
func (w *walk) manage(name, analysis string, annotations ...string) {
	w.t.Helper()
	w.declare(name, analysis, annotations...)
	w.await(name, v1beta1.PhaseInitialized)
}

// gated is an analysis with a gate that is closed.
func (w *walk) gated(name string) string {
	return `{interval: 1s, stepWeights: [50],
		webhooks: [{name: ` + name + `, type: confirm-rollout, url: "` + w.outside.URL + `/closed"}]}`
}

// change changes the template.
func (w *walk) change(name string) {
	w.t.Helper()
	w.do("kubectl set env deployment/" + name + " PODINFO_UI_MESSAGE=" + time.Now().Format("150405.000"))
}

func (w *walk) eventually(what string, is func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			require.Fail(w.t, "never came: "+what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (w *walk) await(name string, phase v1beta1.Phase) {
	w.t.Helper()
	w.eventually("phase "+string(phase)+" of "+name, func() bool {
		c := w.canary(name)
		return c != nil && c.Status.Phase == phase
	})
}

func (w *walk) awaitReason(name, reason string) {
	w.t.Helper()
	w.eventually("reason "+reason+" of "+name, func() bool {
		ready := meta.FindStatusCondition(w.canary(name).Status.Conditions, "Ready")
		return ready != nil && ready.Reason == reason
	})
}

func (w *walk) awaitGone(name string) {
	w.t.Helper()
	w.eventually("the end of Canary "+name, func() bool { return w.canary(name) == nil })
}

// block is the one block of YAML of the page that has some words.
func (w *walk) block(words string) string { return blockOf(w.page, words) }

func blockOf(page pages.Page, words string) string {
	for _, block := range page.Blocks("yaml") {
		if strings.Contains(block, words) && !strings.Contains(block, "kind: Kustomization") {
			return block
		}
	}
	return ""
}
