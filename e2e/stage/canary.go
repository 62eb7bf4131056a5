package stage

import (
	"cmp"
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Manage puts a Canary over the application, with an analysis in YAML, indented by four.
func (a *Application) Manage(ctx context.Context, analysis string) error {
	return sandbox.Apply(ctx, a.Stage.Sandbox.RESTConfig(), a.Canary(analysis))
}

// Canary is its manifest, with an analysis as for Manage.
func (a *Application) Canary(analysis string) []byte {
	return fmt.Appendf(nil, `apiVersion: weir.dev/v1beta1
kind: Canary
metadata:
  name: %[1]s
  namespace: %[2]s
spec:
  targetRef:
    apiVersion: apps/v1
    kind: %[3]s
    name: %[1]s
  service:
    port: %[4]d
    portName: %[5]s
  analysis:
%[6]s`, a.Name, a.Namespace, a.kind(), cmp.Or(a.Port, 9898), cmp.Or(a.PortName, "http"), analysis)
}

// Follow shows every state of the Canary to see, from the present one on, until it is content or the
// context ends. A Canary that is not there is nil.
func (a *Application) Follow(ctx context.Context, see func(*v1beta1.Canary) (done bool)) error {
	client := a.Stage.Weir.WeirV1beta1().Canaries(a.Namespace)
	mine := fields.OneTermEqualSelector(metav1.ObjectNameField, a.Name).String()
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = mine
			return client.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = mine
			return client.Watch(ctx, o)
		},
	}
	var last *v1beta1.Canary
	_, err := watchtools.UntilWithSync(ctx, lw, &v1beta1.Canary{}, func(store cache.Store) (bool, error) {
		if len(store.ListKeys()) == 0 {
			return see(nil), nil
		}
		return false, nil
	}, func(e watch.Event) (bool, error) {
		canary, ok := e.Object.(*v1beta1.Canary)
		if !ok || e.Type == watch.Deleted {
			return see(nil), nil
		}
		last = canary
		return see(canary), nil
	})
	if err == nil {
		return nil
	}
	if last == nil {
		return fmt.Errorf("following Canary %s/%s, which is not there: %w", a.Namespace, a.Name, err)
	}
	return fmt.Errorf("following Canary %s/%s, which is %s at weight %d (%s): %w",
		a.Namespace, a.Name, last.Status.Phase, last.Status.Weight, Standing(last), err)
}

// Await follows the Canary until it is as wanted, and gives it as it is then.
func (a *Application) Await(
	ctx context.Context, atMost time.Duration, wanted func(*v1beta1.Canary) bool,
) (*v1beta1.Canary, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	var found *v1beta1.Canary
	err := a.Follow(ctx, func(c *v1beta1.Canary) bool {
		if c != nil && wanted(c) {
			found = c
		}
		return found != nil
	})
	return found, err
}

// InPhase wants a phase.
func InPhase(phase v1beta1.Phase) func(*v1beta1.Canary) bool {
	return func(c *v1beta1.Canary) bool { return c.Status.Phase == phase }
}

// AtWeight wants a run that judges the canary at a weight.
func AtWeight(weight int32) func(*v1beta1.Canary) bool {
	return func(c *v1beta1.Canary) bool {
		return c.Status.Phase == v1beta1.PhaseProgressing && c.Status.Weight == weight
	}
}

// RunsEnded wants a number of runs in the history, and none that is on.
func RunsEnded(n int) func(*v1beta1.Canary) bool {
	return func(c *v1beta1.Canary) bool {
		st := &c.Status
		return len(st.History) >= n && st.Run == nil && (st.Phase == v1beta1.PhaseSucceeded || st.Phase == v1beta1.PhaseFailed)
	}
}

// Standing is what the Canary says of itself.
func Standing(c *v1beta1.Canary) string {
	for _, condition := range c.Status.Conditions {
		if condition.Type == v1beta1.ConditionAccepted && condition.Status == metav1.ConditionFalse {
			return condition.Message
		}
	}
	for _, condition := range c.Status.Conditions {
		if condition.Type == v1beta1.ConditionProgressing {
			return condition.Message
		}
	}
	return ""
}
