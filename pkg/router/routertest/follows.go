package routertest

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

const hashLabel = "pod-template-hash"

// follows holds a router to what it says of Services alone: it writes nothing, and reads the split from what the
// apex selects.
func (s Subject) follows(t *testing.T, server dynamic.Interface) {
	b := s.bench(t, server, s.Needs)
	require.Equal(t, rollout.Route{}, b.read(), "there is no Service yet")
	b.writesNothing()
	b.serve(nil)
	b.writesNothing()
	primary, canary := b.app.Canary.Status.Primary.Hash, b.app.Canary.Status.Canary.Hash
	for weight := int32(0); weight <= 100; weight++ {
		for _, pod := range []struct {
			pin string
			is  int32
		}{{primary, 0}, {canary, 100}, {"", weight}} {
			b.serve(new(pod.pin))
			read := b.Router.Read(b.app, share(weight), b.found())
			require.True(t, read.Found && read.Accepted)
			if pod.pin == "" && (weight == 0 || weight == 100) {
				require.NotEqual(t, weight, read.Split.Weight, "both revisions get traffic")
				require.True(t, read.Split.Reaches())
				continue
			}
			require.Equal(t, inForce(share(pod.is)), read, "pinned to %q", pod.pin)
		}
	}
	b.serve(new("stranger"))
	for weight := int32(0); weight <= 100; weight++ {
		read := b.Router.Read(b.app, share(weight), b.found())
		require.False(t, read.Split.Equal(share(weight)), "nobody knows who gets what")
	}
	b.alone()
}

// alone is an apex that holds to nobody while there is but one revision: before, between and after runs, and when
// the Canary is gone.
func (b *bench) alone() {
	b.Helper()
	b.serve(new(""))
	refused := b.app.Canary.Status.Canary
	refused.Replicas = 0
	require.Equal(b, inForce(share(0)), b.read(), "the canary that was refused has no pods")
	b.app.Canary.Status.Retiring = &v1beta1.RevisionStatus{Hash: "0ld", Replicas: 1}
	require.NotEqual(b, int32(0), b.read().Split.Weight, "that of the run before still has some")
	b.app.Canary.Status.Retiring, b.app.Canary.Status.Canary = nil, nil
	require.Equal(b, inForce(share(0)), b.read())
	b.app.Canary.Status.Phase = v1beta1.PhaseTerminating
	require.Equal(b, rollout.Route{}, b.read(), "there is nothing to give back")
}

// writesNothing says that the router has nothing to write or to give back, whatever the split.
func (b *bench) writesNothing() {
	b.Helper()
	for _, split := range []rollout.Split{share(0), share(50), share(100)} {
		objects, err := b.Router.Render(b.app, split, b.found())
		require.NoError(b, err)
		require.Empty(b, objects)
	}
	released, err := b.Router.Release(b.app, b.found())
	require.NoError(b, err)
	require.Empty(b, released)
}

// serve makes the apex Service, and holds it to the pods of a revision.
func (b *bench) serve(pin *string) {
	b.Helper()
	selector := map[string]any{"app": Apex}
	if pin != nil && *pin != "" {
		selector[hashLabel] = *pin
	}
	for _, ref := range b.Router.Refs(b.app) {
		require.Equal(b, Apex, ref.Name, "it reads the apex alone")
		svc := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": ref.Name},
			"spec": map[string]any{"selector": selector, "ports": []any{map[string]any{"port": int64(9898), "protocol": "TCP"}}},
		}}
		_, err := b.on(ref).Apply(b.Context(), ref.Name, svc, metav1.ApplyOptions{FieldManager: "somebody", Force: true})
		require.NoError(b, err)
	}
}
