package kubernetes_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/kubernetes"
	"weir.dev/weir/pkg/router/routertest"
)

func TestConformance(t *testing.T) {
	routertest.Run(t, routertest.Subject{Router: kubernetes.Router{}})
}

// TestRead goes through the life of a run: what the status names, what apex and canary Service are held to, and
// what was committed.
func TestRead(t *testing.T) {
	revision := func(hash string, replicas int32) *v1beta1.RevisionStatus {
		return &v1beta1.RevisionStatus{Hash: hash, Replicas: replicas}
	}
	atRest := v1beta1.CanaryStatus{Primary: revision("aa", 4)}
	run := v1beta1.CanaryStatus{Primary: revision("aa", 4), Canary: revision("bb", 2)}
	refused := v1beta1.CanaryStatus{Primary: revision("aa", 4), Canary: revision("bb", 0)}
	superseded := v1beta1.CanaryStatus{Primary: revision("aa", 4), Retiring: revision("bb", 2)}
	deleted := v1beta1.CanaryStatus{Phase: v1beta1.PhaseTerminating, Primary: revision("aa", 4)}
	deletedInRun := superseded
	deletedInRun.Phase = v1beta1.PhaseTerminating
	const missing = "-"
	for _, c := range []struct {
		name          string
		st            v1beta1.CanaryStatus
		apex, canary  string
		committed, is int32
	}{
		{"nothing is known yet", v1beta1.CanaryStatus{}, "", missing, 0, 0},
		{"a pin that another Weir has left", v1beta1.CanaryStatus{}, "aa", "", 0, -1},
		{"at rest", atRest, "", "", 0, 0},
		{"a run begins", run, "aa", "bb", 0, 0},
		{"before its pin is seen", run, "", "bb", 0, 1},
		{"a step", run, "", "bb", 30, 30},
		{"a step, before the pin is gone", run, "aa", "bb", 30, 0},
		{"a step, and somebody has deleted the canary's Service", run, "", missing, 30, 30},
		{"a step, and nothing tells the two apart", run, "", "", 30, 0},
		{"all, before the pin is seen", run, "", "bb", 100, 1},
		{"all", run, "bb", "bb", 100, 100},
		{"handed over", v1beta1.CanaryStatus{Primary: revision("bb", 4)}, "bb", "bb", 100, 0},
		{"handed over, and unpinned", v1beta1.CanaryStatus{Primary: revision("bb", 4)}, "", "bb", 0, 0},
		{"rolled back, before the pin is seen", run, "", "bb", 0, 1},
		{"rolled back", run, "aa", "bb", 0, 0},
		{"rolled back, its pods gone", refused, "", "", 0, 0},
		{"rolled back, its pods gone, its Service deleted", refused, "", missing, 0, 0},
		{"rolled back, and somebody has deleted its pods", run, "", "", 0, 0},
		{"superseded at a step, before the pin is seen", superseded, "", "bb", 0, 1},
		{"superseded, its Service deleted", superseded, "", missing, 0, 1},
		{"superseded with all of the traffic", superseded, "bb", "bb", 100, 100},
		{"superseded", superseded, "aa", "bb", 0, 0},
		{"a stranger", run, "cc", "bb", 30, -1},
		{"deleted in a run, before the pin is seen", deletedInRun, "", "bb", 0, 1},
		{"deleted, and still pinned", deleted, "aa", "", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			app, found := application(c.st, c.apex, c.canary)
			want := rollout.Route{Found: true, Split: rollout.Split{Weight: c.is}, Accepted: true}
			require.Equal(t, want, kubernetes.Router{}.Read(app, rollout.Split{Weight: c.committed}, found))
		})
	}

	app, found := application(deleted, "", "")
	require.Equal(t, rollout.Route{}, kubernetes.Router{}.Read(app, rollout.Split{}, found), "nothing is left to give back")
	app, _ = application(atRest, "", "")
	require.Equal(t, rollout.Route{}, kubernetes.Router{}.Read(app, rollout.Split{}, nil), "there is no apex")
}

// application has the two Services, held to the pods of a revision, or to none, or missing where it says "-".
func application(st v1beta1.CanaryStatus, apex, canary string) (router.App, router.Found) {
	c := &v1beta1.Canary{Status: st}
	c.Namespace, c.Name = "shop", "podinfo"
	app := router.App{Canary: c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary"}
	found := router.Found{}
	for i, ref := range (kubernetes.Router{}).Refs(app) {
		selector := map[string]any{"app": "podinfo"}
		switch pin := []string{apex, canary}[i]; pin {
		case "-":
			continue
		case "":
		default:
			selector["pod-template-hash"] = pin
		}
		found[ref] = &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"selector": selector}}}
	}
	return app, found
}
