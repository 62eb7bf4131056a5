package stories

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// analysis judges by what the gateway counts, over a window that a canary fills in seconds.
const analysis = `    interval: 3s
    threshold: 2
    stepWeights: [10, 50]
    metrics:
    - name: request-success-rate
      interval: 10s
      thresholdRange: {min: 99}
    - name: request-duration
      interval: 10s
      thresholdRange: {max: 2000}
`

// patience is how long any one thing may take; nothing here takes a tenth of it.
const patience = 3 * time.Minute

// rate is in requests a second.
const rate = 200

// TestStories raises the stage once; the stories are told one after the other, each in a namespace of its own.
func TestStories(t *testing.T) {
	if os.Geteuid() != 0 && os.Getenv("KUBECONFIG") == "" {
		t.Skip("a node needs root; or set KUBECONFIG to a cluster that has what e2e/sandbox brings")
	}
	s, err := stage.Raise(t.Context(), os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, s.Strike(ctx))
	})
	require.NoError(t, s.Install(t.Context(), stage.Overlay{}))
	// The targets of all other stories are Deployments.
	kinds := map[string]string{"statefulset": v1beta1.KindStatefulSet, "daemonset": v1beta1.KindDaemonSet}
	for _, story := range []struct {
		name   string
		always bool
		tell   func(*story)
	}{
		{"promotion", true, promotion},
		{"rollback", true, rollback},
		{"superseded", false, superseded},
		{"deletion", false, deletion},
		{"scaling", false, scaling},
		{"crashing", false, crashing},
		{"no-image", false, noImage},
		{"no-prometheus", false, noPrometheus},
		{"resumed-by-hand", false, resumedByHand},
		{"operator-killed", false, operatorKilled},
		{"a-b", false, abTesting},
		{"blue-green", false, blueGreen},
		{"steps-and-commands", false, stepsAndCommands},
		{"annotated", false, byAnnotations},
		{"at-rest", false, atRest},
		{"first-day-gatewayapi", false, firstDay("gatewayapi")},
		{"first-day-istio", false, firstDay("istio")},
		{"first-day-kubernetes", false, firstDay("kubernetes")},
		{"first-day-linkerd", false, firstDay("linkerd")},
		{"first-day-nginx", false, firstDay("nginx")},
		{"first-day-skipper", false, firstDay("skipper")},
		{"first-day-traefik", false, firstDay("traefik")},
		{"plugin", false, byPlugin},
		{"people", false, people},
		{"compared", false, compared},
		{"rolling", false, rolling},
		{"affinity", false, affinity},
		{"gates", false, everyGate},
		{"gate-closed", false, closedGate},
		{"pods-alone", false, podsAlone},
		{"nginx", false, canaryIngress},
		{"traefik", false, traefikService},
		{"skipper", false, throughSkipper},
		{"istio", false, inIstio},
		{"linkerd", false, inLinkerd},
		{"flapping", false, flapping},
		{"never-ready", false, neverReady},
		{"dead-primary", false, deadPrimary},
		{"fixed", false, fixed},
		{"pushed-in-promotion", false, pushedInPromotion},
		{"queue", false, queueOfOne},
		{"config", false, trackedConfig},
		{"to-zero-and-back", false, toZeroAndBack},
		{"autoscaler", false, autoscaler},
		{"keda", false, keda},
		{"statefulset", false, statefulSet},
		{"daemonset", false, daemonSet},
		{"operator-upgrade", false, operatorUpgrade},
		{"gitops-server-side", false, gitopsServerSide},
		{"gitops-client-side", false, gitopsClientSide},
		{"gitops-route-forced", false, gitopsRouteForced},
		{"gitops-helm", false, gitopsHelm},
		{"helm-install", false, helmInstall},
		{"pages", false, byThePages},
		{"quick-start", false, quickStart},
	} {
		t.Run(story.name, func(t *testing.T) {
			if !story.always && os.Getenv("WEIR_E2E") != "1" {
				t.Skip("told by make e2e (WEIR_E2E=1)")
			}
			story.tell(begin(t, s, "story-"+story.name, kinds[story.name]))
		})
	}
}

// story is an application under load.
type story struct {
	*stage.Application
	t        *testing.T
	requests *load.Load
	started  time.Time
	stop     sync.Once
}

// begin deploys the application and starts the load. When the story is told, nothing may have been lost.
func begin(t *testing.T, s *stage.Stage, namespace, kind string) *story {
	t.Helper()
	app := &stage.Application{
		Stage: s, Namespace: namespace, Kind: cmp.Or(kind, v1beta1.KindDeployment),
		Name: "podinfo", Host: namespace + ".test", Replicas: 3,
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, app.Remove(ctx))
	})
	require.NoError(t, app.Remove(t.Context()), "what an earlier telling left")
	require.NoError(t, app.Deploy(t.Context(), stage.Version{Label: "one"}))
	config := load.Config{URL: s.Sandbox.TraefikURL, Host: app.Host, Path: "/", Rate: rate}
	require.NoError(t, load.AwaitOK(t.Context(), config))
	st := &story{Application: app, t: t, started: time.Now(), requests: load.Start(t.Context(), config)}
	t.Cleanup(st.nothingLost)
	return st
}

// nothingLost ends the load and counts.
func (s *story) nothingLost() {
	s.stop.Do(func() { s.count(s.Namespace, s.requests.Stop()) })
}

// count says what came of a load, of which nothing may be lost. Traefik answers for a Service that is not there as podinfo
// does for its random errors, with a status of 500 and nothing else, so nothing may fail until a version is asked for that
// has those.
func (s *story) count(by string, answers []load.Answer) {
	s.t.Helper()
	sum := load.Summarise(answers, time.Time{})
	s.t.Logf("%s: %s", by, sum)
	assert.Greater(s.t, sum.Total, rate*5, "there was a load")
	assert.Zero(s.t, sum.Lost, "requests were lost: %v", sum.Examples)
	failed := slices.DeleteFunc(answers, func(a load.Answer) bool {
		return !a.Failed() || !s.Faulty.IsZero() && a.At.After(s.Faulty)
	})
	assert.Empty(s.t, failed[:min(len(failed), 5)], "%d requests failed while no version was there that fails them", len(failed))
}

// adopt puts the Canary over the application, and checks that no pod noticed.
func (s *story) adopt() {
	s.t.Helper()
	before, restarts := s.pods()
	s.manage(analysis)
	s.await(stage.InPhase(v1beta1.PhaseInitialized))
	after, restartsNow := s.pods()
	assert.Equal(s.t, before, after, "adoption touches no pod")
	assert.Equal(s.t, restarts, restartsNow)
}

// manage applies the Canary with an analysis, indented by four, and whatever of the spec comes after it.
func (s *story) manage(analysis string) {
	s.t.Helper()
	require.NoError(s.t, s.Manage(s.t.Context(), analysis))
}

// adoptWith is adopt with another analysis.
func (s *story) adoptWith(analysis string) {
	s.t.Helper()
	s.manage(analysis)
	s.await(stage.InPhase(v1beta1.PhaseInitialized))
}

func (s *story) release(v stage.Version) {
	s.t.Helper()
	require.NoError(s.t, s.Release(s.t.Context(), v))
}

func (s *story) await(wanted func(*v1beta1.Canary) bool) *v1beta1.Canary {
	s.t.Helper()
	c, err := s.Await(s.t.Context(), patience, wanted)
	require.NoError(s.t, err)
	return c
}

// ended waits for the n-th run to be over, and checks its outcome.
func (s *story) ended(n int, outcome v1beta1.Outcome) *v1beta1.Canary {
	s.t.Helper()
	c := s.await(stage.RunsEnded(n))
	run := c.Status.History[0]
	require.Equal(s.t, outcome, run.Outcome, "%s: %s", run.Reason, run.Message)
	return c
}

// pods are the UIDs by revision, and the number of restarts.
func (s *story) pods() (map[string][]string, int) {
	s.t.Helper()
	pods, restarts, err := s.Pods(s.t.Context())
	require.NoError(s.t, err)
	return pods, restarts
}

func (s *story) kubectl(args ...string) string {
	s.t.Helper()
	said, err := s.Stage.Kubectl(s.t.Context(), append([]string{"-n", s.Namespace}, args...)...)
	require.NoError(s.t, err)
	return said
}

func (s *story) apex() *corev1.Service {
	s.t.Helper()
	svc, err := s.Stage.Kube.CoreV1().Services(s.Namespace).Get(s.t.Context(), s.Name, metav1.GetOptions{})
	require.NoError(s.t, err)
	return svc
}

// told waits for the event of a reason on the target, which comes after the status, and gives its note.
func (s *story) told(reason string) string {
	s.t.Helper()
	var note string
	require.Eventually(s.t, func() bool {
		list, err := s.Stage.Kube.EventsV1().Events(s.Namespace).List(s.t.Context(), metav1.ListOptions{})
		for i := range list.Items {
			e := &list.Items[i]
			if e.Regarding.Kind == s.Kind && e.ReportingController == "weir.dev/weir" && e.Reason == reason {
				note = e.Note
			}
		}
		return err == nil && note != ""
	}, patience, 100*time.Millisecond, "an event %s on the target", reason)
	return note
}

// remove deletes the Canary and waits until it is gone and the application is as it was.
func (s *story) remove() {
	s.t.Helper()
	s.kubectl("delete", "canary", s.Name, "--timeout="+fmt.Sprint(patience))
}
