package istio_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/istio"
)

func controller(kind, name string, yes *bool) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "flagger.app/v1beta1", Kind: kind, Name: name, UID: "9", Controller: yes}}
}

// What is read is what was rendered, whichever split is the committed one.
func TestReadBack(t *testing.T) {
	insiders := byHeader("x-insider", v1beta1.StringMatch{Exact: "yes"})
	shop := []v1beta1.RequestMatch{{SourceLabels: map[string]string{"app": "shop"}}}
	var splits []rollout.Split
	for _, match := range [][]v1beta1.RequestMatch{nil, insiders, shop} {
		for _, weight := range []int32{0, 1, 33, 99, 100} {
			for _, mirror := range []int32{0, 1, 100} {
				splits = append(splits, rollout.Split{Weight: weight, Mirror: mirror, Match: match})
			}
		}
	}
	for _, c := range []*v1beta1.Canary{canary(t), bare(t)} {
		app := appOf(c)
		for _, split := range splits {
			found := foundOf(render(t, c, split))
			require.Equal(t, rollout.Route{Found: true, Split: split, Accepted: true}, istio.Router{}.Read(app, split, found))
			for _, other := range splits {
				read := istio.Router{}.Read(app, other, found)
				require.Equal(t, split.Equal(other), read.Split.Equal(other), "%+v in force, %+v committed", split, other)
				require.Equal(t, len(split.Match) > 0, len(read.Split.Match) > 0)
			}
		}
	}
}

// A cookie of the canary before still leads somewhere, and is not in order.
func TestReadOldCookie(t *testing.T) {
	c := canary(t)
	found := foundOf(render(t, c, rollout.Split{Weight: 10}))
	c.Status.Canary.Hash = "66fd"
	read := istio.Router{}.Read(appOf(c), rollout.Split{Weight: 10}, found)
	require.True(t, read.Found)
	require.False(t, read.Accepted)
	require.NotEmpty(t, read.Split.Match, "requests with it go to the canary")
}

// What others add to the spec beside Weir's fields is theirs, and no reason to wait.
func TestReadBesideOthers(t *testing.T) {
	c := canary(t)
	objects := render(t, c, rollout.Split{Weight: 10})
	found := foundOf(objects)
	v := found[objects[2].Ref]
	v.Object["spec"].(map[string]any)["exportTo"] = []any{"."}
	require.True(t, istio.Router{}.Read(appOf(c), rollout.Split{Weight: 10}, found).Accepted)
	released, err := istio.Router{}.Release(appOf(c), found)
	require.NoError(t, err)
	require.Equal(t, []any{"."}, released[0].Object.Object["spec"].(map[string]any)["exportTo"])

	delete(found, objects[0].Ref)
	require.False(t, istio.Router{}.Read(appOf(c), rollout.Split{Weight: 10}, found).Accepted, "a policy is missing")
}

// A spec that has changed is in force once it was applied.
func TestReadAfterAChange(t *testing.T) {
	c := canary(t)
	found := foundOf(render(t, c, rollout.Split{Weight: 10}))
	c.Spec.Service.Timeout = "1s"
	read := istio.Router{}.Read(appOf(c), rollout.Split{Weight: 10}, found)
	require.True(t, read.Found)
	require.False(t, read.Accepted)
	require.EqualValues(t, 10, read.Split.Weight)
}

func TestReadOddMirrors(t *testing.T) {
	c := bare(t)
	for _, m := range []struct {
		percentage any
		read       int32
	}{
		{nil, 100},
		{map[string]any{"value": 0.5}, 1},
		{map[string]any{"value": 12.3}, 13},
		{map[string]any{"value": int64(40)}, 40},
		{map[string]any{}, 1},
	} {
		objects := render(t, c, rollout.Split{Mirror: 40})
		route := own(virtualService(objects))
		if route["mirrorPercentage"] = m.percentage; m.percentage == nil {
			delete(route, "mirrorPercentage")
		}
		read := istio.Router{}.Read(appOf(c), rollout.Split{}, foundOf(objects))
		require.Equal(t, m.read, read.Split.Mirror, "%v", m.percentage)
		require.Equal(t, m.read == 40, read.Accepted)
	}
}

func TestReadNothing(t *testing.T) {
	require.Equal(t, rollout.Route{}, istio.Router{}.Read(appOf(canary(t)), rollout.Split{}, router.Found{}))
	released, err := istio.Router{}.Release(appOf(canary(t)), router.Found{})
	require.NoError(t, err)
	require.Empty(t, released)
}
