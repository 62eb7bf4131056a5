package rights

import (
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/rehearsal"
)

// operate starts the operator with the arguments of its Deployment.
func (g *ground) operate(t *testing.T, args, env []string) *rehearsal.Operator {
	t.Helper()
	// A Lease that is there already would never be made.
	leases := g.Kube.CoordinationV1().Leases(system)
	if err := leases.Delete(t.Context(), "weir", metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
		require.NoError(t, err)
	}
	o, err := g.Operate(t.Context(), rehearsal.Start{Args: args, Env: env, Way: g.rival.Server, Log: t.Output()})
	require.NoError(t, err)
	t.Cleanup(o.Kill)
	return o
}
