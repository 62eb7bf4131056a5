package cli_test

import (
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// checksWhatIsLeft: a Canary, one that is going, and a target that was left held are told of; a vanilla one is not.
func checksWhatIsLeft(b *bench) {
	check := func() typed { return b.types("uninstall", "--check", "-n", b.namespace) }
	require.Equal(b, typed{out: "nothing would be left\n"}, check())
	b.managed()
	b.takesOver()
	assert.Equal(b, typed{
		out:  fmt.Sprintf("Canary %s/podinfo: it holds %s podinfo\n", b.namespace, b.kind),
		err:  "kubectl weir: 1 thing would be left; delete the Canaries while Weir runs, wait until they are gone, and look again\n",
		code: 1,
	}, check())
	b.commits(func(st *v1beta1.CanaryStatus) {
		st.Run = &v1beta1.RunStatus{ID: "a-1", StartedAt: metav1.NewTime(now())}
	})
	assert.Contains(b, check().out, "it holds "+b.kind+" podinfo, and a run is on\n")

	canaries := b.weir.WeirV1beta1().Canaries(b.namespace)
	_, err := canaries.Patch(b.Context(), "podinfo", types.MergePatchType,
		[]byte(`{"metadata": {"finalizers": ["weir.dev/give-back"]}}`), metav1.PatchOptions{})
	require.NoError(b, err)
	require.NoError(b, canaries.Delete(b.Context(), "podinfo", metav1.DeleteOptions{}))
	assert.Contains(b, check().out, "podinfo is being given back; wait until the Canary is gone\n")
	_, err = canaries.Patch(b.Context(), "podinfo", types.MergePatchType,
		[]byte(`{"metadata": {"finalizers": null}}`), metav1.PatchOptions{})
	require.NoError(b, err)
	b.eventually("the Canary to be gone", func() bool {
		left := check()
		return left.code == 1 && assert.ObjectsAreEqual(left.out, map[string]string{
			v1beta1.KindDeployment: fmt.Sprintf("Deployment %[1]s/podinfo: it is paused, because its template is not what serves; "+
				"apply the one that does, and `kubectl -n %[1]s rollout resume deployment/podinfo`\n", b.namespace),
			v1beta1.KindStatefulSet: fmt.Sprintf("StatefulSet %s/podinfo: its partition keeps its template from its pods; apply the "+
				"template that serves, and set spec.updateStrategy.rollingUpdate.partition to 0\n", b.namespace),
			v1beta1.KindDaemonSet: fmt.Sprintf("DaemonSet %s/podinfo: its update strategy keeps its template from its pods; apply the "+
				"template that serves, and set spec.updateStrategy.type to RollingUpdate\n", b.namespace),
		}[b.kind])
	})
}

// takesOver applies the one field of the target as the operator does.
func (b *bench) takesOver() {
	b.Helper()
	spec := map[string]string{
		v1beta1.KindDeployment:  `{"paused": true}`,
		v1beta1.KindStatefulSet: `{"updateStrategy": {"rollingUpdate": {"partition": 2147483647}}}`,
		v1beta1.KindDaemonSet:   `{"updateStrategy": {"type": "OnDelete"}}`,
	}[b.kind]
	_, err := b.targets().Patch(b.Context(), "podinfo", types.ApplyPatchType,
		fmt.Appendf(nil, `{"apiVersion": "apps/v1", "kind": %q, "metadata": {"name": "podinfo"}, "spec": %s}`, b.kind, spec),
		metav1.PatchOptions{FieldManager: v1beta1.FieldManager, Force: new(true)})
	require.NoError(b, err)
}
