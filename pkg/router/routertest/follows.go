package routertest

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

const hashLabel = "pod-template-hash"

// follows holds a router to what it says of Services alone: it writes nothing, and reads the split from what the
// apex selects.
func (s Subject) follows(t *testing.T, server *Server) {
	b := s.bench(t, server, s.Needs)
	require.Equal(t, rollout.Route{}, b.read(), "there is no Service yet")
	b.writesNothing()
	primary, canary := b.app.Canary.Status.Primary.Hash, b.app.Canary.Status.Canary.Hash
	b.serve("", "")
	b.writesNothing()
	for weight := int32(0); weight <= 100; weight++ {
		b.serve(primary, canary)
		require.Equal(t, inForce(share(0)), b.readAt(weight))
		b.serve(canary, canary)
		require.Equal(t, inForce(share(100)), b.readAt(weight))
		b.serve("", canary)
		read := b.readAt(weight)
		require.True(t, read.Split.Reaches(), "pods of both get traffic")
		require.Equal(t, weight > 0 && weight < 100, read.Split.Equal(share(weight)))
		b.serve("stranger", canary)
		require.False(t, b.readAt(weight).Split.Equal(share(weight)), "nobody knows who gets what")
	}
	b.serve("", primary)
	require.Equal(t, inForce(share(0)), b.read(), "there is but one revision")
	b.serve("", "")
	require.Equal(t, inForce(share(0)), b.read())
	b.app.Canary.Status.Retiring, b.app.Canary.Status.Canary = nil, nil
	b.app.Canary.Status.Phase = v1beta1.PhaseTerminating
	require.Equal(t, rollout.Route{}, b.read(), "there is nothing to give back")
}

// readAt is what is read where a weight is the committed one.
func (b *bench) readAt(weight int32) rollout.Route {
	b.Helper()
	return b.Router.Read(b.app, share(weight), b.found())
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

// serve makes those of the Services that the router reads, apex and canary held to the pods of a revision, or to
// none. The primary's is not asked for.
func (b *bench) serve(apex, canary string) {
	b.Helper()
	for _, ref := range b.Router.Refs(b.app) {
		pin, known := map[string]string{Apex: apex, Canary: canary}[ref.Name]
		require.True(b, known, ref.Name)
		selector := map[string]any{"app": Apex}
		if pin != "" {
			selector[hashLabel] = pin
		}
		svc := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": ref.Name},
			"spec": map[string]any{"selector": selector, "ports": []any{map[string]any{"port": int64(9898), "protocol": "TCP"}}},
		}}
		_, err := b.on(ref).Apply(b.Context(), ref.Name, svc, metav1.ApplyOptions{FieldManager: "somebody", Force: true})
		require.NoError(b, err)
	}
}
