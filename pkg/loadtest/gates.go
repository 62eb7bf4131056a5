package loadtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/wait"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/retry"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/gate"
)

const (
	// fieldManager is the name under which gates are written.
	fieldManager = v1beta1.FieldManager + "-loadtester"
	// mostGates may be open at the same time. A ConfigMap holds 1 MiB, and a gate takes less than a thousandth of it.
	mostGates = 1000
	// longestWho is how much is noted of who opened a gate, in bytes.
	longestWho = 256
)

// The two doors of a Canary.
const (
	doorGate     = "gate"
	doorRollback = "rollback"
)

// gates are open or closed in a ConfigMap: a key is an open one, whatever it says. So nothing is lost with this process,
// several replicas agree, and who may edit the ConfigMap may open and close them there.
type gates struct {
	client typedcorev1.ConfigMapInterface
	name   string
	// one at a time writes here; other replicas are met by conflicts.
	mu sync.Mutex
}

// keyOf is the key of a Canary's door. A namespace has no dot, so no two doors have the same.
func keyOf(door string, p gate.Payload) (string, error) {
	key := door + "." + p.Namespace + "." + p.Name
	if problems := validation.IsConfigMapKey(key); len(problems) > 0 {
		return "", refuse(badRequest, "the names of the Canary and its namespace are too long for a gate")
	}
	return key, nil
}

// open tells whether a gate is open, and what was noted when it was opened.
func (g *gates) open(ctx context.Context, key string) (noted string, open bool, err error) {
	kept, err := g.client.Get(ctx, g.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("reading ConfigMap %s: %w", g.name, err)
	}
	noted, open = kept.Data[key]
	return noted, open, nil
}

// set opens or closes a gate, and tells whether that changed anything.
func (g *gates) set(ctx context.Context, key string, open bool, who string, now time.Time) (changed bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	again := func(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }
	pauses := wait.Backoff{Steps: 8, Duration: 10 * time.Millisecond, Factor: 2, Jitter: 0.5}
	err = retry.OnError(pauses, again, func() error {
		changed, err = g.try(ctx, key, open, who, now)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("writing ConfigMap %s: %w", g.name, err)
	}
	return changed, nil
}

// try writes over the version that it has read.
func (g *gates) try(ctx context.Context, key string, open bool, who string, now time.Time) (changed bool, err error) {
	kept, err := g.client.Get(ctx, g.name, metav1.GetOptions{})
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return false, err
	}
	if missing {
		kept = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: g.name}}
	}
	if _, is := kept.Data[key]; is == open {
		return false, nil
	}
	if !open {
		delete(kept.Data, key)
	} else {
		if len(kept.Data) >= mostGates {
			return false, refuse(conflict, "%d gates are open, and no more can be: close some", mostGates)
		}
		if kept.Data == nil {
			kept.Data = map[string]string{}
		}
		kept.Data[key] = fmt.Sprintf("%s by %s", now.UTC().Format(time.RFC3339), shortened(who, longestWho))
	}
	if missing {
		_, err = g.client.Create(ctx, kept, metav1.CreateOptions{FieldManager: fieldManager})
	} else {
		_, err = g.client.Update(ctx, kept, metav1.UpdateOptions{FieldManager: fieldManager})
	}
	return err == nil, err
}
