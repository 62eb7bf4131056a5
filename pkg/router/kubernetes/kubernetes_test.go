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

// TestRead goes through the life of a run: what the status names, what the apex is held to, and what was
// committed.
func TestRead(t *testing.T) {
	primary, canary := &v1beta1.RevisionStatus{Hash: "aa", Replicas: 4}, &v1beta1.RevisionStatus{Hash: "bb", Replicas: 2}
	refused := &v1beta1.RevisionStatus{Hash: "bb"}
	for _, c := range []struct {
		name      string
		st        v1beta1.CanaryStatus
		pin       string
		committed int32
		is        int32
	}{
		{"nothing is known yet", v1beta1.CanaryStatus{}, "", 0, 0},
		{"a pin that another Weir has left", v1beta1.CanaryStatus{}, "aa", 0, -1},
		{"at rest", v1beta1.CanaryStatus{Primary: primary}, "", 0, 0},
		{"a run begins", v1beta1.CanaryStatus{Primary: primary, Canary: canary}, "aa", 0, 0},
		{"before its pin is seen", v1beta1.CanaryStatus{Primary: primary, Canary: canary}, "", 0, 1},
		{"a step", v1beta1.CanaryStatus{Primary: primary, Canary: canary}, "", 30, 30},
		{"a step, before its pin is gone", v1beta1.CanaryStatus{Primary: primary, Canary: canary}, "aa", 30, 0},
		{"all, before the pin is seen", v1beta1.CanaryStatus{Primary: primary, Canary: canary}, "", 100, 1},
		{"all", v1beta1.CanaryStatus{Primary: primary, Canary: canary}, "bb", 100, 100},
		{"handed over", v1beta1.CanaryStatus{Primary: canary}, "bb", 100, 0},
		{"rolled back, before the pin is seen", v1beta1.CanaryStatus{Primary: primary, Canary: canary}, "", 0, 1},
		{"rolled back", v1beta1.CanaryStatus{Primary: primary, Canary: canary}, "aa", 0, 0},
		{"rolled back, its pods gone", v1beta1.CanaryStatus{Primary: primary, Canary: refused}, "", 0, 0},
		{"superseded at a step, before the pin is seen", v1beta1.CanaryStatus{Primary: primary, Retiring: canary}, "", 0, 1},
		{"superseded with all of the traffic", v1beta1.CanaryStatus{Primary: primary, Retiring: canary}, "bb", 100, 100},
		{"superseded", v1beta1.CanaryStatus{Primary: primary, Retiring: canary}, "aa", 0, 0},
		{"a stranger", v1beta1.CanaryStatus{Primary: primary, Canary: canary}, "cc", 30, -1},
		{"deleted in a run, before the pin is seen", v1beta1.CanaryStatus{
			Phase: v1beta1.PhaseTerminating, Primary: primary, Retiring: canary,
		}, "", 0, 1},
		{"deleted, and still pinned", v1beta1.CanaryStatus{Phase: v1beta1.PhaseTerminating, Primary: primary}, "aa", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			app, found := application(c.st, c.pin)
			want := rollout.Route{Found: true, Split: rollout.Split{Weight: c.is}, Accepted: true}
			require.Equal(t, want, kubernetes.Router{}.Read(app, rollout.Split{Weight: c.committed}, found))
		})
	}
}

// A deletion goes on when there is nothing left to give back.
func TestReadOfNothing(t *testing.T) {
	primary := &v1beta1.RevisionStatus{Hash: "aa", Replicas: 4}
	app, found := application(v1beta1.CanaryStatus{Phase: v1beta1.PhaseTerminating, Primary: primary}, "")
	require.Equal(t, rollout.Route{}, kubernetes.Router{}.Read(app, rollout.Split{}, found))
	app, _ = application(v1beta1.CanaryStatus{Primary: primary}, "")
	require.Equal(t, rollout.Route{}, kubernetes.Router{}.Read(app, rollout.Split{}, nil), "there is no apex")
}

func application(st v1beta1.CanaryStatus, pin string) (router.App, router.Found) {
	c := &v1beta1.Canary{Status: st}
	c.Namespace, c.Name = "shop", "podinfo"
	app := router.App{Canary: c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary"}
	selector := map[string]any{"app": "podinfo"}
	if pin != "" {
		selector["pod-template-hash"] = pin
	}
	found := router.Found{}
	for _, ref := range (kubernetes.Router{}).Refs(app) {
		found[ref] = &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"selector": selector}}}
	}
	return app, found
}
