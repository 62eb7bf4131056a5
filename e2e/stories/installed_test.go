package stories

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/charts"
	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// chartedValues are those of docs/guide.md.
const chartedValues = `image: {tag: %s}
meshProvider: gatewayapi
metricsServer: %s
slackUrl: {secretKeyRef: {name: weir-alerts, key: slack-url}}
secretNamespaces: [%s]
`

// chartedProfile has the load tester beside every release in a namespace: a test before, load, and a gate at the end.
const chartedProfile = `apiVersion: weir.dev/v1beta1
kind: CanaryProfile
metadata: {name: %s}
spec:
  default: true
  canary:
    analysis:
      interval: 12s
      threshold: 2
      stepWeights: [25, 50]
      metrics:
      - {name: request-success-rate, interval: 10s, thresholdRange: {min: 99}}
      webhooks:
      - name: acceptance-test
        type: pre-rollout
        url: http://weir-loadtester.$(namespace)/
        timeout: 30s
        metadata: {type: http, url: "http://$(service)-canary.$(namespace):$(port)/", requests: "5", wait: "true"}
      - name: load
        url: http://weir-loadtester.$(namespace)/
        metadata: {type: http, url: "http://$(service)-canary.$(namespace):$(port)/", rate: "10", duration: 10s}
      - name: release-gate
        type: confirm-promotion
        url: http://weir-loadtester.$(namespace)/gate/check
`

// charted is a story in which Weir is installed by its chart.
type charted struct {
	*story
	helm         charts.Helm
	tree, values string
	weir         func(code int, args ...string) string
}

// helmInstall: what a user does by Helm, from an empty cluster to one where nothing of Weir's is left. Weir is upgraded in the
// midst of a run. It is uninstalled after its Canary, and twice before it, in mid-run: once it comes back, and once it does not.
func helmInstall(s *story) {
	c := s.charted()
	c.install("install")
	c.annotate()
	c.upgradedInMidRun()

	c.letGo([]string{"weir.dev/canary", "weir.dev/port"})
	assert.Equal(s.t, "nothing would be left\n", c.weir(0, "uninstall", "--check"))
	c.uninstall()
	s.vanilla()

	c.goneInMidRun()
	c.goneForGood()
}

// charted takes away the Weir of the other stories, and has all ready for Helm. When the story is told they get theirs back.
func (s *story) charted() *charted {
	s.t.Helper()
	ctx, box := s.t.Context(), s.Stage.Sandbox
	c := &charted{story: s, weir: s.plugin()}
	var err error
	c.helm, err = charts.Open(ctx, s.t.TempDir(), box.Kubeconfig, s.t.Output())
	require.NoError(s.t, err)
	c.tree, err = sandbox.Tree(ctx)
	require.NoError(s.t, err)
	tag, err := s.Stage.Image(ctx, "weir")
	require.NoError(s.t, err)
	c.values = fmt.Sprintf(chartedValues, tag, box.PrometheusURL, s.Namespace)
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(s.t, c.helm.Uninstall(ctx, "weir", "weir-system"))
		assert.NoError(s.t, c.helm.Uninstall(ctx, "weir-loadtester", s.Namespace))
		assert.NoError(s.t, s.Stage.Install(ctx, stage.Overlay{}))
	})
	require.NoError(s.t, s.Stage.Uninstall(ctx))
	s.kubectl("create", "namespace", "weir-system")
	s.kubectl("-n", "weir-system", "create", "secret", "generic", "weir-alerts", "--from-literal=slack-url="+s.chat().URL+hook)

	tag, err = s.Stage.Image(ctx, "weir-loadtester")
	require.NoError(s.t, err)
	c.run("image: {tag: "+tag+"}", "install", "weir-loadtester", s.Namespace)
	return c
}

// run installs or upgrades a release of the chart of its name, and waits until it is there, as its notes say.
func (c *charted) run(values, verb, chart, namespace string, args ...string) {
	c.t.Helper()
	args = append([]string{verb, chart, filepath.Join(c.tree, "charts", chart), "--namespace=" + namespace}, args...)
	_, err := c.helm.Run(c.t.Context(), values, args...)
	require.NoError(c.t, err)
	c.kubectl("-n", namespace, "rollout", "status", "deployment/"+chart, "--timeout=90s")
}

// install installs or upgrades Weir.
func (c *charted) install(verb string, args ...string) {
	c.t.Helper()
	c.run(c.values, verb, "weir", "weir-system", args...)
}

func (c *charted) uninstall() {
	c.t.Helper()
	require.NoError(c.t, c.helm.Uninstall(c.t.Context(), "weir", "weir-system"))
	c.kubectl("-n", "weir-system", "wait", "pods", "--all", "--for=delete", "--timeout=60s")
}

// annotate has Weir adopt the Deployment.
func (c *charted) annotate() {
	c.t.Helper()
	pods, _ := c.pods()
	c.kubectl("annotate", "deployment", c.Name, "weir.dev/canary=true", "weir.dev/port=9898")
	c.await(stage.InPhase(v1beta1.PhaseInitialized))
	now, _ := c.pods()
	assert.Equal(c.t, pods, now, "adoption touches no pod")
}

// upgradedInMidRun: the run that was on when other values came goes on, to the gate of the load tester and beyond.
func (c *charted) upgradedInMidRun() {
	c.profile(fmt.Sprintf(chartedProfile, c.Namespace))
	c.await(func(can *v1beta1.Canary) bool { return len(can.Spec.Analysis.Webhooks) == 3 })
	c.person("releaser", "get,list,patch")
	gate := &gateOfTester{c.story, c.forward(c.Namespace, "weir-loadtester")}

	c.release(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
	run := c.await(stage.AtWeight(25)).Status.Run.ID
	begun := time.Now()
	c.install("upgrade", "--set=logLevel=debug")
	c.t.Logf("upgraded within %s", time.Since(begun).Round(100*time.Millisecond))
	assert.Contains(c.t, c.kubectl("-n", "weir-system", "get", "pods", "-o", "jsonpath={.items[*].spec.containers[*].args}"),
		"--log-level=debug")
	held := c.await(atGate)
	require.NotNil(c.t, held.Status.Run)
	assert.Equal(c.t, run, held.Status.Run.ID, "it is the same run")
	assert.Equal(c.t, int32(50), held.Status.Weight)
	gate.turns("open", "releaser", http.StatusAccepted)
	promoted := c.ended(1, v1beta1.OutcomePromoted)
	assert.Equal(c.t, run, promoted.Status.History[0].ID)
	gate.turns("close", "releaser", http.StatusAccepted) // no other run ends by itself
	_, said := gate.asks(http.MethodGet, gate.url+"/metrics", "", "")
	assert.Contains(c.t, said, `weir_loadtester_tasks_total{result="ok",type="http"}`)
}

// goneInMidRun: Weir goes in the midst of a run. The split stays, and its Canary waits. When Weir is there again all is given
// back, and the version that was under test is not released.
func (c *charted) goneInMidRun() {
	c.install("install")
	c.annotate()
	c.release(stage.Version{Label: "three"})
	c.await(stage.AtWeight(25))
	c.uninstall()
	left := c.await(func(*v1beta1.Canary) bool { return true }).Status
	assert.Equal(c.t, "Canary "+c.Namespace+"/podinfo: it holds Deployment podinfo, and a run is on\n"+
		"kubectl weir: 1 thing would be left; delete the Canaries while Weir runs, wait until they are gone, and look again\n",
		c.weir(1, "uninstall", "--check"))
	c.kubectl("annotate", "deployment", c.Name, "weir.dev/canary-", "weir.dev/port-")
	c.kubectl("delete", "canary", c.Name, "--wait=false")
	settled()
	assert.InDelta(c.t, left.Weight, c.share(c.requests, left.Canary.Hash, 5*time.Second), 8, "the split stays")
	assert.Contains(c.t, c.weir(1, "uninstall", "--check"), "is being given back; wait until the Canary is gone")

	c.install("install")
	c.kubectl("wait", "canary", c.Name, "--for=delete", "--timeout=90s")
	assert.Contains(c.t, c.told("LeftPaused"), "kubectl rollout resume")
	assert.Contains(c.t, c.weir(1, "uninstall", "--check"), "it is paused, because its template is not what serves")
	pods, _ := c.pods()
	c.release(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
	c.kubectl("rollout", "resume", "deployment/podinfo")
	c.kubectl("rollout", "status", "deployment/podinfo", "--timeout=60s")
	now, _ := c.pods()
	assert.Equal(c.t, pods, now, "it served all along")
	assert.Equal(c.t, "nothing would be left\n", c.weir(0, "uninstall", "--check"))
}

// goneForGood: Weir goes in the midst of a run, and does not come back. What it made goes with the Canary then, so the route
// is turned first; and in the end Kubernetes releases by itself what was under test.
func (c *charted) goneForGood() {
	c.annotate()
	c.release(stage.Version{Label: "four"})
	c.await(stage.AtWeight(25))
	c.uninstall()
	c.kubectl("annotate", "deployment", c.Name, "weir.dev/canary-", "weir.dev/port-")
	c.kubectl("delete", "canary", c.Name, "--wait=false")
	patch := func(kind, how, patch string) { c.kubectl("patch", kind, c.Name, "--type="+how, "-p", patch) }
	patch("httproute", "merge", `{"metadata": {"ownerReferences": null},
		"spec": {"rules": [{"backendRefs": [{"name": "podinfo", "port": 9898}]}]}}`)
	patch("service", "merge", `{"metadata": {"ownerReferences": null}}`)
	settled()
	patch("canary", "merge", `{"metadata": {"finalizers": null}}`)
	require.Eventually(c.t, func() bool { return !strings.Contains(c.kubectl("get", "services", "-o", "name"), "podinfo-") },
		patience, time.Second, "what Weir made goes")
	c.nothingLost() // from here on it is a rollout of Kubernetes' own, which has no regard for requests
	patch("service", "json", `[{"op": "remove", "path": "/spec/selector/pod-template-hash"}]`)
	c.kubectl("rollout", "resume", "deployment/podinfo")
	c.kubectl("rollout", "status", "deployment/podinfo", "--timeout=90s")
	c.backAt("four", 3)
	require.NoError(c.t, load.AwaitOK(c.t.Context(), load.Config{URL: c.Stage.Sandbox.TraefikURL, Host: c.Host, Path: "/"}))
	assert.Equal(c.t, "nothing would be left\n", c.weir(0, "uninstall", "--check"))
	c.vanilla()
}
