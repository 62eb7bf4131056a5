package smi_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/smi"
)

// TestVersions takes the version that the spec names, if the cluster serves it, and else the newest that it serves.
func TestVersions(t *testing.T) {
	for _, v := range []struct {
		served         []string
		provider, used string
		refused        string
	}{
		{nil, "smi", "v1alpha4", ""},
		{nil, "", "v1alpha4", ""},
		{nil, "smi:v1alpha1", "v1alpha1", ""},
		{[]string{"v1alpha2", "v1alpha1"}, "smi", "v1alpha2", ""},
		{[]string{"v1alpha2", "v1alpha1"}, "", "v1alpha2", ""},
		{[]string{"v1alpha2", "v1alpha1"}, "smi:v1alpha1", "v1alpha1", ""},
		{[]string{"v1alpha2", "v1alpha1"}, "smi:v1alpha2", "v1alpha2", ""},
		{[]string{"v1alpha2", "v1alpha1"}, "smi:v1alpha4", "v1alpha2",
			"spec.provider smi:v1alpha4 names a version of TrafficSplits that is not served; set it to smi or smi:v1alpha2 or " +
				"smi:v1alpha1"},
		{[]string{"v1alpha1"}, "smi:v1", "v1alpha1",
			"spec.provider smi:v1 names a version of TrafficSplits that is not served; set it to smi or smi:v1alpha1"},
	} {
		var over []schema.GroupVersionResource
		for _, version := range v.served {
			over = append(over, smi.TrafficSplits(version))
		}
		r, ok := smi.Router{}.Over(over).(smi.Router)
		require.True(t, ok)
		if v.served != nil {
			require.Equal(t, over, r.Resources())
		}
		c := canary(t)
		c.Spec.Provider = v.provider
		require.Equal(t, []router.Ref{{Resource: smi.TrafficSplits(v.used), Namespace: "shop", Name: "podinfo"}}, r.Refs(appOf(c)))
		require.Equal(t, "split.smi-spec.io/"+v.used, render(t, r, c, 10).GetAPIVersion())
		problems := r.Validate(c)
		if v.refused == "" {
			require.Empty(t, problems)
			continue
		}
		require.Equal(t, []rollout.Problem{{Reason: "VersionNotServed", Message: v.refused}}, problems)
	}
	require.Len(t, smi.Router{}.Resources(), 4)
}

// TestRead has weights as others write them.
func TestRead(t *testing.T) {
	for _, w := range []struct {
		primary, canary any
		read            int32
		accepted        bool
	}{
		{int64(100), int64(0), 0, true},
		{int64(1), int64(99), 99, true},
		{int64(0), int64(100), 100, true},
		{int64(0), int64(1), 100, false},
		{int64(9), int64(1), 10, false},
		{int64(2), int64(1), 34, false},
		{"700m", "300m", 30, false},
		{"70", "30", 30, false},
		{0.5, 0.5, 50, false},
		{int64(0), int64(0), 0, false},
		{int64(-1), int64(1), 100, false},
		{nil, nil, 0, false},
		{"few", "1", 100, false},
		{"1e30", "1e30", 50, false},
	} {
		app, found := standing(t, weigh(w.primary, w.canary))
		want := rollout.Route{Found: true, Split: rollout.Split{Weight: w.read}, Accepted: w.accepted}
		require.Equal(t, want, smi.Router{}.Read(app, rollout.Split{}, found), "%v to %v", w.primary, w.canary)
	}
	app, found := standing(t, func(o *unstructured.Unstructured) { delete(o.Object, "spec") })
	require.Equal(t, rollout.Route{Found: true}, smi.Router{}.Read(app, rollout.Split{}, found))
}

// TestReadMatches has somebody share out some requests only, which is not Weir's to take away.
func TestReadMatches(t *testing.T) {
	app, found := standing(t, func(o *unstructured.Unstructured) {
		spec(o)["matches"] = []any{map[string]any{"kind": "HTTPRouteGroup", "name": "insiders"}}
	})
	require.Equal(t, rollout.Route{
		Found: true, Split: rollout.Split{Weight: 30},
		Refused: "TrafficSplit shop/podinfo has got spec.matches, by which not all requests are shared out; remove it",
	}, smi.Router{}.Read(app, rollout.Split{Weight: 30}, found))
	app, found = standing(t, func(o *unstructured.Unstructured) { spec(o)["matches"] = []any{} })
	require.True(t, smi.Router{}.Read(app, rollout.Split{Weight: 30}, found).Accepted, "they are none")
}

// TestForeign has nobody's TrafficSplit taken over unasked.
func TestForeign(t *testing.T) {
	strange := func(o *unstructured.Unstructured) {
		o.SetLabels(nil)
		o.SetOwnerReferences(nil)
	}
	app, found := standing(t, strange)
	_, err := smi.Router{}.Render(app, rollout.Split{}, found)
	require.EqualError(t, err, "TrafficSplit shop/podinfo is not Weir's, and provider smi makes its own; give it the label "+
		"weir.dev/canary=podinfo for Weir to take it over, or delete it")
	require.Equal(t, rollout.Route{}, smi.Router{}.Read(app, rollout.Split{}, found))
	released, err := smi.Router{}.Release(app, found)
	require.NoError(t, err)
	require.Empty(t, released)

	app, found = standing(t, func(o *unstructured.Unstructured) {
		o.SetOwnerReferences([]metav1.OwnerReference{
			{APIVersion: "flagger.app/v1beta1", Kind: "Canary", Name: "podinfo-flagger", UID: "9", Controller: new(true)},
		})
	})
	_, err = smi.Router{}.Render(app, rollout.Split{}, found)
	require.EqualError(t, err, "TrafficSplit shop/podinfo belongs to Canary podinfo-flagger; delete it there, or make this "+
		"Canary anew with another spec.service.name")

	app, found = standing(t, func(o *unstructured.Unstructured) { o.SetOwnerReferences(nil) })
	_, err = smi.Router{}.Render(app, rollout.Split{}, found)
	require.NoError(t, err, "the label gives it to Weir")
}

// standing is a TrafficSplit of 30 percent that somebody has changed.
func standing(t *testing.T, change func(*unstructured.Unstructured)) (router.App, router.Found) {
	t.Helper()
	c := canary(t)
	have := render(t, smi.Router{}, c, 30)
	change(have)
	return appOf(c), router.Found{smi.Router{}.Refs(appOf(c))[0]: have}
}
