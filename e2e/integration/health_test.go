package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"sync"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"weir.dev/weir/e2e/argocd"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// verdict is what the tools of others say of an object: kstatus, by which Flux and Helm wait, and Argo CD.
type verdict struct {
	kstatus status.Status
	argo    string
}

// onlookers watch every version of the Canaries and Deployments of a namespace as such tools do.
type onlookers struct {
	t        *testing.T
	scripts  map[string]string
	mu       sync.Mutex
	canaries []*unstructured.Unstructured
	targets  []*unstructured.Unstructured
	watching sync.WaitGroup
}

func (a *application) watched() *onlookers {
	a.t.Helper()
	o := &onlookers{t: a.t, scripts: map[string]string{}}
	for kind, name := range map[string]string{"Canary": "canary-health.lua", "Deployment": "deployment-health.lua"} {
		content, err := os.ReadFile("../../artifacts/argocd/" + name)
		require.NoError(a.t, err)
		o.scripts[kind] = string(content)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.t.Cleanup(func() { cancel(); o.watching.Wait() })
	for gvr, seen := range map[schema.GroupVersionResource]*[]*unstructured.Unstructured{
		v1beta1.SchemeGroupVersion.WithResource("canaries"):     &o.canaries,
		{Group: "apps", Version: "v1", Resource: "deployments"}: &o.targets,
	} {
		w, err := a.dynamic.Resource(gvr).Namespace(a.namespace).Watch(ctx, metav1.ListOptions{})
		require.NoError(a.t, err)
		o.watching.Go(func() {
			for e := range w.ResultChan() {
				if obj, ok := e.Object.(*unstructured.Unstructured); ok && e.Type != watch.Deleted {
					o.mu.Lock()
					*seen = append(*seen, obj)
					o.mu.Unlock()
				}
			}
		})
	}
	return o
}

func (o *onlookers) judge(obj *unstructured.Unstructured) (verdict, string) {
	o.t.Helper()
	computed, err := status.Compute(obj.DeepCopy())
	require.NoError(o.t, err)
	health, err := argocd.Judge(o.scripts[obj.GetKind()], obj)
	require.NoError(o.t, err)
	return verdict{computed.Status, health.Status}, fmt.Sprintf("kstatus: %s; Argo CD: %s", computed.Message, health.Message)
}

// verdicts are those of all versions of the Canary that Weir had looked at, by phase, and why they are so.
func (o *onlookers) verdicts() (found map[v1beta1.Phase]map[verdict]bool, why string) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	found = map[v1beta1.Phase]map[verdict]bool{}
	for _, c := range o.canaries {
		said, _, _ := unstructured.NestedString(c.Object, "status", "phase")
		observed, _, _ := unstructured.NestedInt64(c.Object, "status", "observedGeneration")
		if observed != c.GetGeneration() {
			continue
		}
		phase := v1beta1.Phase(said)
		v, sentence := o.judge(c)
		if found[phase] == nil {
			found[phase] = map[verdict]bool{}
		}
		if !found[phase][v] {
			found[phase][v] = true
			why += fmt.Sprintf("%s: %v: %s\n", phase, v, sentence)
		}
	}
	return found, why
}

// target is the verdict on the latest version of the Deployment.
func (o *onlookers) target() verdict {
	o.mu.Lock()
	defer o.mu.Unlock()
	v, _ := o.judge(o.targets[len(o.targets)-1])
	return v
}

// catchUp waits until the onlookers have seen the Canary as it is now.
func (o *onlookers) catchUp(a *application) {
	o.t.Helper()
	a.await("the onlookers", func() bool {
		c, err := a.weir.WeirV1beta1().Canaries(a.namespace).Get(o.t.Context(), "app", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true
		}
		require.NoError(o.t, err)
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.canaries) > 0 && o.canaries[len(o.canaries)-1].GetResourceVersion() == c.ResourceVersion
	})
}

var (
	atWork = verdict{status.InProgressStatus, "Progressing"}
	atRest = verdict{status.CurrentStatus, "Healthy"}
	failed = verdict{status.FailedStatus, "Degraded"}
	ending = verdict{status.TerminatingStatus, "Progressing"}
	held   = verdict{status.InProgressStatus, "Suspended"}
)

// life is one of an application, and what its onlookers say of it: of the Canary in each phase, in all versions
// that Weir has looked at, and of the Deployment at the end.
type life struct {
	name, metrics string
	change        func(*v1beta1.CanarySpec)
	// deadline leaves the Deployment the progressDeadlineSeconds that every Deployment has.
	deadline bool
	live     func(*application)
	canary   map[v1beta1.Phase][]verdict
	target   verdict
}

func lives() []life {
	type phases = map[v1beta1.Phase][]verdict
	adopted := phases{v1beta1.PhaseInitializing: {atWork}, v1beta1.PhaseInitialized: {atRest}}
	and := func(more phases) phases {
		all := maps.Clone(adopted)
		maps.Copy(all, more)
		return all
	}
	return []life{
		{name: "promoted", live: promote, canary: and(phases{v1beta1.PhaseProgressing: {atWork},
			v1beta1.PhasePromoting: {atWork}, v1beta1.PhaseFinalising: {atWork}, v1beta1.PhaseSucceeded: {atRest}}), target: atRest},
		{name: "rolled back", metrics: "/bad", live: refused, canary: and(phases{v1beta1.PhaseProgressing: {atWork},
			v1beta1.PhaseFailed: {failed}}), target: atWork},
		{name: "mended", metrics: "/bad", live: mended, canary: and(phases{v1beta1.PhaseProgressing: {atWork},
			v1beta1.PhaseFailed: {failed}, v1beta1.PhaseSucceeded: {atRest}}), target: atRest},
		{name: "deleted in mid-run", live: deletedInMidRun, canary: and(phases{v1beta1.PhaseProgressing: {atWork},
			v1beta1.PhaseTerminating: {ending}}), target: atWork},
		{name: "without a target", change: func(s *v1beta1.CanarySpec) { s.TargetRef.Name, s.Service.Name = "ghost", "app" },
			live: stalled, canary: phases{v1beta1.PhaseInitializing: {failed}}, target: atRest},
		{name: "not accepted", change: func(s *v1beta1.CanarySpec) { s.Service.Port = 8443 },
			live: stalled, canary: phases{v1beta1.PhaseInitializing: {failed}}, target: atRest},
		{name: "not accepted any more", live: spoilt, canary: and(phases{v1beta1.PhaseInitialized: {atRest, failed}}), target: atRest},
		{name: "suspended", live: suspended, canary: and(phases{v1beta1.PhaseInitialized: {atRest, {status.CurrentStatus, "Suspended"}},
			v1beta1.PhaseProgressing: {atWork, held}}), target: atWork},
		{name: "commanded", live: commanded, canary: and(phases{v1beta1.PhaseProgressing: {atWork, held},
			v1beta1.PhaseFailed: {failed}, v1beta1.PhasePromoting: {atWork}, v1beta1.PhaseFinalising: {atWork},
			v1beta1.PhaseSucceeded: {atRest}}), target: atRest},
		{name: "with a step for a person", change: byHand, live: agreed, canary: and(phases{v1beta1.PhaseProgressing: {atWork, held},
			v1beta1.PhaseWaitingPromotion: {held}, v1beta1.PhasePromoting: {atWork}, v1beta1.PhaseFinalising: {atWork},
			v1beta1.PhaseSucceeded: {atRest}}), target: atRest},
		// kstatus waits for a condition that a paused Deployment does not have.
		{name: "with a deadline", deadline: true, live: adopt, canary: adopted, target: verdict{status.InProgressStatus, "Healthy"}},
	}
}

// TestHealth shows Canaries to those who wait for a release, or colour it in a picture.
func TestHealth(t *testing.T) {
	c := start(t)
	t.Run("never seen", func(t *testing.T) { neverSeen(t, c) })
	for _, l := range lives() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			a := c.application(t)
			onlookers := a.watched()
			if !l.deadline {
				a.withoutDeadline()
			}
			op := c.operate(t, a.namespace, nil)
			defer op.end()
			if l.change == nil {
				l.change = func(*v1beta1.CanarySpec) {}
			}
			a.make(func(s *v1beta1.CanarySpec) {
				s.MetricsServer = a.metrics.URL + l.metrics
				l.change(s)
			})
			l.live(a)
			want := map[v1beta1.Phase]map[verdict]bool{}
			for phase, verdicts := range l.canary {
				want[phase] = map[verdict]bool{}
				for _, v := range verdicts {
					want[phase][v] = true
				}
			}
			onlookers.catchUp(a)
			got, why := onlookers.verdicts()
			assert.Equal(t, want, got, why)
			a.await(fmt.Sprintf("%v of the Deployment", l.target), func() bool { return onlookers.target() == l.target })
		})
	}
}

// A Canary that nobody has looked at yet is not done.
func neverSeen(t *testing.T, c *cluster) {
	a := c.application(t)
	onlookers := a.watched()
	a.manage("/good")
	canaries := a.dynamic.Resource(v1beta1.SchemeGroupVersion.WithResource("canaries")).Namespace(a.namespace)
	canary, err := canaries.Get(t.Context(), "app", metav1.GetOptions{})
	require.NoError(t, err)
	v, why := onlookers.judge(canary)
	assert.Equal(t, verdict{status.InProgressStatus, "Progressing"}, v, why)
}

// withoutDeadline gives the Deployment the progressDeadlineSeconds that kstatus takes for none.
func (a *application) withoutDeadline() {
	a.t.Helper()
	_, err := a.kube.AppsV1().Deployments(a.namespace).Patch(a.t.Context(), "app", types.MergePatchType,
		[]byte(`{"spec":{"progressDeadlineSeconds":2147483647}}`), metav1.PatchOptions{})
	require.NoError(a.t, err)
	a.await("the Deployment rolled out", func() bool { return a.deployment().Status.AvailableReplicas == replicas })
}

func refused(a *application) {
	adopt(a)
	rollBack(a)
}

func mended(a *application) {
	refused(a)
	a.release("1")
	a.awaitPhase(v1beta1.PhaseSucceeded)
}

func deletedInMidRun(a *application) {
	progress(a)
	deleteInMidRun(a)
}

func stalled(a *application) {
	a.await("a person to be asked for", func() bool {
		said := a.said(v1beta1.ConditionStalled)
		return said != nil && said.Status == metav1.ConditionTrue
	})
}

// spoilt: what a Canary asks for at rest cannot be carried out.
func spoilt(a *application) {
	adopt(a)
	_, err := a.weir.WeirV1beta1().Canaries(a.namespace).Patch(a.t.Context(), "app", types.MergePatchType,
		[]byte(`{"spec":{"service":{"port":8443}}}`), metav1.PatchOptions{})
	require.NoError(a.t, err)
	stalled(a)
}

// suspended: the spec keeps everything as it is, first at rest and then in mid-run.
func suspended(a *application) {
	adopt(a)
	suspend := func(yes bool) {
		a.t.Helper()
		_, err := a.weir.WeirV1beta1().Canaries(a.namespace).Patch(a.t.Context(), "app", types.MergePatchType,
			fmt.Appendf(nil, `{"spec":{"suspend":%t}}`, yes), metav1.PatchOptions{})
		require.NoError(a.t, err)
		a.await(fmt.Sprintf("suspended: %t", yes), func() bool { return (a.said(v1beta1.ConditionSuspended) != nil) == yes })
	}
	suspend(true)
	suspend(false)
	a.release("2")
	a.awaitPhase(v1beta1.PhaseProgressing)
	suspend(true)
}

// act takes an action in Argo CD, and waits until Weir has done what it says.
func (a *application) act(verb string) {
	a.t.Helper()
	content, err := os.ReadFile("../../artifacts/argocd/actions/" + verb + ".lua")
	require.NoError(a.t, err)
	canaries := a.dynamic.Resource(v1beta1.SchemeGroupVersion.WithResource("canaries")).Namespace(a.namespace)
	live, err := canaries.Get(a.t.Context(), "app", metav1.GetOptions{})
	require.NoError(a.t, err)
	wanted, err := argocd.Act(string(content), live)
	require.NoError(a.t, err)
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": wanted.GetAnnotations()}})
	require.NoError(a.t, err)
	_, err = canaries.Patch(a.t.Context(), "app", types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(a.t, err)
	a.await(verb, func() bool {
		last := a.last().LastCommand
		return last != nil && last.Verb == verb && last.Accepted
	})
}

// commanded: somebody steers a run in Argo CD.
func commanded(a *application) {
	adopt(a)
	a.release("2")
	a.await("weight 20", func() bool { return a.last().Weight == 20 })
	a.act(v1beta1.VerbPause)
	a.await("a pause", func() bool { return a.last().Run != nil && a.last().Run.Paused != nil })
	a.act(v1beta1.VerbResume)
	a.act(v1beta1.VerbAbort)
	a.awaitPhase(v1beta1.PhaseFailed)
	a.act(v1beta1.VerbRetry)
	a.awaitPhase(v1beta1.PhaseSucceeded)
}

// byHand has a step that lasts until a person says so, and a promotion that waits for one.
func byHand(s *v1beta1.CanarySpec) {
	first, second := int32(20), int32(60)
	s.Analysis.StepWeights = nil
	s.Analysis.Steps = []v1beta1.CanaryStep{{Weight: &first, Pause: &v1beta1.StepPause{}}, {Weight: &second}}
	s.Analysis.Manual = true
}

func agreed(a *application) {
	adopt(a)
	a.release("2")
	a.await("the step to wait", func() bool { return a.said(v1beta1.ConditionProgressing).Reason == rollout.ReasonPaused })
	a.act(v1beta1.VerbPromote)
	a.awaitPhase(v1beta1.PhaseWaitingPromotion)
	a.await("the promotion to wait", func() bool { return a.said(v1beta1.ConditionProgressing).Reason == rollout.ReasonGateClosed })
	a.act(v1beta1.VerbPromote)
	a.awaitPhase(v1beta1.PhaseSucceeded)
}
