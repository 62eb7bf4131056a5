package rehearsal

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/router/apisix"
	"weir.dev/weir/pkg/router/contour"
)

// accept plays the controllers of kinds of routes that have to say of each version that they serve it, until the context
// ends, and then closes what it gives back.
func (s *Stage) accept(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			// A conflict, or an API server that goes, leaves it to the next round.
			_ = s.acceptAll(ctx, apisix.Routes(), "Accepted")
			_ = s.acceptAll(ctx, contour.Resource(), "Valid")
			time.Sleep(100 * time.Millisecond)
		}
	}()
	return done
}

func (s *Stage) acceptAll(ctx context.Context, resource schema.GroupVersionResource, condition string) error {
	list, err := s.Dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		route := &list.Items[i]
		conditions, _, _ := unstructured.NestedSlice(route.Object, "status", "conditions")
		if len(conditions) > 0 {
			said, _ := conditions[0].(map[string]any)
			if said["observedGeneration"] == route.GetGeneration() {
				continue
			}
		}
		route.Object["status"] = map[string]any{"conditions": []any{map[string]any{
			"type": condition, "status": "True", "reason": condition, "message": "played", "observedGeneration": route.GetGeneration(),
			"lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
		}}}
		_, err := s.Dynamic.Resource(resource).Namespace(route.GetNamespace()).UpdateStatus(ctx, route, metav1.UpdateOptions{})
		if err != nil {
			return err
		}
	}
	return nil
}
