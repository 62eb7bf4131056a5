package contour_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/contour"
)

// What is read is what was rendered, whichever split is the committed one.
func TestReadBack(t *testing.T) {
	insiders := byHeader("x-insider", v1beta1.StringMatch{Exact: "yes"})
	testers := byHeader("x-tester", v1beta1.StringMatch{Prefix: "y"})
	var splits []rollout.Split
	for _, match := range [][]v1beta1.RequestMatch{nil, insiders, testers} {
		for _, weight := range []int32{0, 1, 33, 99, 100} {
			for _, mirror := range []int32{0, 1, 100} {
				splits = append(splits, rollout.Split{Weight: weight, Mirror: mirror, Match: match})
			}
		}
	}
	for _, c := range []*v1beta1.Canary{canary(t), bare(t)} {
		app := appOf(c)
		for _, split := range splits {
			h := render(t, c, split)
			accept(h)
			found := foundOf(c, h)
			require.Equal(t, rollout.Route{Found: true, Split: split, Accepted: true}, contour.Router{}.Read(app, split, found))
			for _, other := range splits {
				read := contour.Router{}.Read(app, other, found)
				require.Equal(t, split.Equal(other), read.Split.Equal(other), "%+v in force, %+v committed", split, other)
				require.Equal(t, len(split.Match) > 0, len(read.Split.Match) > 0)
			}
		}
	}
}

// What Contour says counts for the generation that it says it of.
func TestVerdict(t *testing.T) {
	c := bare(t)
	fault := func(kind, reason, message string) map[string]any {
		return map[string]any{"type": kind, "status": "True", "reason": reason, "message": message}
	}
	for name, s := range map[string]struct {
		says     func(*unstructured.Unstructured)
		accepted bool
		refused  string
	}{
		"nothing": {func(h *unstructured.Unstructured) {
			h.Object["status"] = map[string]any{"currentStatus": "NotReconciled", "description": "Waiting for controller"}
		}, false, ""},
		"valid": {accept, true, ""},
		"of the version before": {func(h *unstructured.Unstructured) {
			h.SetGeneration(6)
			accept(h)
			h.SetGeneration(7)
		}, false, ""},
		"a fault of the version before": {func(h *unstructured.Unstructured) {
			h.SetGeneration(6)
			speak(h, "False", "At least one error present")
			h.SetGeneration(7)
		}, false, ""},
		"a fault": {func(h *unstructured.Unstructured) {
			speak(h, "False", "At least one error present", fault("ServiceError", "ServiceUnresolvedReference", "no such service"))
		}, false, "HTTPProxy shop/podinfo is not served: ServiceUnresolvedReference: no such service"},
		"a fault without a name": {func(h *unstructured.Unstructured) { speak(h, "False", "bad") }, false,
			"HTTPProxy shop/podinfo is not served: bad"},
		"orphaned": {func(h *unstructured.Unstructured) {
			speak(h, "False", "At least one error present", fault("Orphaned", "Orphaned", "this HTTPProxy is not part of"))
		}, false, "HTTPProxy shop/podinfo is not served: no root HTTPProxy includes it; name it in spec.includes of yours"},
		"nobody knows": {func(h *unstructured.Unstructured) { speak(h, "Unknown", "") }, false, ""},
	} {
		h := render(t, c, rollout.Split{Weight: 10})
		h.SetGeneration(7)
		s.says(h)
		want := rollout.Route{Found: true, Split: rollout.Split{Weight: 10}, Accepted: s.accepted, Refused: s.refused}
		require.Equal(t, want, contour.Router{}.Read(appOf(c), rollout.Split{Weight: 10}, foundOf(c, h)), name)
	}
}

// What others add to the spec beside the routes is theirs, and no reason to wait.
func TestReadBesideOthers(t *testing.T) {
	c := canary(t)
	h := render(t, c, rollout.Split{Weight: 10})
	accept(h)
	h.Object["spec"].(map[string]any)["ingressClassName"] = "internal"
	found := foundOf(c, h)
	require.True(t, contour.Router{}.Read(appOf(c), rollout.Split{Weight: 10}, found).Accepted)
	released, err := contour.Router{}.Release(appOf(c), found)
	require.NoError(t, err)
	require.Equal(t, "internal", released[0].Object.Object["spec"].(map[string]any)["ingressClassName"])
}

// A spec that has changed is in force once it was applied.
func TestReadAfterAChange(t *testing.T) {
	c := canary(t)
	h := render(t, c, rollout.Split{Weight: 10})
	accept(h)
	c.Spec.Service.Timeout = "1s"
	read := contour.Router{}.Read(appOf(c), rollout.Split{Weight: 10}, foundOf(c, h))
	require.Equal(t, rollout.Route{Found: true, Split: rollout.Split{Weight: 10}}, read)
}

// Weights are read as Contour takes them.
func TestReadOddWeights(t *testing.T) {
	c := bare(t)
	for _, w := range []struct {
		primary, canary, mirror any
		share, copies           int32
	}{
		{int64(1), int64(2), nil, 67, 100},
		{int64(0), int64(0), int64(0), 50, 100},
		{nil, nil, int64(7), 50, 7},
		{nil, int64(1), int64(101), 100, 100},
		{int64(999), int64(1), int64(1), 1, 1},
	} {
		h := render(t, c, rollout.Split{Weight: 10, Mirror: 40})
		p, canary := pairOf(own(h))
		for _, s := range []struct {
			service map[string]any
			weight  any
		}{{p, w.primary}, {canary, w.canary}, {mirrorOf(own(h)), w.mirror}} {
			if s.service["weight"] = s.weight; s.weight == nil {
				delete(s.service, "weight")
			}
		}
		accept(h)
		read := contour.Router{}.Read(appOf(c), rollout.Split{}, foundOf(c, h))
		require.Equal(t, rollout.Route{Found: true, Split: rollout.Split{Weight: w.share, Mirror: w.copies}}, read, "%+v", w)
	}
}

func TestReadNothing(t *testing.T) {
	require.Equal(t, rollout.Route{}, contour.Router{}.Read(appOf(canary(t)), rollout.Split{}, router.Found{}))
	released, err := contour.Router{}.Release(appOf(canary(t)), router.Found{})
	require.NoError(t, err)
	require.Empty(t, released)
}
