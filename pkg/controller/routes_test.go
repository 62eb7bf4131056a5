package controller

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/builtin"
)

// TestFindWatchable has a cluster without a kind, and an operator without a right.
func TestFindWatchable(t *testing.T) {
	everyRouter := builtin.Routers(builtin.Options{})
	for _, c := range []struct {
		name            string
		served, allowed bool
		lacks           string
		noTemplates     string
	}{
		{"all is there", true, true, "", ""},
		{"no CRDs", false, true,
			"the cluster does not serve httproutes.gateway.networking.k8s.io; install its CRDs and restart Weir",
			"the cluster does not serve clustermetrictemplates.weir.dev; install its CRDs and restart Weir"},
		{"no rights", true, false,
			"Weir may not list and watch httproutes.gateway.networking.k8s.io; apply the overlay of this provider and restart Weir",
			"Weir may not list and watch clustermetrictemplates.weir.dev; give it a ClusterRole with both and restart Weir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := fake.NewClientset()
			client.Resources = kinds(c.served, everyRouter)
			if c.served {
				client.Resources = append(client.Resources, &metav1.APIResourceList{
					GroupVersion: clusterTemplates().GroupVersion().String(),
					APIResources: []metav1.APIResource{{Name: clusterTemplates().Resource}},
				})
			}
			client.PrependReactor("create", "selfsubjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
				review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
				review.Status.Allowed = c.allowed
				return true, review, nil
			})
			found, err := findWatchable(client, "", everyRouter)
			require.NoError(t, err)
			require.Contains(t, found.usable, "kubernetes", "it has no kinds of its own")
			if c.lacks == "" {
				require.Len(t, found.usable, len(everyRouter))
				require.Empty(t, found.lacking)
				require.Empty(t, found.noClusterTemplates)
				return
			}
			require.Equal(t, c.noTemplates, found.noClusterTemplates)
			require.NotContains(t, found.usable, "gatewayapi")
			require.Equal(t, c.lacks, found.lacking["gatewayapi"])
		})
	}
}

// kinds are the groups of all routers, with their kinds or without.
func kinds(served bool, routers []router.Router) []*metav1.APIResourceList {
	groups := map[string]*metav1.APIResourceList{}
	for _, r := range routers {
		for _, gvr := range r.Resources() {
			of := gvr.GroupVersion().String()
			if groups[of] == nil {
				groups[of] = &metav1.APIResourceList{GroupVersion: of}
			}
			if served {
				groups[of].APIResources = append(groups[of].APIResources, metav1.APIResource{Name: gvr.Resource})
			}
		}
	}
	return slices.Collect(maps.Values(groups))
}

// TestASplitIsBetweenTheRevisionsDecidedOn: when a superseded canary is dropped and the next one gets its first share in one
// look, the share is not the old one's.
func TestASplitIsBetweenTheRevisionsDecidedOn(t *testing.T) {
	committed := &v1beta1.Canary{}
	committed.Status.Retiring = &v1beta1.RevisionStatus{ReplicaSet: "app-2"}
	d := rollout.Decision{Split: rollout.Split{Weight: 20}}
	d.Status.Canary = &v1beta1.RevisionStatus{ReplicaSet: "app-3"}
	app := decided(&observation{canary: committed, app: appOf(committed)}, d)
	require.Nil(t, app.Canary.Status.Retiring)
	require.Equal(t, "app-3", app.Canary.Status.Canary.ReplicaSet)
	require.Equal(t, "app-2", committed.Status.Retiring.ReplicaSet, "what was seen stays")
}
