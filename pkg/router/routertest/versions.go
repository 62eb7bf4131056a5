package routertest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/router"
)

// overServed holds a router over several kinds, or versions of one, to those that a cluster serves: of whichever these
// are, it reads and writes no others.
func (s Subject) overServed(t *testing.T) {
	versioned, ok := s.Router.(router.Versioned)
	if !ok {
		t.Skip("it needs all of its kinds, and each has one version")
	}
	all := versioned.Resources()
	for i := range all {
		for _, served := range [][]schema.GroupVersionResource{{all[i]}, all[i:]} {
			over := versioned.Over(slices.Clone(served))
			require.Equal(t, served, over.Resources())
			require.Equal(t, s.Router.Name(), over.Name())
			require.Equal(t, s.Router.Features(), over.Features())
			for _, ref := range over.Refs(s.appOf("default", "podinfo", s.Needs)) {
				require.Contains(t, served, ref.Resource, "nothing else is there")
				if ref.Resource.GroupResource() == served[0].GroupResource() {
					require.Equal(t, served[0], ref.Resource, "the first version is the preferred one")
				}
			}
		}
	}
}
