package controller

import (
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/builtin"
)

// TestFindVersions has clusters that serve some versions of a kind. The router is one over these, and nothing is
// watched that is not served.
func TestFindVersions(t *testing.T) {
	smi, ok := builtin.ByProvider("smi")
	require.True(t, ok)
	for _, c := range []struct {
		name   string
		served []string
		// over are the versions of the router that is found; without any, there is none.
		over []string
	}{
		{
			"all of them", []string{"v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4"},
			[]string{"v1alpha4", "v1alpha3", "v1alpha2", "v1alpha1"},
		},
		{"the newest", []string{"v1alpha4"}, []string{"v1alpha4"}},
		{"the oldest", []string{"v1alpha1"}, []string{"v1alpha1"}},
		{"two, as linkerd-smi", []string{"v1alpha1", "v1alpha2"}, []string{"v1alpha2", "v1alpha1"}},
		{"one that Weir does not know", []string{"v1"}, nil},
		{"none", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := fake.NewClientset()
			for _, version := range c.served {
				client.Resources = append(client.Resources, &metav1.APIResourceList{
					GroupVersion: "split.smi-spec.io/" + version,
					APIResources: []metav1.APIResource{{Name: "trafficsplits"}},
				})
			}
			client.PrependReactor("create", "selfsubjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
				review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
				review.Status.Allowed = true
				return true, review, nil
			})
			found, err := findWatchable(client, "", []router.Router{smi})
			require.NoError(t, err)
			if len(c.over) == 0 {
				require.NotContains(t, found.usable, "smi")
				require.Equal(t, "the cluster does not serve trafficsplits.split.smi-spec.io; install its CRDs and restart Weir",
					found.lacking["smi"])
				return
			}
			require.Empty(t, found.lacking)
			var over []string
			for _, gvr := range found.usable["smi"].Resources() {
				over = append(over, gvr.Version)
			}
			require.Equal(t, c.over, over)
		})
	}
}
